"""Whether the learning rate fits: what a step of it, and steps of other lengths, do to the batch's own loss."""

from __future__ import annotations

import math

from curvox.diagnosis import thresholds_training as limits
from curvox.diagnosis.findings import Checked, Evidence, Finding, Severity, merged
from curvox.diagnosis.observation import StepProbe

_HIGH, _LOW = "learning_rate_too_high", "learning_rate_too_low"


def rate_checks(step: StepProbe) -> Checked:
    """Look for learning_rate_too_high and learning_rate_too_low in the response of one batch."""
    if not any(p.gradient_norm and p.trains for p in step.parameters):
        return Checked.impossible("no weight that trains has a gradient in this batch", _HIGH, _LOW)
    if 1.0 not in step.response:
        return Checked.impossible("the response to a step of the learning rate was not measured", _HIGH, _LOW)
    return merged((_too_high(step), _too_low(step)))


def best_multiple(step: StepProbe) -> float:
    """The multiple of the learning rate after which the loss is lowest."""
    return min(step.response, key=lambda multiple: (step.response[multiple], multiple))


def relative_change(step: StepProbe) -> float | None:
    """Length of the change of all encoder weights since the start over their length now or then; None where unknown.

    It is of those that train; what started at zero has no say in it.
    """
    known = [p for p in step.parameters if p.moved is not None and p.trains and p.name.startswith("encoder.")]
    # ``moved`` is over the weight at the start, which is about |now| / (1 + moved) where it grew by random steps
    starts = [p.weight_norm / (1.0 + (p.moved or 0.0)) for p in known]
    whole = math.hypot(*starts)
    if not known or whole == 0:
        return None
    return math.hypot(*(start * (p.moved or 0.0) for start, p in zip(starts, known, strict=True))) / whole


def _too_high(step: StepProbe) -> Checked:
    severities = {_response_rises(step), _shorter_is_better(step), _thrown_far(step)} - {None}
    if not severities:
        return Checked((_HIGH,))
    best, gone = best_multiple(step), relative_change(step)
    before = f"below {step.value:.3g}, what it was before"
    evidence = [Evidence("loss of a batch after a step on that batch", step.response[1.0], before)]
    if best < 1.0:
        healthy = f"that of the recipe, {step.learning_rate:.3g}, or more"
        evidence.append(Evidence("learning rate after which it is lowest", best * step.learning_rate, healthy))
    if gone is not None:
        evidence.append(Evidence("relative change of the weights since the start", gone, "below 1, 5 after long runs"))
    severity: Severity = "failure" if "failure" in severities else "warning"
    return Checked((_HIGH,), (Finding(_HIGH, severity, tuple(evidence)),))


def _response_rises(step: StepProbe) -> Severity | None:
    value, after, best = step.value, step.response[1.0], best_multiple(step)
    rise = after - value
    # what a step costs that is so long that it destroys the model
    ruin = max((loss for loss in step.response.values() if math.isfinite(loss)), default=value) - value
    share = math.inf if math.isinf(after) else rise / ruin if ruin > 0 else 0.0
    falls = step.response[best] < value and best < 1.0
    if not falls or rise <= limits.RISE_OF_LOSS * abs(value) or share <= limits.RISE_WARNING:
        return None
    return "failure" if share > limits.RISE_FAILURE else "warning"


def _shorter_is_better(step: StepProbe) -> Severity | None:
    best = best_multiple(step)
    fall = step.value - step.response[best]
    small = fall <= limits.LOW_FALL * abs(step.value) or step.value - step.response[1.0] > fall / 2
    if small or best > limits.SHORTER_WARNING:
        return None
    return "failure" if best <= limits.SHORTER_FAILURE else "warning"


def _thrown_far(step: StepProbe) -> Severity | None:
    gone = relative_change(step) or 0.0
    if gone <= limits.THROWN_WARNING:
        return None
    return "failure" if gone > limits.THROWN_FAILURE else "warning"


def _too_low(step: StepProbe) -> Checked:
    gone = relative_change(step)
    if gone is None:
        return Checked.impossible("how far the weights went since the start is not known", _LOW)
    if gone == 0.0:
        return Checked.impossible("the weights are those of the start", _LOW)
    best = best_multiple(step)
    fall = step.value - step.response[best]
    if best < limits.LOW_MULTIPLE or gone > limits.LOW_MOVED or fall <= limits.LOW_FALL * abs(step.value):
        return Checked((_LOW,))
    evidence = (
        Evidence(f"fall of the batch's loss after a step {best:g} times as long", fall,
                 "none: such a step goes over the valley"),
        Evidence("relative change of the weights since the start", gone, f"above {limits.LOW_MOVED:g}"),
        Evidence("learning rate after which it is lowest", best * step.learning_rate,
                 f"near that of the recipe, {step.learning_rate:.3g}"),
    )  # fmt: skip
    return Checked((_LOW,), (Finding(_LOW, "failure", evidence),))

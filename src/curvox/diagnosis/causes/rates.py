"""Whether the learning rate fits: what steps of several lengths do to the loss of their batch, and to a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from curvox.diagnosis.findings import Cause, Checked, Evidence, Finding, graded, merged
from curvox.diagnosis.observation import LEAST_LOGS, START_LOGS, running_medians, too_few_logs

if TYPE_CHECKING:
    from curvox.diagnosis.observation import LiveSigns, Numbers, StepProbe, VitalHistory

LEARNING_RATE_TOO_HIGH = Cause(
    "learning_rate_too_high",
    "The learning rate is too high",
    "training",
    "A step along the gradient of a batch does not lower the loss of that very batch, it raises it: the step goes over "
    "the valley. The loss jumps or stays where chance puts it.",
    "Lower the learning rate to the one in the evidence, warm it up over the first epoch, or clip the gradient.",
    "training: {optimizer: {learning_rate: 0.001}}",
    ("exploding_gradient", "collapse", "dimensional_collapse", "overfitting", "vanishing_gradient", "not_finite"),
)

LEARNING_RATE_TOO_LOW = Cause(
    "learning_rate_too_low",
    "The learning rate is too low",
    "training",
    "Steps many times as long would still lower the loss in proportion: the weights have hardly moved from where they "
    "started. The run would need that many times more steps.",
    "Raise the learning rate to the one in the evidence.",
    "training: {optimizer: {learning_rate: 0.001}}",
    ("centres_never_move",),
)

# --- one step of the optimiser, and steps of other lengths ---

RISE_WARNING, RISE_FAILURE = 0.1, 0.3
"""Rise of the batch's own loss after the step, over the rise after a step so long that it destroys the model. Healthy
runs fall; those that have come to rest rise by next to nothing of it."""

RISE_OF_LOSS = 0.1
"""The rise over the loss itself that is worth a word; a destroyed model may cost little more in a bounded loss."""

SHORTER_WARNING, SHORTER_FAILURE = 0.011, 0.0011
"""A step this many times as short that does more than twice as much for the loss of its own batch: a tenth at most
does so in healthy runs."""

LOW_MULTIPLE = 100.0
"""No step lowers the loss more than one this many times as long: with a healthy rate ten are the most."""

LOW_FALL = 0.03
"""Share of the loss that the long step must take off: at the end of a training there is nothing left to take."""

LOW_MOVED = 0.005
"""Relative change of the weights since the start; three healthy steps change them by more, a hundred by a tenth."""

THROWN_WARNING, THROWN_FAILURE = 10.0, 30.0
"""Relative change of the weights since the start: a tenth after a hundred healthy steps, a few after long runs. Beyond
it the weights are sums of steps, of which each was too long."""

# --- the steps of a run ---

STEP_WARNING, STEP_FAILURE = 0.04, 0.08
"""Median length of the steps of the first logs over the weights: 0.005 with Adam at 0.002, 0.015 at 0.01."""

PEAK_STEP_WARNING, PEAK_STEP_FAILURE = 0.25, 0.5
"""Length of a single step over the weights: 0.1 in the first step of Adam at 0.002 in a wide network."""

STEP_TOO_SHORT = 1e-5
"""No step of the run was longer than this over the weights; healthy ones are a hundred times as long."""

STILL = 1e-7
"""Relative length of a step that float32 no longer holds."""

END_OVER_START = 0.95
"""Loss at the end over that at the start, above which nothing was learnt."""

PEAK_OVER_START_WARNING, PEAK_OVER_START_FAILURE = 1.5, 3.0
"""Highest loss over that at the start."""

_BOTH = (LEARNING_RATE_TOO_HIGH.name, LEARNING_RATE_TOO_LOW.name)


def check_response(step: StepProbe) -> Checked:
    """Look for learning_rate_too_high and learning_rate_too_low in the response of one batch."""
    if not any(p.gradient_norm and p.trains for p in step.parameters):
        return Checked.impossible("no weight that trains has a gradient in this batch", *_BOTH)
    if 1.0 not in step.response:
        return Checked.impossible("the response to a step of the learning rate was not measured", *_BOTH)
    return merged((_too_high(step), _too_low(step)))


def _best_multiple(step: StepProbe) -> float:
    """The multiple of the learning rate after which the loss is lowest."""
    return min(step.response, key=lambda multiple: (step.response[multiple], multiple))


def _relative_change(step: StepProbe) -> float | None:
    """Length of the change of all encoder weights since the start over their length now or then; None where unknown.

    It is of those that train; what started at zero has no say in it.
    """
    known = [p for p in step.parameters if p.moved is not None and p.trains and p.name.startswith("encoder.")]
    # ``moved`` is over the weight at the start, which is about |now| / (1 + moved) where it grew by random steps.
    starts = [p.weight_norm / (1.0 + (p.moved or 0.0)) for p in known]
    whole = math.hypot(*starts)
    if not known or whole == 0:
        return None
    return math.hypot(*(start * (p.moved or 0.0) for start, p in zip(starts, known, strict=True))) / whole


def _too_high(step: StepProbe) -> Checked:
    best, gone = _best_multiple(step), _relative_change(step)
    ruined, over, thrown = _share_of_ruin(step), _times_too_long(step), gone or 0.0
    severity = graded(
        failure=ruined > RISE_FAILURE or over <= SHORTER_FAILURE or thrown > THROWN_FAILURE,
        warning=ruined > RISE_WARNING or over <= SHORTER_WARNING or thrown > THROWN_WARNING,
    )
    before = f"below {step.value:.3g}, what it was before"
    evidence = [Evidence("loss of a batch after a step on that batch", step.response[1.0], before)]
    if best < 1.0:
        healthy = f"that of the recipe, {step.learning_rate:.3g}, or more"
        evidence.append(Evidence("learning rate after which it is lowest", best * step.learning_rate, healthy))
    if gone is not None:
        evidence.append(Evidence("relative change of the weights since the start", gone, "below 1, 5 after long runs"))
    return LEARNING_RATE_TOO_HIGH.judged(severity, *evidence)


def _share_of_ruin(step: StepProbe) -> float:
    """Rise of the loss over what a step costs that destroys the model; 0 where it is no rise, or none is better."""
    value, after, best = step.value, step.response[1.0], _best_multiple(step)
    ruin = max((loss for loss in step.response.values() if math.isfinite(loss)), default=value) - value
    falls = step.response[best] < value and best < 1.0
    if not falls or after - value <= RISE_OF_LOSS * abs(value):
        return 0.0
    return math.inf if math.isinf(after) else (after - value) / ruin if ruin > 0 else 0.0


def _times_too_long(step: StepProbe) -> float:
    """The multiple of the rate that is best, where it does more than twice as much; 1 elsewhere."""
    best = _best_multiple(step)
    fall = step.value - step.response[best]
    small = fall <= LOW_FALL * abs(step.value) or step.value - step.response[1.0] > fall / 2
    return 1.0 if small else best


def _too_low(step: StepProbe) -> Checked:
    gone = _relative_change(step)
    if not gone:
        unknown = "how far the weights went since the start is not known"
        return LEARNING_RATE_TOO_LOW.unknown(unknown if gone is None else "the weights are those of the start")
    best = _best_multiple(step)
    fall = step.value - step.response[best]
    longer = f"fall of the batch's loss after a step {best:g} times as long"
    near = f"near that of the recipe, {step.learning_rate:.3g}"
    return LEARNING_RATE_TOO_LOW.judged(
        graded(failure=best >= LOW_MULTIPLE and gone <= LOW_MOVED and fall > LOW_FALL * abs(step.value)),
        Evidence(longer, fall, "none: such a step goes over the valley"),
        Evidence("relative change of the weights since the start", gone, f"above {LOW_MOVED:g}"),
        Evidence("learning rate after which it is lowest", best * step.learning_rate, near),
    )


def check_lengths(history: VitalHistory) -> Checked:
    """Look for first steps of a run that overwrite the weights, and for steps of which none changes them."""
    _, ratios = history.sign("update_ratio")
    if not len(ratios):
        return Checked.impossible("the lengths of the steps were not logged", *_BOTH)
    usual, peak = float(np.median(ratios[:START_LOGS])), float(ratios.max())
    longest, vital = "the longest step over the weights", "update_ratio"
    too_high = LEARNING_RATE_TOO_HIGH.judged(
        graded(
            failure=usual > STEP_FAILURE or peak > PEAK_STEP_FAILURE,
            warning=usual > STEP_WARNING or peak > PEAK_STEP_WARNING,
        ),
        Evidence("length of the first steps over the weights", usual, f"below {STEP_WARNING:g}", "", vital),
        Evidence(longest, peak, f"below {PEAK_STEP_WARNING:g}", "", vital),
    )
    _, norms = history.sign("gradient_norm")
    # Without a gradient nothing moves, whatever the rate; where nothing moves at all it is no question of length.
    short = 0.0 < peak < STEP_TOO_SHORT and len(ratios) >= START_LOGS and len(norms) > 0 and bool(norms.min() > 0)
    evidence = Evidence(longest, peak, "about 0.001", "", vital)
    return merged((too_high, LEARNING_RATE_TOO_LOW.judged(graded(failure=short), evidence)))


def check_loss_of_run(history: VitalHistory) -> Checked:
    """Look for a loss that jumped up and ended where it began."""
    loss = _loss_at_one_margin(history)
    if len(loss) < LEAST_LOGS:
        return LEARNING_RATE_TOO_HIGH.unknown(too_few_logs(len(loss)))
    start = float(np.median(loss[:START_LOGS]))
    peak = float(running_medians(loss, START_LOGS).max())
    end = float(np.median(loss[-START_LOGS:]))
    severity = graded(failure=peak > PEAK_OVER_START_FAILURE * start, warning=peak >= PEAK_OVER_START_WARNING * start)
    return LEARNING_RATE_TOO_HIGH.judged(
        severity if start > 0 and end >= END_OVER_START * start else None,
        Evidence("loss at the end", end, f"below the {start:.3g} of the start", "", "loss"),
        Evidence("highest loss on the way", peak, f"hardly above the {start:.3g} of the start", "", "loss"),
    )


def _loss_at_one_margin(history: VitalHistory) -> Numbers:
    """The loss while the margin was what it is at the end: a growing margin raises it, and should."""
    loss, scale = history.signs_together("loss", "margin_scale")
    return loss[scale == scale[-1]] if len(scale) else history.sign("loss")[1]


def too_long_now(signs: LiveSigns) -> Finding | None:
    """The finding where the last step of a running training overwrote the weights: one of this length is enough."""
    ratio = signs.now.get("update_ratio", 0.0)
    if ratio <= PEAK_STEP_FAILURE:
        return None
    evidence = Evidence("length of a step over the weights", ratio, "about 0.001 to 0.01", "", "update_ratio")
    return LEARNING_RATE_TOO_HIGH.finding("failure", evidence, where=f"step {signs.step}")


def too_short_now(signs: LiveSigns) -> Finding | None:
    """The finding where the steps of a running training, which has a gradient, are lost in rounding."""
    ratios = signs.all("update_ratio")
    if ratios is None or not 0 < max(ratios) <= STILL or not signs.should_move():
        return None
    evidence = Evidence("change of the encoder over its weights", ratios[-1], "about 0.001", "", "update_ratio")
    return LEARNING_RATE_TOO_LOW.finding("warning", evidence)

"""What one training step shows, in terms of causes."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import nn

from curvox.diagnosis import thresholds_training as limits
from curvox.diagnosis.findings import Checked, Evidence, Finding, Severity, merged
from curvox.diagnosis.gradient_checks import gradient_checks
from curvox.diagnosis.observation import StepProbe
from curvox.diagnosis.parameter_checks import parameter_checks
from curvox.diagnosis.rate_checks import rate_checks

_NEEDS_NUMBERS = (
    "frozen_parameters", "unused_parameters", "centres_never_move", "learning_rate_too_high", "learning_rate_too_low",
    "exploding_gradient", "vanishing_gradient", "few_items_rule", "no_positives",
)  # fmt: skip


def step_checks(step: StepProbe, loss: nn.Module | None = None) -> Checked:
    """Look for what one training step can show.

    Args:
        step: as `curvox.diagnosis.step_probe.probe_step` measures it.
        loss: the run's; without it no_positives is not checked.

    Returns:
        findings of not_finite and half_precision_overflow, and where the numbers are finite of frozen_parameters,
        unused_parameters, centres_never_move, learning_rate_too_high, learning_rate_too_low, exploding_gradient,
        vanishing_gradient, few_items_rule and no_positives.
    """
    numbers = _numbers(step)
    if not _finite(step):
        lost = Checked.impossible("the step is not finite", *_NEEDS_NUMBERS)
        return merged((numbers, lost))
    gradients = gradient_checks(step, loss)
    return merged((numbers, parameter_checks(step), _less_than(gradients, rate_checks(step)), gradients))


def _less_than(gradients: Checked, rates: Checked) -> Checked:
    """Rank a rate too high below a gradient that explodes in the layers: then any rate is too high for some step."""
    explosions = [finding for finding in gradients.findings if finding.cause == "exploding_gradient"]
    if not explosions:
        return rates
    below: Severity = "warning" if explosions[0].severity == "failure" else "note"
    findings = (
        replace(finding, severity=below) if finding.cause == "learning_rate_too_high" else finding
        for finding in rates.findings
    )
    return replace(rates, findings=tuple(findings))


def _finite(step: StepProbe) -> bool:
    norms = (p.gradient_norm for p in step.parameters if p.gradient_norm is not None)
    tensors = all(bool(tensor.isfinite().all()) for tensor in (step.raw, step.gradient))
    return step.origin is None and math.isfinite(step.value) and tensors and all(map(math.isfinite, norms))


def _numbers(step: StepProbe) -> Checked:
    causes = ("not_finite", "half_precision_overflow")
    if not _finite(step):
        return Checked(causes, (_lost(step),))
    if step.dtype_maximum is None:
        why = "the largest activation was not measured"
        return merged((Checked(causes[:1]), Checked.impossible(why, causes[1])))
    if step.dtype_maximum <= limits.HALF_MAXIMUM:
        return Checked(causes)
    half = step.precision.startswith("16")
    evidence = Evidence("largest activation, in float32", step.dtype_maximum, f"below {limits.HALF_MAXIMUM:,.0f}")
    return Checked(causes, (Finding(causes[1], "failure" if half else "note", (evidence,)),))


def _lost(step: StepProbe) -> Finding:
    """The numbers that are lost, by the operation that lost them where that is known."""
    origin = step.origin
    bad_rows = (~step.raw.isfinite()).any(1) | (~step.gradient.isfinite()).any(1)
    evidence = (
        Evidence("loss of the batch", step.value, "finite", "", "loss"),
        Evidence("recordings with numbers that are not finite", float(bad_rows.sum()), "0"),
    )
    if origin is None:
        return Finding("not_finite", "failure", evidence)
    names = [step.items[row] if row < len(step.items) else f"row {row}" for row in origin.rows]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    way = f"{origin} on the way back" if origin.backward else str(origin)
    where = f"{way}: {shown}" if shown else way
    return Finding("half_precision_overflow" if origin.half else "not_finite", "failure", evidence, where)

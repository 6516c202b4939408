"""Numbers that are none: NaN, infinity, and what float16 cannot hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from curvox.diagnosis.causes.embeddings import COLLAPSE
from curvox.diagnosis.findings import Cause, Checked, Evidence, Finding, graded, listed, merged

if TYPE_CHECKING:
    from curvox.diagnosis.observation import Death, StepProbe
    from curvox.diagnosis.probes.loss import BatchMeasures

NOT_FINITE = Cause(
    "not_finite",
    "NaN or infinity",
    "numbers",
    "An operation returned NaN or infinity, forward or backward, and everything computed from it is lost. The evidence "
    "names the first operation and the recordings it happened to.",
    "Guard that operation: an epsilon inside a root or a logarithm, log1p, a clamp before arccos or arcosh; where it "
    "was the weights that left the finite range, lower the learning rate or clip the gradient.",
    "training: {optimizer: {clip_gradient_norm: 5.0}}",
    ("vanishing_gradient", "collapse", "overfitting", "half_precision_overflow", "frozen_parameters", "few_items_rule"),
)

HALF_PRECISION_OVERFLOW = Cause(
    "half_precision_overflow",
    "Numbers too large for half precision",
    "numbers",
    "In float16 nothing above 65,504 can be held, and activations or the loss's own terms pass that. They become "
    "infinite although float32 would hold them.",
    "Train in bf16-mixed or 32-true, or compute the loss in float32.",
    "training: {precision: bf16-mixed}",
    ("not_finite", "exploding_gradient"),
)

HALF_MAXIMUM = 65504.0
"""The largest number of float16."""

MOST_NAMED = 5

_LOOKED = (NOT_FINITE.name, HALF_PRECISION_OVERFLOW.name)
_HALF = "float16"
_OVERFLOWED = "overflowed in 16"
_THAT = {
    "embeddings": "embeddings were not finite",
    "loss": "the loss was not finite",
    "gradient": "the gradient was not finite",
    "weights": "weights were not finite",
}


def check_death(death: Death) -> Checked:
    """Name what a run died of: half_precision_overflow where float16 could not hold a number, collapse where embeddings
    became zero, not_finite elsewhere.

    The operation is taken as `curvox.diagnosis.observation.Origin` writes it.
    """
    way = " on the way back" if death.backward else ""
    operation = f"{death.operation}{way}" if death.operation else ""
    where = "; ".join(part for part in (operation, listed(death.items, MOST_NAMED)) if part)
    if death.kind == "zeros":
        zeros = Evidence("dev recordings whose embedding is zero", float(len(death.items)), "none")
        return Checked((*_LOOKED, COLLAPSE.name), (COLLAPSE.finding("failure", zeros, where=where),))
    half = _HALF in death.operation or (not death.operation and _OVERFLOWED in death.message)
    healthy = f"all {death.kind} finite in every step"
    evidence = [Evidence(f"step in which {_THAT[death.kind]} first", float(death.step), healthy)]
    if death.items:
        evidence.append(Evidence("recordings it happened to", float(len(death.items)), "none"))
    return Checked(_LOOKED, (_which(half).finding("failure", *evidence, where=where),))


def _which(half: bool) -> Cause:
    return HALF_PRECISION_OVERFLOW if half else NOT_FINITE


def is_finite(step: StepProbe) -> bool:
    """Tell whether all numbers of a step are finite."""
    norms = (p.gradient_norm for p in step.parameters if p.gradient_norm is not None)
    tensors = all(bool(tensor.isfinite().all()) for tensor in (step.raw, step.gradient))
    return step.origin is None and math.isfinite(step.value) and tensors and all(map(math.isfinite, norms))


def check_step(step: StepProbe) -> Checked:
    """Look for not_finite and half_precision_overflow in a training step."""
    if not is_finite(step):
        return Checked(_LOOKED, (_lost(step),))
    if step.dtype_maximum is None:
        unknown = HALF_PRECISION_OVERFLOW.unknown("the largest activation was not measured")
        return merged((NOT_FINITE.absent(), unknown))
    severity = graded(failure=step.precision.startswith("16"), note=True)
    evidence = Evidence("largest activation, in float32", step.dtype_maximum, f"below {HALF_MAXIMUM:,.0f}")
    too_large = step.dtype_maximum > HALF_MAXIMUM
    return merged((NOT_FINITE.absent(), HALF_PRECISION_OVERFLOW.judged(severity if too_large else None, evidence)))


def _lost(step: StepProbe) -> Finding:
    """The numbers that are lost, by the operation that lost them where that is known."""
    origin = step.origin
    bad_rows = (~step.raw.isfinite()).any(1) | (~step.gradient.isfinite()).any(1)
    evidence = (
        Evidence("loss of the batch", step.value, "finite", "", "loss"),
        Evidence("recordings with numbers that are not finite", float(bad_rows.sum()), "0"),
    )
    if origin is None:
        return NOT_FINITE.finding("failure", *evidence)
    shown = listed(step.named(origin.rows), MOST_NAMED)
    way = f"{origin} on the way back" if origin.backward else str(origin)
    return _which(origin.half).finding("failure", *evidence, where=f"{way}: {shown}" if shown else way)


def lost_in_batch(measures: BatchMeasures) -> Finding | None:
    """The finding where finite embeddings give a loss or a gradient that is not finite."""
    if measures.response.finite:
        return None
    origin = measures.origin
    where = "" if origin is None else f"{origin.operation} ({'backward' if origin.backward else 'forward'})"
    rows = () if origin is None else origin.rows
    shown = f", rows {', '.join(map(str, rows))}" if rows else ""
    what = "embeddings of this batch that are finite, while the loss or its gradient is not"
    return NOT_FINITE.finding("failure", Evidence(what, 1.0, "0", "%"), where=where + shown)


def lost_embeddings(bad: list[bool]) -> Checked:
    """The finding where the embeddings of a batch that are marked in ``bad`` are not finite themselves."""
    rows = [str(row) for row, is_bad in enumerate(bad) if is_bad]
    evidence = Evidence("embeddings with NaN or infinity", len(rows) / len(bad), "0", "%")
    shown = f"the encoder; rows {', '.join(rows[:8])}{' ...' if len(rows) > 8 else ''}"
    return NOT_FINITE.judged("failure", evidence, where=shown)

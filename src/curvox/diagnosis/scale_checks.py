"""Is the loss too soft, too sharp, or multiplied? Scales judged by the number of speakers and by distances."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from curvox.diagnosis import thresholds_loss as limits
from curvox.diagnosis.findings import Checked, Evidence, Finding, NotChecked, Severity
from curvox.diagnosis.loss_checks import is_softmax
from curvox.diagnosis.loss_probe import COUNTS, LossMeasures
from curvox.geometry import AbstractSpace
from curvox.losses import AbstractLoss
from curvox.losses.aam_softmax import AAMSoftmax
from curvox.losses.am_softmax import AMSoftmax
from curvox.losses.combined import Combined
from curvox.losses.h_softmax import HSoftmax
from curvox.losses.ham_softmax import HAMSoftmax
from curvox.losses.ram_softmax import RAMSoftmax

_CAUSES = ("scale_too_small", "scale_too_large", "gradient_multiplied")


@dataclass(frozen=True)
class Softmax:
    """What a softmax over bounded similarities can do.

    Attributes:
        scale: s.
        speakers: N.
        gap: the widest between the similarity to the own centre and to all others.
        used: as much of it as embeddings use.
        factors: the scale over the usual one from which on it is too large, for a warning and for a failure.
    """

    scale: float
    speakers: int
    gap: float
    used: float
    factors: tuple[float, float] = (limits.SCALE_FACTOR, limits.SCALE_FACTOR_FAR)

    @property
    def surest(self) -> float:
        """The largest probability of the own speaker."""
        return 1.0 / (1.0 + (self.speakers - 1) * math.exp(-min(self.scale * self.gap, 700.0)))

    @property
    def usual_scale(self) -> float:
        """sqrt(2) ln(N - 1), as AdaCos has it, at least 3, over the gap that is used (arXiv:1905.00292)."""
        return max(3.0, math.sqrt(2.0) * math.log(max(2, self.speakers - 1))) / self.used

    @property
    def least_scale(self) -> float:
        """At which the own speaker can have the probability `limits.SURE`."""
        return math.log(limits.SURE / (1.0 - limits.SURE) * (self.speakers - 1)) / self.gap


def softmaxes_of(loss: AbstractLoss, raw: Tensor) -> Iterator[Softmax]:
    """The softmaxes over bounded similarities in a loss of curvox; none for one that has none.

    Args:
        loss: of curvox.
        raw: (B, D) embeddings; on the ball they say how much of it is used.
    """
    if isinstance(loss, Combined):
        for part in loss.members():
            yield from softmaxes_of(part, raw)
    elif loss.speakers is None:
        return
    elif isinstance(loss, (AMSoftmax, AAMSoftmax, RAMSoftmax)):
        margin = 0.0 if isinstance(loss, AAMSoftmax) else float(loss.full_margin)
        # With N centres as far apart as can be a rival has the cosine -1 / (N - 1), the own one 1.
        gap = max(1.0 - margin + 1.0 / (loss.speakers - 1), 1e-3)
        yield Softmax(float(loss.scaling.now()), loss.speakers, gap, gap)
    elif isinstance(loss, (HSoftmax, HAMSoftmax)):
        margin = float(loss.full_margin) if isinstance(loss, HAMSoftmax) else 0.0
        gap = max(_right_angle(loss.space, loss.dim) - margin, 1e-3)
        used = min(gap, limits.USED * max(_far_apart(loss.space, raw), 1e-3))
        factors = (limits.BALL_FACTOR, limits.BALL_FACTOR_FAR)
        yield Softmax(float(loss.scaling.now()), loss.speakers, gap, used, factors)


def _right_angle(space: AbstractSpace, dim: int) -> float:
    """Distance of two points at a right angle as far out as the lift takes them: what many centres are apart."""
    with torch.no_grad():
        raw = torch.zeros(2, max(2, dim))
        raw[0, 0] = raw[1, 1] = 1e4
        points = space.project(raw)
        return float(space.distance(points[0], points[1]))


def _far_apart(space: AbstractSpace, raw: Tensor) -> float:
    """The 95 % quantile of the distances between these embeddings."""
    with torch.no_grad():
        points = space.project(raw)
        first, second = torch.triu_indices(len(raw), len(raw), 1)
        return float(space.distance(points[first], points[second]).quantile(0.95))


def scale_checks(loss: AbstractLoss, measures: LossMeasures, raw: Tensor) -> Checked:
    """Look for scales that do not fit the speakers and the embeddings ``raw`` (B, D), and for constants that multiply
    the gradient."""
    if measures.at_random is None or not measures.at_random.finite:
        reason = "; ".join(measures.refusals) or "the loss or its gradient is not finite on embeddings at random"
        return Checked.impossible(reason, *_CAUSES)
    softmaxes = tuple(softmaxes_of(loss, raw))
    if softmaxes:
        findings = [f for softmax in softmaxes for f in (_too_small(softmax), _too_large(softmax)) if f]
        gap = NotChecked("gradient_multiplied", "the scale of the loss says it")
        return Checked(("scale_too_small", "scale_too_large"), tuple(findings), (gap,))
    findings = [_multiplied(measures), _soft_floor(measures)]
    looked = ("gradient_multiplied", "scale_too_small", "scale_too_large")
    return Checked(looked, tuple(f for f in findings if f is not None))


def _too_small(softmax: Softmax) -> Finding | None:
    if softmax.surest >= limits.SURE:
        return None
    severity: Severity = "failure" if softmax.surest < limits.HARDLY else "warning"
    return Finding(
        "scale_too_small",
        severity,
        (
            Evidence(
                f"largest probability that one of {softmax.speakers} speakers can get",
                softmax.surest,
                "above 90 %",
                "%",
            ),
            Evidence("scale", softmax.scale, f"{softmax.least_scale:.3g} or more"),
        ),
    )


def _too_large(softmax: Softmax) -> Finding | None:
    factor = softmax.scale / softmax.usual_scale
    most, far = softmax.factors
    if factor <= most:
        return None
    severity: Severity = "failure" if factor > far else "warning"
    fits = f"from {softmax.least_scale:.3g} to {most * softmax.usual_scale:.3g}"
    return Finding(
        "scale_too_large",
        severity,
        (
            Evidence("scale", softmax.scale, fits),
            Evidence(f"scale over the usual one for {softmax.speakers} speakers", factor, f"below {most:g}"),
        ),
    )


def _multiplied(measures: LossMeasures) -> Finding | None:
    relative = measures.relative_gradient or 0.0
    if relative <= limits.MULTIPLIED:
        return None
    left = measures.rests
    # A softmax that is only sharp still costs log N when everybody is in one point.
    softmax = left is not None and is_softmax(left) and left.collapsed[COUNTS[-1]] < 5.0 * math.log(2 * COUNTS[-1])
    severity: Severity = "failure" if relative > limits.MULTIPLIED_FAR else "warning"
    found = Evidence("gradient times length of embeddings at random", relative, "0.1 to 700")
    divisor = Evidence("factor by which the loss is too steep", relative / 30.0, "about 1")
    return Finding("scale_too_large" if softmax else "gradient_multiplied", severity, (found, divisor))


def _soft_floor(measures: LossMeasures) -> Finding | None:
    """A softmax over the recordings of the batch that keeps a floor when all is solved."""
    left = measures.rests
    if left is None or not is_softmax(left):
        return None
    share = left.solved[COUNTS[-1]] / left.collapsed[COUNTS[-1]]
    if not limits.REST_OUT_OF_REACH < share < 1.0:  # from 1 on it is not a floor but the wrong way
        return None
    severity: Severity = "failure" if share > 0.3 else "warning"
    what = f"share of the collapsed loss that is left with {COUNTS[-1]} speakers as far apart as they can be"
    return Finding("scale_too_small", severity, (Evidence(what, share, "near 0", "%"),))


def length_of(raw: Tensor) -> float:
    """Median length of raw embeddings (B, D); sqrt(D), that of batch-normalised ones, where it is 0 or not finite."""
    median = float(torch.linalg.vector_norm(raw.double(), dim=-1).median())
    return median if math.isfinite(median) and median > 1e-8 else math.sqrt(raw.shape[-1])

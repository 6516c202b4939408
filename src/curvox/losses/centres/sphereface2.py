"""SphereFace2: a binary problem for each speaker (Wen et al. 2022, arXiv:2108.01513)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from curvox.errors import InputError, require_positive
from curvox.geometry import AbstractSpace
from curvox.losses.centres.angular import inverse_norms, require_sphere
from curvox.losses.centres.centres import AbstractCentreLoss
from curvox.losses.contract import LossOutput
from curvox.losses.scan.rules import AbstractRule, OwnColumns, Partial, Scratch, power


class SphereFace2(AbstractCentreLoss):
    """SphereFace2: one yes-or-no problem for each speaker (Wen et al. 2022, arXiv:2108.01513).

    Formula:
            g(a) = 2 ((a + 1) / 2)^t − 1
            p    = s (g(cos θ_y) − m) + b          own speaker: should be large
            q_j  = s (g(cos θ_j) + m) + b          a rival: should be small
            loss = (λ / s) log(1 + exp(−p)) + ((1 − λ) / s) Σ_{j≠y} log(1 + exp(q_j))

    θ_j is the angle between the embedding and the centre of speaker j, y the own speaker, b a learnt bias shared by
    all; it starts where own speaker and rivals pull equally on unrelated embeddings. No softmax ties the speakers
    together: each centre asks "mine or not?", as verification does.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, above 0; published 32 (for speakers, Han et al. 2023).
        margin: m, on the adjusted cosine g, at least 0; published 0.2 (faces: 0.4).
        balance: λ, weight of the own speaker against all rivals, in (0, 1); published 0.7.
        exponent: t of g, at least 1; spreads the cosines of rivals, which crowd near 0; published 3.
        space: `Hypersphere`, the default, or nothing else.

    Published:
        for speakers s = 32, m = 0.2, λ = 0.7, t = 3 (Han et al. 2023); for faces m = 0.4.

    When:
        When labels are noisy, on hard trials, and where centres are spread over devices: no sum over speakers couples
        the centres.

    What goes wrong:
        The one own term stands against N − 1 rivals: with many speakers a small `balance` drives the bias down until
        everything is "not mine" and the gradient of the own term fades; raise it. Its value is of another size than a
        cross-entropy's. Computed by log(1 + exp(·)) it overflows past 88 in float32; here it is softplus.
    """

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        scale: float = 32.0,
        margin: float = 0.2,
        balance: float = 0.7,
        exponent: float = 3.0,
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(dim, speakers, margin=margin)
        self.scale = require_positive(scale, "scale")
        self.balance, self.exponent = require_positive(balance, "balance"), require_positive(exponent, "exponent")
        if self.balance >= 1.0 or self.exponent < 1.0:
            raise InputError(f"balance must be below 1 and exponent at least 1, got {balance:g} and {exponent:g}")
        self.space = require_sphere(space, self)
        nn.init.xavier_uniform_(self.centres)
        self.bias = nn.Parameter(torch.tensor(self._balanced_bias(speakers)))

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        points = self.space.project(embeddings.to(self.precision(embeddings)))
        row = self.bias.to(points.dtype).expand(len(points))
        rule = BinaryTerms(self.scale, self.margin, self.exponent)
        found = self.scan(rule, inverse_norms, 0.5 * points, speakers, row=row)
        angles = self.space.distance(points, self.space.project(found.own[:, 0]))
        adjusted = 2.0 * ((angles.cos() + 1.0) / 2.0).clamp_min(0.0) ** self.exponent - 1.0
        own = -nn.functional.logsigmoid(self.scale * (adjusted - self.margin) + row)
        per_item = (self.balance * own + (1.0 - self.balance) * found.result_of(row)) / self.scale
        parts = {"target_angle_rad": angles.detach().mean(), "bias": self.bias.detach()}
        return LossOutput(per_item.mean(), per_item, parts)

    def _balanced_bias(self, speakers: int) -> float:
        """The b at which, for cosines of 0, the own term's gradient by b is that of all rivals together."""
        odds = math.log(self.balance) - math.log1p(-self.balance) - math.log(speakers - 1)
        zero = 2.0 * 0.5**self.exponent - 1.0
        own, rival = self.scale * (zero - self.full_margin), self.scale * (zero + self.full_margin)
        low, high = -abs(own) - abs(rival) - abs(odds) - 1.0, abs(own) + abs(rival) + abs(odds) + 1.0
        for _ in range(200):  # the difference of the two sides' logarithms falls with b
            middle = (low + high) / 2.0
            left, right = -own - middle, rival + middle
            # where both sides have rounded to certainty, their arguments tell which is ahead
            if (odds + _log_sigmoid(left) - _log_sigmoid(right), left - right) > (0.0, 0.0):
                low = middle
            else:
                high = middle
        return high


def _log_sigmoid(value: float) -> float:
    return min(value, 0.0) - math.log1p(math.exp(-abs(value)))


class BinaryTerms(AbstractRule):
    """``sum log(1 + exp(s (g(2 k) + m) + row))`` of halved cosines k, with ``g(cos) = 2 ((cos + 1) / 2)^t - 1``."""

    hidden = 0.0
    logarithmic = False

    def __init__(self, scale: float, margin: float, exponent: float) -> None:
        self.scale, self.margin, self.exponent = scale, margin, exponent

    def reduce(self, k: Tensor, row: Tensor | None, own: OwnColumns, scratch: Scratch) -> Partial:
        logits, steepness = self._logits(k, row, own, scratch)
        total = sum_of_softplus(logits, scratch(2))
        torch.mul(logits.sigmoid_(), steepness, out=k)
        return Partial(torch.zeros_like(total), total, logits.sum(1))

    def slopes(self, k: Tensor, row: Tensor | None, result: Tensor, own: OwnColumns, scratch: Scratch) -> None:
        logits, steepness = self._logits(k, row, own, scratch)
        torch.mul(logits.sigmoid_(), steepness, out=k)

    def factor(self, row: Tensor | None) -> float | Tensor:
        return 2.0 * self.scale * self.exponent

    def _logits(self, k: Tensor, row: Tensor | None, own: OwnColumns, scratch: Scratch) -> tuple[Tensor, Tensor]:
        """Logits, minus infinity for the own class, and ``((cos + 1) / 2)^(t - 1)``, in the two scratch blocks."""
        assert row is not None
        half = k.add_(0.5).clamp_min_(0.0)
        steepness = power(half, self.exponent - 1.0, out=scratch(0))
        shift = row + self.scale * (self.margin - 1.0)
        logits = torch.addcmul(shift, half, steepness, value=2.0 * self.scale, out=scratch(1))
        own.fill(logits, float("-inf"))
        return logits, steepness


def sum_of_softplus(x: Tensor, scratch: Tensor) -> Tensor:
    """The row sums (B,) of ``log(1 + exp(x))`` (B, n), to a few eps and without overflow.

    ``log(1 + exp(x)) = max(x, 0) + log(1 + u)`` with ``u = exp(-|x|)`` in [0, 1], and eight of the factors ``1 + u``
    are multiplied before their logarithm is taken, which costs several times as much: ``u v + u + v`` is the u of a
    product, a sum of positive numbers.
    """
    u = torch.clamp_min(x, 0.0, out=scratch)
    total = u.sum(1)
    u = torch.copysign(x, x.new_tensor(-1.0), out=scratch).exp_()
    for _ in range(3):
        half = (u.shape[1] + 1) // 2
        u, other = u[:, :half], u[:, half:]
        paired = u[:, : other.shape[1]]
        paired.addcmul_(paired, other).add_(other)
    return total.add_(u.log1p().sum(1))

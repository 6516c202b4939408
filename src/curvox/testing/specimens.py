"""Show two pair losses that fail as they are commonly written: never train with them.

`HingeAsGiven` never comes to rest: it reports its margin when every speaker is solved, and goes on pulling.
`GaussianKLAsGiven` does not see the labels: it pulls all speakers together until nothing tells them apart. Both keep
the contract of a loss, finite values and gradients included, so that nothing but a look at what they do finds the
fault. The losses to use are `curvox.losses.ContrastiveHinge` and `curvox.losses.GaussianKL`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from curvox.errors import require_non_negative, require_positive
from curvox.geometry import Euclidean
from curvox.losses import AbstractPairLoss, LossOutput, inputs_of_pairs, require_pairs, same_speaker


def hinge_as_given_losses(x: Tensor, y: Tensor, same: Tensor, *, margin: float = 1.0) -> Tensor:
    """``max(0, m - (1 - 2 same) d)`` with d the mean absolute difference of the coordinates.

    Args:
        x: (P, D) embeddings.
        y: (P, D) embeddings.
        same: (P,) boolean.
        margin: m, at least 0.

    Returns:
        (P,): for a same-speaker pair ``m + d``, which is m at best.
    """
    x, y = inputs_of_pairs(x, y, same)
    distance = (x - y).abs().mean(-1)
    return torch.where(same, margin + distance, margin - distance).relu()


def gaussian_kl_as_given_losses(x: Tensor, y: Tensor, same: Tensor, *, sigma: float = 0.1) -> Tensor:
    """``same KL(p|q) + (1 - same) KL(q|p)`` of p = N(x, σ²I) and q = N(y, σ²I): both are ``|x - y|^2 / (2 σ^2)``.

    Args:
        x: (P, D) embeddings.
        y: (P, D) embeddings.
        same: (P,) boolean, without any effect.
        sigma: σ, above 0.

    Returns:
        (P,) divergences, the sums over D coordinates.
    """
    x, y = inputs_of_pairs(x, y, same)
    forth, back = ((a - b).square().sum(-1) / (2.0 * sigma**2) for a, b in ((x, y), (y, x)))
    return torch.where(same, forth, back)


class HingeAsGiven(AbstractPairLoss):
    """A specimen that fails: the hinge that never reaches zero, as it is commonly written.

    Formula:
            max(0, m - (1 - 2 same) d)
            value = mean over all pairs

    d is the mean absolute difference of the coordinates. A different-speaker pair pays max(0, m - d), as it should.
    A same-speaker pair pays m + d: the pull never stops, and a solved batch still reports m for it.

    Args:
        dim: D, of the embeddings.
        margin: m, at least 0.

    Published:
        none.

    When:
        never, but to see what a probe or a test says of it. Use `ContrastiveHinge`.

    What goes wrong:
        The value cannot be read: its best is m times the share of same-speaker pairs.
    """

    def __init__(self, dim: int, *, margin: float = 1.0) -> None:
        super().__init__(dim, space=Euclidean())
        self.full_margin = require_non_negative(margin, "margin")

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        same = same_speaker(speakers)
        distance = torch.cdist(embeddings, embeddings, p=1.0) / self.dim
        margin = self.full_margin * self.margin_scale
        return _over_all_pairs(torch.where(same, margin + distance, margin - distance).relu(), distance, same)


class GaussianKLAsGiven(AbstractPairLoss):
    """A specimen that fails: the Kullback-Leibler loss that does not see the labels, as it is commonly written.

    Formula:
            same KL(p|q) + (1 - same) KL(q|p) = |x - y|^2 / (2 σ^2)
            value = mean over all pairs

    p and q are N(x, σ²I) and N(y, σ²I) with one σ: the divergence is symmetric, so both labels have the same value
    and the same gradient, which pulls every pair together.

    Args:
        dim: D, of the embeddings.
        sigma: σ, above 0; as given 0.1, which multiplies gradients by 100.

    Published:
        none.

    When:
        never, but to see what a probe or a test says of it. Use `GaussianKL`.

    What goes wrong:
        The value falls to 0 while all embeddings become one, and verification is left to chance.
    """

    def __init__(self, dim: int, *, sigma: float = 0.1) -> None:
        super().__init__(dim, space=Euclidean())
        self.sigma = require_positive(sigma, "sigma")

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        same = same_speaker(speakers)
        distance = self.space.pairwise_distance(embeddings, embeddings)
        return _over_all_pairs(distance.square() / (2.0 * self.sigma**2), distance, same)


def _over_all_pairs(terms: Tensor, distance: Tensor, same: Tensor) -> LossOutput:
    """The mean over all pairs of different rows, each row with the mean over its own."""
    require_pairs(same)
    itself = torch.eye(len(terms), dtype=torch.bool, device=terms.device)
    per_item = terms.masked_fill(itself, 0.0).sum(1) / (len(terms) - 1)
    own, others = distance.detach()[same & ~itself], distance.detach()[~same]
    return LossOutput(per_item.mean(), per_item, {"same_distance": own.mean(), "different_distance": others.mean()})

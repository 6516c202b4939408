"""What losses of pairs, triplets and groups share: the space, and what they refuse.

These losses have no centres: they compare the recordings of a batch with each other, and need speakers that come
more than once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from curvox.errors import InputError, require_non_negative
from curvox.geometry import AbstractSpace, Hypersphere, require_space
from curvox.losses.contract import AbstractLoss

REPAIR = "use batches of P speakers x K recordings (data.recordings_per_speaker: 2)"


class AbstractPairLoss(AbstractLoss):
    """A loss that compares the recordings of a batch with each other; speakers are any whole numbers.

    Args:
        dim: D, of the embeddings.
        space: in which embeddings are compared; default `Hypersphere`.
    """

    whole_batch = True

    def __init__(self, dim: int, *, space: AbstractSpace | None) -> None:
        super().__init__(dim, None)
        self.space = checked_space(space)


def checked_space(space: AbstractSpace | None) -> AbstractSpace:
    """Return ``space``, or the hypersphere for None; refuse what is no space."""
    return Hypersphere() if space is None else require_space(space)


def require_margin(value: float, name: str, space: AbstractSpace) -> float:
    """Return a margin on distances, or refuse one below 0 or not below the largest distance of the space."""
    value = require_non_negative(value, name)
    largest = float(space.max_distance)
    if value >= largest:
        raise InputError(
            f"{name} is a distance and must be below the largest of the space, {largest:.4g}, got {value:g}; "
            "every pair would stay inside the margin for ever"
        )
    return value


def require_pairs(same: Tensor) -> None:
    """Refuse a batch without a same-speaker pair, or of one speaker only; ``same`` as `same_speaker` gives it."""
    require_pair_count(int(same.sum()) - len(same), len(same))


def require_pair_count(pairs: int, items: int) -> None:
    """Refuse a batch of ``items`` recordings with no ordered same-speaker ``pairs``, or with no others."""
    if pairs == 0:
        raise InputError(
            f"a batch must hold a speaker with two recordings, got {items} recordings of {items} speakers; {REPAIR}"
        )
    if pairs == items * (items - 1):
        raise InputError(f"a batch must hold at least two speakers, got {items} recordings of one; {REPAIR}")


def inputs_of_pairs(x: Tensor, y: Tensor, same: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y, or refuse pairs that are not (P, D), (P, D) and boolean (P,)."""
    for name, points in (("x", x), ("y", y)):
        if not isinstance(points, Tensor) or not points.is_floating_point() or points.ndim != 2:
            raise InputError(f"{name} must be a floating-point tensor (P, D), got {_kind(points)}")
    if x.shape != y.shape:
        raise InputError(f"x and y must have one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    if not isinstance(same, Tensor) or same.dtype != torch.bool or same.shape != x.shape[:1]:
        raise InputError(f"same must be a boolean tensor ({len(x)},), got {_kind(same)}")
    return x, y


def _kind(value: object) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__

"""Combined: a weighted sum of losses over the same embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from curvox.errors import InputError, nearest, require_positive
from curvox.losses import LOSSES
from curvox.losses.contract import AbstractLoss, LossOutput
from curvox.losses.ham_softmax import HAMSoftmax
from curvox.losses.ram_softmax import RAMSoftmax


@dataclass(frozen=True)
class WeightedLoss:
    """A part of `Combined`: ``weight`` > 0 times ``loss``."""

    weight: float
    loss: AbstractLoss


class Combined(AbstractLoss):
    """Combined: a weighted sum of losses over the same embeddings (Fang and He 2026, arXiv:2601.19709).

    Formula:
            loss = Σ_k weight_k loss_k

    Every part has its own centres and its own space. In a recipe the parts are a list of losses, each with a `weight`.

    Args:
        dim: D, of the embeddings; that of every part.
        speakers: N, at least 2; that of every part.
        parts: losses with weights above 0, at least one; default and published 0.3 RAM-Softmax + 0.7 HAM-Softmax.
        space_of: the table name of the part in whose space embeddings are compared; default the part with the
            largest weight, the first of them when several are equal.

    Published:
        0.3 RAM-Softmax + 0.7 HAM-Softmax, each with its own published settings.

    When:
        To ask whether two losses know different things.

    What goes wrong:
        The centres of all parts take memory, and of several spaces only one can be the model's: name it by `space_of`.
        Weights act on values of different size (RAM-Softmax has its floor of log N), so a weight of 0.3 is not 30 %
        of the gradient; the log shows each part under its own name.
    """

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        parts: Sequence[WeightedLoss] | None = None,
        space_of: str | None = None,
    ) -> None:
        super().__init__(dim, speakers)
        if parts is None:
            ham = HAMSoftmax(dim, speakers, centre_std=1e-3)
            parts = [WeightedLoss(0.3, RAMSoftmax(dim, speakers)), WeightedLoss(0.7, ham)]
        _check_parts(parts, dim, speakers)
        self.weights = [require_positive(part.weight, "weight") for part in parts]
        self.names = _part_names([part.loss for part in parts])
        self.losses = nn.ModuleList(part.loss for part in parts)
        self.whole_batch = any(part.loss.whole_batch for part in parts)
        # set past nn.Module, or the space's parameters would stand in the state_dict twice
        object.__setattr__(self, "space", parts[self._place_of(space_of)].loss.space)

    def _place_of(self, space_of: str | None) -> int:
        if space_of is None:
            return max(range(len(self.weights)), key=self.weights.__getitem__)
        if space_of not in self.names:
            raise InputError(f'space_of names no part "{space_of}": {nearest(space_of, self.names)}')
        return self.names.index(space_of)

    def members(self) -> list[AbstractLoss]:
        """The losses of the parts, in order."""
        return [loss for loss in self.losses if isinstance(loss, AbstractLoss)]

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        outputs = [loss.compute(embeddings, speakers) for loss in self.members()]
        value = torch.stack([w * out.value for w, out in zip(self.weights, outputs, strict=True)]).sum()
        per_item = torch.stack([w * out.per_item for w, out in zip(self.weights, outputs, strict=True)]).sum(0)
        details: dict[str, Tensor] = {}
        for name, out in zip(self.names, outputs, strict=True):
            details[name] = out.value.detach()
            details.update({f"{name}/{key}": part for key, part in out.parts.items()})
        return LossOutput(value, per_item, details)


def _check_parts(parts: Sequence[WeightedLoss], dim: int, speakers: int) -> None:
    if isinstance(parts, str) or not isinstance(parts, Sequence) or len(parts) == 0:
        raise InputError(f"parts must be a list of at least one WeightedLoss, got {parts!r}")
    for place, part in enumerate(parts):
        if not isinstance(part, WeightedLoss) or not isinstance(part.loss, AbstractLoss):
            raise InputError(f"part {place} must be a WeightedLoss(weight, loss), got {part!r}")
        if part.loss.dim != dim or part.loss.speakers not in (None, speakers):
            raise InputError(
                f"part {place} was built for {part.loss.dim} dimensions and {part.loss.speakers} speakers, "
                f"Combined for {dim} and {speakers}"
            )


def _part_names(losses: Sequence[AbstractLoss]) -> list[str]:
    """Table names, or class names for losses from elsewhere; the second of a name gets the suffix _2."""
    known = {(entry.module, entry.attribute): name for name, entry in LOSSES.entries.items()}
    names: list[str] = []
    for loss in losses:
        cls = type(loss)
        base = known.get((cls.__module__, cls.__qualname__)) or cls.__name__
        taken = sum(name == base or name.startswith(f"{base}_") for name in names)
        names.append(base if not taken else f"{base}_{taken + 1}")
    return names

"""Combined, a weighted sum of losses; and the way from a description, as it stands in a recipe, to a loss."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from curvox.errors import InputError, RecipeError, nearest, require_positive
from curvox.geometry import create_space
from curvox.losses.centres.am_softmax import RAMSoftmax
from curvox.losses.centres.ham_softmax import HAMSoftmax
from curvox.losses.contract import AbstractLoss, LossOutput
from curvox.losses.table import LOSSES


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
        self, dim: int, speakers: int, *, parts: Sequence[WeightedLoss] | None = None, space_of: str | None = None
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


Tree = Mapping[str, Sequence[int]]
"""For each level of the tree above the speakers the number of each speaker's label, -1 where it is unknown."""

_GIVEN = ("dim", "speakers", "tree")


def create_loss(
    description: str | Mapping[str, Any], *, dim: int, speakers: int, tree: Tree | None = None
) -> AbstractLoss:
    """Build a loss from its table name, or from a mapping of ``name`` and constructor arguments.

    ``space`` is described as for `curvox.geometry.create_space`; the ``parts`` of ``combined`` are a list of such
    mappings, each with a ``weight``. ``tree`` is for the losses that have ``levels``; the others do without it:

    >>> loss = create_loss({"name": "ham_softmax", "margin": 0.3, "space": {"name": "poincare_ball", "c": 0.5}},
    ...                    dim=192, speakers=10)
    >>> loss.space.describe()["c"]
    0.5

    Raises:
        UnknownNameError: no loss, space or lift of that name; the nearest names are listed.
        RecipeError: an argument that the loss does not have, or no name.
        InputError: a value outside its range.
    """
    cls, arguments = LOSSES.read(description, given=_GIVEN)
    parameters = inspect.signature(cls).parameters
    if arguments.get("space") is not None:
        arguments["space"] = create_space(arguments["space"])
    if arguments.get("parts") is not None:
        arguments["parts"] = _create_parts(arguments["parts"], dim, speakers, tree)
    if tree is not None and "tree" in parameters:
        arguments["tree"] = tree
    if "speakers" in parameters:
        return cls(dim, speakers, **arguments)
    return cls(dim, **arguments)  # a pair loss takes any speakers


def takes_tree(name: str) -> bool:
    """Whether the loss of this table name wants the tree above the speakers."""
    return "tree" in inspect.signature(LOSSES.load(name)).parameters


def _create_parts(parts: Any, dim: int, speakers: int, tree: Tree | None) -> list[WeightedLoss]:
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) and "weight" in part for part in parts):
        raise RecipeError('parts must be a list of mappings with the keys "name" and "weight"')
    built = []
    for part in parts:
        rest = {key: value for key, value in part.items() if key != "weight"}
        built.append(WeightedLoss(part["weight"], create_loss(rest, dim=dim, speakers=speakers, tree=tree)))
    return built

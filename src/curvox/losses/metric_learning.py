"""The bridge to pytorch-metric-learning, both ways: its losses and miners here, our spaces as its distance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from curvox.errors import InputError, RecipeError
from curvox.geometry import AbstractSpace
from curvox.losses.contract import AbstractLoss, LossOutput
from curvox.losses.metric_learning_names import (
    PML_DISTANCES,
    PML_LOSSES,
    PML_MINERS,
    SUPPLIED,
    Kind,
    build,
    constructor_parameters,
    load,
    missing,
)
from curvox.losses.pairs.mining import same_speaker
from curvox.losses.pairs.pairs import checked_space, require_pairs


def as_distance(space: AbstractSpace) -> Any:
    """Return ``space`` as a distance of pytorch-metric-learning, for any of its losses and miners that takes one.

    It gets raw embeddings (B, D), lifts them itself and gives distances (B, N), small when close (``is_inverted`` is
    False), float32 at least. Nothing is normalised first. What the space learns is among the parameters of the
    distance, and of the loss that holds it.

        loss = TripletMarginLoss(margin=0.2, distance=as_distance(PoincareBall()))

    Raises:
        MissingExtraError: pytorch-metric-learning is not installed.
        InputError: not a space.
    """
    return _space_distance(checked_space(space), owns_space=True)


class MetricLearning(AbstractLoss):
    """MetricLearning: a loss of pytorch-metric-learning, and its miners (Musgrave et al. 2020, arXiv:2008.09164).

    Formula:
            that of the loss named, computed by pytorch-metric-learning

    Without a space, the loss and the miner keep the distance they have in pytorch-metric-learning, which is of unit
    vectors, and embeddings are compared on the hypersphere. With a space, both use its distances.

    Each term of the loss goes to its recording, to the anchor where it has several, so that the mean over the
    recordings is the loss. A loss that comes out as one number, and the terms of ProxyAnchorLoss, which belong to
    speakers, go to all recordings alike.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2; None, for any, where the loss has no centres.
        loss: name of a class, such as "TripletMarginLoss", the default.
        loss_options: arguments of that class as plain values, in the units of pytorch-metric-learning. The margins
            of ArcFaceLoss (published 28.6), SubCenterArcFaceLoss (28.6) and TupletMarginLoss (5.73) and the angle of
            AngularLoss (40) are in DEGREES: 11.5 degrees are 0.2 radians. Other margins are cosines, or lengths of
            the distance in use. ``distance`` names one of its own distances, with a mapping if it has arguments.
        miner: name of a class, such as "TripletMarginMiner"; default none.
        miner_options: the same for the miner; the angle of AngularMiner (20) is in DEGREES.
        space: where embeddings are compared; default the hypersphere, with the distance of pytorch-metric-learning.

    Published:
        the defaults of pytorch-metric-learning are those of each paper, or of its authors' code.

    When:
        To use a loss or a miner that curvox does not have, or to repeat a result obtained there.

    What goes wrong:
        Radians given where degrees are meant: a margin of 0.2 degrees trains a plain softmax. Margins for unit
        vectors do not fit a ball with distances up to 24. Margin warm-up reaches ArcFaceLoss, SubCenterArcFaceLoss,
        CosFaceLoss and SoftTripleLoss and no other. When a miner keeps nothing the loss is 0, or takes all
        recordings: watch ``triplets`` or ``same_pairs`` in the log.
    """

    def __init__(
        self,
        dim: int,
        speakers: int | None,
        *,
        loss: str = "TripletMarginLoss",
        loss_options: Mapping[str, Any] | None = None,
        miner: str | None = None,
        miner_options: Mapping[str, Any] | None = None,
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(dim, speakers)
        cls = load("losses", loss, PML_LOSSES, "loss")
        self.kind = PML_LOSSES[loss]
        self.space = checked_space(space)
        supplied = _sizes(cls, dim, speakers)
        criterion = _construct(cls, self.kind, loss_options, supplied, space)
        self.reducer, self.criterion = criterion.get_default_reducer(), _unreduced(criterion)
        self.miner = self._create_miner(miner, miner_options, space)
        # past nn.Module and the class: which kind it is depends on the loss named
        self.whole_batch = not supplied or self.miner is not None
        self.full_margin = self._read_margin()

    def _create_miner(
        self, miner: str | None, options: Mapping[str, Any] | None, space: AbstractSpace | None
    ) -> nn.Module | None:
        if miner is None:
            if options is not None:
                raise RecipeError(f"miner_options are given but no miner: {options!r}")
            return None
        cls = load("miners", miner, PML_MINERS, "miner")
        if not self.kind.takes_miner:
            raise InputError(f"{type(self.criterion).__name__} of pytorch-metric-learning takes no miner, got {miner}")
        return _construct(cls, PML_MINERS[miner], options, {}, space)

    def _read_margin(self) -> float:
        """The additive margin that can be scheduled, in what the loss computes with: radians or cosine."""
        if self.kind.margin is None:
            return 0.0
        name, margin = type(self.criterion).__name__, float(self.criterion.margin)
        if margin < 0:
            raise InputError(f"the margin of {name} must be at least 0, got {margin:g}")
        if self.kind.margin == "degrees":
            if margin >= math.pi:
                raise InputError(f"the margin of {name} must be below 180 degrees, got {math.degrees(margin):g}")
            self.margin_scale_limit = math.pi / margin if margin > 0 else math.inf
        return margin

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        if self.whole_batch:
            require_pairs(same_speaker(speakers))
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        for parameter in self.parameters():
            dtype = torch.promote_types(dtype, parameter.dtype)
        z = embeddings.to(dtype)
        mined = None if self.miner is None else self.miner(z, speakers)
        if self.kind.margin is not None:
            self.criterion.margin = self.full_margin * self.margin_scale
        terms = self._terms(z, speakers, mined)
        shares = {name: self._share(term, z) for name, term in terms.items()}
        # a batch without a single active term still has a gradient, of zero
        per_item = torch.stack([*shares.values(), 0.0 * z.sum(1)]).sum(0)
        parts = {name: share.detach().mean() for name, share in shares.items()} if len(shares) > 1 else {}
        return LossOutput(per_item.mean(), per_item, parts | _counts(mined, z))

    def _terms(self, z: Tensor, speakers: Tensor, mined: Any) -> dict[str, dict[str, Any]]:
        """The terms as pytorch-metric-learning has them before it reduces them to a number."""
        # it would cast its own parameters in place to the type of the embeddings: hand it parameters that fit
        fitting = {name: parameter.to(z.dtype) for name, parameter in self.criterion.named_parameters()}
        if all(fitting[name] is parameter for name, parameter in self.criterion.named_parameters()):
            return self.criterion(z, speakers, mined)
        return torch.func.functional_call(self.criterion, fitting, (z, speakers, mined))

    def _share(self, term: Mapping[str, Any], z: Tensor) -> Tensor:
        """(B,) what each recording has of a term; the mean of it is the number the default reducer would give."""
        losses = term["losses"]
        if not isinstance(losses, Tensor):  # a plain zero: nothing to compare
            return z.new_zeros(len(z))
        losses = losses.flatten().to(z.dtype)
        if term["reduction_type"] == "already_reduced":
            return losses.sum().expand(len(z))
        divisor = _divisor(self.reducer, term, losses)
        if self.kind.per_class:
            return (losses.sum() / divisor).expand(len(z))
        indices = term["indices"]
        anchors = indices if isinstance(indices, Tensor) else indices[0]
        kept = losses.clamp_min(0.0) if _keeps_positive(self.reducer) else losses
        return z.new_zeros(len(z)).index_add(0, anchors, kept) * (len(z) / divisor)


def _counts(mined: Any, z: Tensor) -> dict[str, Tensor]:
    """How many triplets, or pairs, a miner kept."""
    if mined is None:
        return {}
    names = {0: "triplets"} if len(mined) == 3 else {0: "same_pairs", 2: "different_pairs"}
    return {name: z.new_tensor(float(len(mined[place]))) for place, name in names.items()}


def _divisor(reducer: Any, term: Mapping[str, Any], losses: Tensor) -> Any:
    """What the default reducer of pytorch-metric-learning divides a sum of terms by; at least one."""
    if "divisor" in term:
        return max(float(term["divisor"]), 1.0)
    if _keeps_positive(reducer):
        return (losses > 0).sum().clamp_min(1)
    return max(losses.numel(), 1)


def _keeps_positive(reducer: Any) -> bool:
    return type(reducer).__name__ == "AvgNonZeroReducer"


def _unreduced(criterion: Any) -> Any:
    from pytorch_metric_learning.reducers import DoNothingReducer

    criterion.set_reducer(DoNothingReducer())
    return criterion


def _sizes(cls: type[Any], dim: int, speakers: int | None) -> dict[str, int]:
    """The sizes a constructor asks for; empty for a loss without anything of a speaker's own."""
    parameters = constructor_parameters(cls)
    wanted = [name for name in SUPPLIED if name in parameters and parameters[name].default is parameters[name].empty]
    if wanted and speakers is None:
        raise InputError(f"{cls.__name__} has a centre for each speaker: it needs the number of speakers")
    return {name: (speakers or 0) if name == "num_classes" else dim for name in wanted}


def _construct(
    cls: type[Any],
    kind: Kind,
    options: Mapping[str, Any] | None,
    supplied: Mapping[str, Any],
    space: AbstractSpace | None,
) -> Any:
    """Build a loss or a miner with the distance of ``space``, or the one its options name, or its own."""
    if options is not None and not isinstance(options, Mapping):
        raise RecipeError(f"the options of {cls.__name__} are a mapping of its arguments, got {options!r}")
    plain = {key: value for key, value in (options or {}).items() if key != "distance"}
    arguments = dict(supplied)
    described = (options or {}).get("distance")
    if described is not None:
        arguments["distance"] = _named_distance(described)
    elif space is not None and kind.any_space:
        arguments["distance"] = _space_distance(space, owns_space=False)
    elif space is not None and not space.angular:
        raise InputError(f"{cls.__name__} works on unit vectors only: its space is the Hypersphere, got {space!r}")
    return build(cls, plain, arguments)


def _named_distance(described: Any) -> Any:
    if isinstance(described, str):
        described = {"name": described}
    if not isinstance(described, Mapping) or not isinstance(described.get("name"), str):
        raise RecipeError(f'distance is a name or a mapping with the key "name", got {described!r}')
    cls = load("distances", described["name"], PML_DISTANCES, "distance")
    return build(cls, {key: value for key, value in described.items() if key != "name"}, {})


def _space_distance(space: AbstractSpace, *, owns_space: bool) -> nn.Module:
    try:
        from curvox.losses.metric_learning_distance import SpaceDistance
    except ImportError as error:
        raise missing(error) from error
    return SpaceDistance(space, owns_space=owns_space)

"""LevelPrototypes: embeddings classified among the nodes of the tree above the speakers, by distance to prototypes."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import SupportsIndex

import numpy as np
import torch
from torch import Tensor, nn

from curvox.errors import InputError, nearest, require_non_negative, require_positive
from curvox.geometry import AbstractSpace, PoincareBall, Published, distances_of_raw
from curvox.losses.centres.centres import cross_entropy
from curvox.losses.contract import AbstractLoss, LossOutput

UNKNOWN = -1

Numbers = Sequence[SupportsIndex] | np.ndarray


class LevelPrototypes(AbstractLoss):
    """LevelPrototypes: which node of each level, by distance to its prototype (Sainte Fare Garnot and Landrieu 2021).

    Formula:
            t_l   = −s (d(x, p_y) + m),  y the node of the embedding's speaker at level l
            r_l,k = −s d(x, p_k)
            loss  = Σ_l weight_l ( log( exp(t_l) + Σ_{k≠y} exp(r_l,k) ) − t_l )

    x is the point of the embedding, p_k a learnt prototype of node k, d the distance of the space. A node is a whole
    path: with the levels language and gender, "en, female" and "zh, female" are two nodes of the second level, and all
    nodes of a level are rivals, those of other parents too. Where the label of a speaker, or one above it, is unknown
    the level adds nothing to the loss of its recordings.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        levels: the levels of the tree to use, from the root down, such as [language, gender]; default all of `tree`.
        tree: for each level the number of each speaker's label, N whole numbers of Python or NumPy, −1 where it is
            unknown; training fills it in from the manifest. Default one level, "speaker", whose nodes are the speakers.
        level_weights: one above 0 for each level; default 1 each.
        scale: s, per unit of distance, above 0; published 1.
        margin: m, in units of the distance, at least 0; published 0.
        prototype_std: standard deviation of the raw prototypes' coordinates at the start, above 0.
        space: any; default the ball of `ham_softmax`, ``PoincareBall(lift=Published(curvature=3.0))``. On the ball
            prototypes are raw vectors that enter it through the lift of the embeddings.

    Published:
        s = 1, no margin, one level of leaves, in Euclidean space, beside a term that makes the prototypes' distances
        those of the tree; Snell et al. 2017 has squared distances to the means of a batch.

    When:
        As a part of `combined` beside a loss of speakers, with a small weight such as 0.1, when embeddings are also to
        be grouped by what speakers have in common. Alone it knows no speakers.

    What goes wrong:
        With too large a weight, or too small a scale, which pulls at recordings long after they are on the right side,
        speakers of one node fall together and the error rate rises: watch the EER beside the tree measures. Nodes of
        few speakers are learnt by heart; a level with a node for nearly every speaker says nothing. What correlates
        with a node, such as the channel of the only corpus of a language, is learnt with it. In `combined` give it the
        space of the loss of speakers, or it shapes distances nobody compares by.
    """

    nodes: Tensor

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        levels: Sequence[str] | None = None,
        tree: Mapping[str, Numbers] | None = None,
        level_weights: Sequence[float] | None = None,
        scale: float = 20.0,
        margin: float = 0.0,
        prototype_std: float = 0.01,
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(dim, speakers)
        labels = _labels(levels, tree, speakers)
        self.levels = tuple(labels)
        self.level_weights = _level_weights(level_weights, self.levels)
        self.scale = require_positive(scale, "scale")
        self.full_margin = require_non_negative(margin, "margin")
        self.space = PoincareBall(lift=Published(curvature=3.0)) if space is None else space
        nodes, self.paths = _nodes(labels)
        # Who hangs where is given with the loss, as the names of the speakers are; the state_dict has what is learnt.
        self.register_buffer("nodes", nodes, persistent=False)
        self.prototypes = nn.Parameter(torch.empty(sum(map(len, self.paths)), dim))
        nn.init.normal_(self.prototypes, std=require_positive(prototype_std, "prototype_std"))

    @property
    def margin(self) -> float:
        """The margin in force: the full one times the margin scale."""
        return self.full_margin * self.margin_scale

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        dtype = torch.promote_types(torch.promote_types(embeddings.dtype, self.prototypes.dtype), torch.float32)
        raw, prototypes = embeddings.to(dtype), self.prototypes.to(dtype)
        nodes, first = self.nodes[speakers], 0
        known = nodes >= 0
        terms: list[Tensor] = []
        parts: dict[str, Tensor] = {}
        for place, level in enumerate(self.levels):
            of_level = prototypes[first : first + len(self.paths[place])]
            first += len(of_level)
            is_known, node = known[:, place], nodes[:, place].clamp_min(0)
            own, others = self._distances(raw, of_level, node)
            term = cross_entropy(-self.scale * (own + self.margin), (-self.scale * others).logsumexp(1))
            terms.append(torch.where(is_known, term, 0.0))
            share = 1.0 / is_known.sum().clamp_min(1)
            right = (own.detach() < others.detach().amin(1)) & is_known
            parts |= {level: terms[-1].detach().sum() * share, f"{level}_accuracy": right.sum() * share}
        per_item = torch.stack([w * term for w, term in zip(self.level_weights, terms, strict=True)]).sum(0)
        return LossOutput(per_item.mean(), per_item, parts)

    def _distances(self, raw: Tensor, prototypes: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
        """(B,) distances to the own prototype, by direct difference, and (B, K) to all, infinite to the own."""
        own, every = distances_of_raw(raw, prototypes, node, self.space)
        return own, every.scatter(1, node[:, None], float("inf"))


def _labels(
    levels: Sequence[str] | None, tree: Mapping[str, Numbers] | None, speakers: int
) -> dict[str, Sequence[int]]:
    """The labels of the chosen levels, checked."""
    if levels is not None and not (_is_list(levels) and levels and all(isinstance(level, str) for level in levels)):
        raise InputError(f"levels must be a list of names such as [language, gender], got {levels!r}")
    if tree is None:
        if levels is not None:
            raise InputError(
                f"the levels {', '.join(levels)} need the tree of the speakers: pass tree={{level: a number for each "
                "speaker}, as training does from the manifest"
            )
        return {"speaker": range(speakers)}
    names = list(tree if levels is None else levels)
    if not names or len(set(names)) < len(names):
        raise InputError(f"levels must be at least one, each named once, got {names}")
    found: dict[str, Sequence[int]] = {}
    for name in names:
        if name not in tree:
            raise InputError(f'the tree has no level "{name}": {nearest(name, tree)}')
        numbers = _whole_numbers(tree[name])
        if numbers is None or len(numbers) != speakers or min(numbers) < UNKNOWN:
            raise InputError(
                f'tree["{name}"] must hold a whole number for each of the {speakers} speakers, at least 0 or -1 for '
                f"unknown, got {len(tree[name])}, such as {', '.join(sorted({*map(repr, tree[name])})[:3])}"
            )
        found[name] = numbers
    return found


def _whole_numbers(labels: Numbers) -> list[int] | None:
    """The labels as integers of Python; None where one is no whole number. A truth value is none either."""
    if any(isinstance(label, bool) for label in labels):
        return None
    try:
        return [operator.index(label) for label in labels]
    except TypeError:
        return None


def _nodes(labels: Mapping[str, Sequence[int]]) -> tuple[Tensor, tuple[tuple[tuple[int, ...], ...], ...]]:
    """The node (N, L) of each speaker at each level, -1 where unknown, and for each level the paths that are nodes."""
    columns, paths = [], []
    for depth, level in enumerate(labels, start=1):
        path_of = list(zip(*list(labels.values())[:depth], strict=True))
        known = sorted({path for path in path_of if UNKNOWN not in path})
        if len(known) < 2:
            raise InputError(
                f'the level "{level}" has {len(known)} node{"" if len(known) == 1 else "s"} with known speakers, a '
                "choice needs at least 2; leave the level out"
            )
        number = {path: place for place, path in enumerate(known)}
        columns.append([number.get(path, UNKNOWN) for path in path_of])
        paths.append(tuple(known))
    return torch.tensor(columns, dtype=torch.int64).T.contiguous(), tuple(paths)


def _level_weights(weights: Sequence[float] | None, levels: Sequence[str]) -> tuple[float, ...]:
    if weights is None:
        return (1.0,) * len(levels)
    if not _is_list(weights) or len(weights) != len(levels):
        raise InputError(f"level_weights must be {len(levels)} numbers above 0, one for each level, got {weights!r}")
    return tuple(require_positive(weight, "level_weights") for weight in weights)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)

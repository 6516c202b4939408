"""What every measure of a tree starts from: the points, where they hang, whose they are, and the sampled pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.hierarchy.distances import checked_points, pair_distances, sample_pairs
from curvox.hierarchy.paths import TreePaths
from curvox.hierarchy.resampling import IntervalLike
from curvox.metrics import Interval, resample_speakers, speaker_draws

_MOST_GROUPS = 200
# A measure that most draws do not have is given up after so many draws for each value.
_MOST_REDRAWS = 20
ABOVE, SPEAKER, BELOW, ACROSS = "above", "speaker", "below", "across"


@dataclass(frozen=True, eq=False)
class Setting:
    """A tree in a space, ready to be measured.

    Attributes:
        space: where the points lie.
        points: (n, D).
        paths: where each hangs.
        speakers: (n,) numbered from 0.
        count: S, how many speakers.
        i: (P,) the one item of each sampled pair.
        j: (P,) the other.
        distances: (P,) of the pairs in the space.
        resamples: of the bootstrap.
        seed: of everything that is drawn.
    """

    space: AbstractSpace
    points: NDArray[np.float64]
    paths: TreePaths
    speakers: NDArray[np.int64]
    count: int
    i: NDArray[np.int64]
    j: NDArray[np.int64]
    distances: NDArray[np.float64]
    resamples: int
    seed: int

    @staticmethod
    def of(
        space: AbstractSpace,
        points: NDArray[np.float64],
        paths: TreePaths,
        speakers: NDArray[np.int64],
        *,
        pairs: int,
        resamples: int,
        seed: int,
    ) -> Setting:
        """Check what is given and draw the pairs: all of them where they are no more than ``pairs``.

        Raises:
            InputError: arrays that do not fit, fewer than 4 items or 2 speakers, or numbers out of range.
        """
        x, owners = checked_points(points, len(paths)), np.asarray(speakers)
        if owners.shape != (len(x),) or owners.dtype.kind not in "iu":
            raise InputError(f"speakers must be ({len(x)},) whole numbers, got {owners.dtype} {owners.shape}")
        if pairs < 1 or resamples < 0:
            raise InputError(f"expected at least 1 pair and 0 resamples, got {pairs} and {resamples}")
        names, owners = np.unique(owners, return_inverse=True)
        if len(x) < 4 or len(names) < 2:
            raise InputError(f"a tree is measured on at least 4 items of 2 speakers, got {len(x)} of {len(names)}")
        i, j = sample_pairs(len(x), pairs, np.random.default_rng(seed))
        distances = pair_distances(space, x, i, j)
        return Setting(space, x, paths, owners, len(names), i, j, distances, resamples, seed)

    def speakers_of(self, items: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the speakers (K,) of some items (n,)."""
        return np.unique(self.speakers[items])

    def draws(self, among: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
        """Yield the multiplicities (S,) of every draw of some speakers (K,); those of others are 0."""
        for drawn in islice(speaker_draws(len(among), seed=self.seed), self.resamples):
            yield self._spread(among, drawn)

    def interval(
        self,
        like: IntervalLike,
        value: float,
        measure: Callable[[NDArray[np.float64]], float],
        among: NDArray[np.int64],
        *,
        behind: int | None = None,
    ) -> Interval | None:
        """Return the interval of a value by bootstrap over the speakers behind it.

        Args:
            like: `rate_like`, `correlation_like` or `ratio_like`.
            value: the estimate.
            measure: from multiplicities (S,) to the value of a draw.
            among: (K,) the speakers whose items have a part in the value. Others are not drawn: they would not change
                it, and their number would make it seem better known than it is.
            behind: how many of them the value is a mean over, where some have a lesser part; K if None.
        """

        def of_draw(drawn: NDArray[np.int64]) -> float | None:
            found = measure(self._spread(among, drawn))
            return found if np.isfinite(found) else None

        values, _ = resample_speakers(
            of_draw,
            speakers=len(among),
            resamples=self.resamples,
            seed=self.seed,
            most_draws=_MOST_REDRAWS * self.resamples,
        )
        return like(value, np.array(values), len(among) if behind is None else behind)

    def left_out(self, among: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return weights (G, S) for a jackknife: each row leaves out one of some speakers (K,), or one of 200 groups of
        them where they are more. No rows where there are to be no intervals.
        """
        groups = min(len(among), _MOST_GROUPS) if self.resamples else 0
        group = np.full(self.count, -1)
        group[among] = np.random.default_rng(self.seed).permutation(len(among)) % max(groups, 1)
        return (group[None, :] != np.arange(groups)[:, None]).astype(np.float64)

    def _spread(self, among: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        weights = np.zeros(self.count)
        weights[among] = drawn
        return weights

    def standing(self, level: str) -> str:
        """Return how a level lies to the speakers, by its items that are known for certain.

        "above" where every speaker has one node and some share one; "speaker" where nodes are the speakers and no level
        above them is; "below" where every node is of one speaker; "across" where neither holds.
        """
        usable = self.paths.usable(level)
        column, owners = self.paths.nodes[usable, self.paths.place(level)], self.speakers[usable]
        pairs = len(np.unique(np.stack([column, owners], axis=1), axis=0))
        one_node, one_speaker = pairs == len(np.unique(owners)), pairs == len(np.unique(column))
        if one_node and one_speaker:
            earlier = (self.standing(name) for name in self.paths.levels[: self.paths.place(level)])
            return BELOW if SPEAKER in earlier else SPEAKER
        return ABOVE if one_node else BELOW if one_speaker else ACROSS

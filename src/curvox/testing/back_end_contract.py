"""The contract of a back end as a list of named checks, to be run on any back end, ours or yours.

A check takes a factory ``() -> back end`` and the space in which it is to score, fits as many back ends as it needs to
a cohort of 12 speakers with 4 recordings each, and raises AssertionError with a sentence when the contract is broken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curvox.geometry import AbstractSpace, Euclidean, Hypersphere, PoincareBall
from curvox.scoring import AbstractBackEnd, AbstractFittedBackEnd
from curvox.testing.contract import listing, refuses, require

BackEndFactory = Callable[[], AbstractBackEnd]
Check = Callable[[BackEndFactory, AbstractSpace], None]

SPACES: tuple[AbstractSpace, ...] = (Euclidean(), Hypersphere(), PoincareBall(c=1.0), PoincareBall(c=0.1))
"""The spaces that a back end is checked in unless others are named."""

DIM, SPEAKERS, RECORDINGS = 4, 12, 4
TRIALS = np.arange(7), np.arange(7, 14)

CHECKS: dict[str, Check] = {}
_listed = listing(CHECKS)


def check_back_end(factory: BackEndFactory, *, spaces: Iterable[AbstractSpace] = SPACES) -> None:
    """Run every check on the back ends of ``factory``, in each of the spaces that they are for."""
    for space in spaces:
        for check in CHECKS.values():
            check(factory, space)


def draw_points(space: AbstractSpace, *, count: int = 20, seed: int = 0) -> Tensor:
    """Draw points (count, D) of the space in float64."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return space.project(0.3 * torch.randn(count, DIM, generator=generator, dtype=torch.float64) + 0.1)


def draw_cohort(space: AbstractSpace) -> tuple[Tensor, NDArray[np.str_]]:
    """Draw the points of the cohort's recordings, and the speaker of each."""
    generator = torch.Generator().manual_seed(1)
    middles = 0.3 * torch.randn(SPEAKERS, 1, DIM, generator=generator, dtype=torch.float64)
    raw = middles + 0.1 * torch.randn(SPEAKERS, RECORDINGS, DIM, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        return space.project(raw.flatten(0, 1)), np.repeat([f"s{i}" for i in range(SPEAKERS)], RECORDINGS)


def fit(factory: BackEndFactory, space: AbstractSpace) -> AbstractFittedBackEnd:
    """Fit a back end, to the cohort where it needs one."""
    back_end = factory()
    return back_end.fit(space, *draw_cohort(space)) if back_end.needs_cohort else back_end.fit(space)


@_listed
def check_scores(factory: BackEndFactory, space: AbstractSpace) -> None:
    """There is one finite float64 score a trial, the same for its two points either way round."""
    fitted, points = fit(factory, space), draw_points(space)
    before = points.clone()
    scores = fitted.scores(points, *TRIALS)
    require(scores.dtype == np.float64 and scores.shape == (7,), f"got {scores.dtype} {scores.shape} for 7 trials")
    require(bool(np.isfinite(scores).all()), f"a score is not finite: {scores}")
    turned = fitted.scores(points, *TRIALS[::-1])
    require(np.allclose(turned, scores, rtol=0, atol=1e-9), "a score depends on which point is the enrolment")
    require(torch.equal(before, points), "the points given were changed")
    require(np.array_equal(fitted.scores(points.numpy(), *TRIALS), scores), "points as an array score differently")


@_listed
def check_trials_apart(factory: BackEndFactory, space: AbstractSpace) -> None:
    """The score of a trial depends on its two points alone, neither on other trials nor on other points."""
    fitted, points = fit(factory, space), draw_points(space)
    scores = fitted.scores(points, *TRIALS)
    some = fitted.scores(points, [6, 2], [13, 9])
    require(np.allclose(some, scores[[6, 2]], rtol=0, atol=1e-9), "a score depends on the other trials")
    alone = fitted.scores(points[6:14], [0], [7])
    require(np.allclose(alone, scores[[6]], rtol=0, atol=1e-9), "a score depends on points of no trial")


@_listed
def check_direction(factory: BackEndFactory, space: AbstractSpace) -> None:
    """Trials of one speaker score higher in the mean than trials of two."""
    points, speakers = draw_cohort(space)
    first, second = np.triu_indices(len(points), 1)
    scores, same = fit(factory, space).scores(points, first, second), speakers[first] == speakers[second]
    require(scores[same].mean() > scores[~same].mean(), "trials of one speaker score lower than trials of two")


@_listed
def check_restoring(factory: BackEndFactory, space: AbstractSpace) -> None:
    """Description and state, through JSON and arrays, make the same fitted back end."""
    fitted, points = fit(factory, space), draw_points(space)
    description = json.loads(json.dumps(fitted.describe()))
    restored = factory().restore(space, description, fitted.state())
    same = np.array_equal(restored.scores(points, *TRIALS), fitted.scores(points, *TRIALS))
    require(same, "the restored back end scores differently")
    require(restored.describe() == fitted.describe(), f"expected {fitted.describe()}, got {restored.describe()}")


@_listed
def check_strange_state(factory: BackEndFactory, space: AbstractSpace) -> None:
    """A state of other arrays than its own is refused."""
    fitted = fit(factory, space)
    strange = {**fitted.state(), "an array of nobody": np.zeros(3)}
    refuses("a state with a strange array", factory().restore, space, fitted.describe(), strange)


@_listed
def check_description(factory: BackEndFactory, space: AbstractSpace) -> None:
    """The description is a name and the arguments of the constructor, as JSON has them."""
    back_end = factory()
    description = json.loads(json.dumps(back_end.describe()))
    require(isinstance(description.pop("name", None), str), 'the description lacks its "name"')
    require(type(back_end)(**description).describe() == back_end.describe(), "the description makes another back end")


@_listed
def check_cohort(factory: BackEndFactory, space: AbstractSpace) -> None:
    """A cohort that is missing, too small, without its speakers, or not needed is refused."""
    back_end, (points, speakers) = factory(), draw_cohort(space)
    if not back_end.needs_cohort:
        refuses("a cohort that is not needed", back_end.fit, space, points, speakers)
        return
    refuses("a missing cohort", back_end.fit, space)
    refuses("a cohort of one speaker", back_end.fit, space, points[:RECORDINGS], speakers[:RECORDINGS])
    refuses("a cohort with too few speaker labels", back_end.fit, space, points, speakers[:5])


@_listed
def check_bad_trials(factory: BackEndFactory, space: AbstractSpace) -> None:
    """Rows that are not there, indices of unequal length, and points that are not finite are refused."""
    fitted, points = fit(factory, space), draw_points(space)
    broken = points.clone()
    broken[3, 1] = float("nan")
    refuses("a row beyond the last point", fitted.scores, points, [0], [len(points)])
    refuses("indices of unequal length", fitted.scores, points, [0, 1], [2])
    refuses("a point that is not finite", fitted.scores, broken, *TRIALS)

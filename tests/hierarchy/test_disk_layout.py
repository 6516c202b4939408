"""Pictures of spaces in the disk."""

import math

import numpy as np
import pytest
import torch

from curvox.geometry import Clip, Euclidean, Hypersphere, PoincareBall
from curvox.hierarchy import disk_layout, spread_over_speakers


def poincare(x: np.ndarray, y: np.ndarray) -> float:
    """Distance in the unit ball, by another formula: twice the artanh of the Möbius difference."""
    difference = np.linalg.norm(x - y) / math.sqrt(1 - 2 * x @ y + (x @ x) * (y @ y))
    return 2 * math.atanh(difference)


def test_layout__of_points_of_the_disk_keeps_their_distances() -> None:
    rng = np.random.default_rng(0)
    angles, radii = rng.uniform(0, 2 * np.pi, 20), rng.uniform(0, 0.8, 20)
    points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    layout = disk_layout(PoincareBall(), points)
    laid = layout.points.numpy()
    assert layout.stress < 0.02
    for i, j in [(0, 1), (2, 15), (7, 8), (19, 4)]:
        assert poincare(laid[i], laid[j]) == pytest.approx(poincare(points[i], points[j]), abs=0.1)


def test_layout__takes_distances_in_units_of_the_curvature_radius() -> None:
    """The same figure in a ball of another curvature is the same picture."""
    rng = np.random.default_rng(1)
    points = 0.4 * rng.uniform(-1, 1, (12, 3))
    one = disk_layout(PoincareBall(c=1.0, lift=Clip()), points)
    four = disk_layout(PoincareBall(c=4.0, lift=Clip()), points / 2)
    torch.testing.assert_close(one.points, four.points, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("space", [Euclidean(), Hypersphere()])
def test_layout__of_other_spaces_lies_in_the_disk_and_follows_the_seed(space) -> None:
    x = torch.randn(15, 6, generator=torch.Generator().manual_seed(0))
    points = space.project(x).numpy()
    first, second = disk_layout(space, points, seed=3), disk_layout(space, points, seed=3)
    assert (first.points.norm(dim=1) < 1).all()
    assert 0 <= first.stress < 1
    torch.testing.assert_close(first.points, second.points, rtol=0, atol=0)


def test_spread__takes_speakers_in_turn() -> None:
    speakers = ["a"] * 10 + ["b"] * 2 + ["c"] * 5
    chosen = spread_over_speakers(speakers, at_most=8)
    counts = {s: sum(speakers[i] == s for i in chosen) for s in "abc"}
    assert counts == {"a": 3, "b": 2, "c": 3}
    assert len(set(chosen.tolist())) == 8
    assert list(spread_over_speakers(["a", "b"], at_most=8)) == [0, 1]


def test_spread__with_a_seed_takes_any_utterance_of_any_speaker() -> None:
    """Counts stay those of the order given; which ones they are is drawn, and every one may be."""
    speakers = ["a"] * 10 + ["b"] * 2 + ["c"] * 5
    drawn = [spread_over_speakers(speakers, at_most=8, seed=seed) for seed in range(60)]
    for chosen in drawn:
        assert [sum(speakers[i] == s for i in chosen) for s in "abc"] == [3, 2, 3]
        assert np.all(np.diff(chosen) > 0)
    assert {int(i) for chosen in drawn for i in chosen} == set(range(17))
    np.testing.assert_array_equal(spread_over_speakers(speakers, at_most=8, seed=7), drawn[7])


def test_spread__with_a_seed_draws_speakers_where_not_all_fit() -> None:
    speakers = [name for name in "abcdefgh" for _ in range(3)]
    drawn = [spread_over_speakers(speakers, at_most=4, seed=seed) for seed in range(40)]
    assert {len({speakers[i] for i in chosen}) for chosen in drawn} == {4}
    assert {speakers[i] for chosen in drawn for i in chosen} == set("abcdefgh")

"""Distortion of a tree metric."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from curvox.errors import InputError
from curvox.hierarchy.hyperbolicity import distortion


def drawn(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.2, 3, n), 2.0 * rng.integers(0, 5, n), rng.integers(0, 4, n).astype(float)


@pytest.mark.parametrize("seed", range(4))
def test_average__is_the_least_over_all_scales(seed: int) -> None:
    d, t, w = drawn(seed)
    kept = (t > 0) & (w > 0)

    def cost(scale: float) -> float:
        return sum(w[k] * abs(scale * d[k] - t[k]) / t[k] for k in np.flatnonzero(kept)) / w[kept].sum()

    best = min(cost(scale) for scale in t[kept] / d[kept])
    found = distortion(d, t, weights=w)
    assert found.average == pytest.approx(best)
    assert found.average == pytest.approx(cost(found.scale))
    assert found.average <= minimize_scalar(cost, bounds=(0, 50), method="bounded").fun + 1e-9
    ratios = d[kept] / t[kept]
    assert found.worst == pytest.approx(max(ratios) / min(ratios))
    assert found.pairs == kept.sum()


@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_distortion__does_not_know_the_unit(seed: int, scale: float) -> None:
    d, t, _ = drawn(seed)
    one, other = distortion(d, t), distortion(scale * d, t)
    assert other.average == pytest.approx(one.average)
    assert other.worst == pytest.approx(one.worst)
    assert other.scale == pytest.approx(one.scale / scale)
    assert 0 <= one.average <= 1
    assert one.worst >= 1


def test_distortion__of_the_tree_itself_is_none() -> None:
    found = distortion([1.0, 2, 3, 0], [2, 4, 6, 0])
    assert (found.average, found.worst, found.scale, found.pairs) == (0, 1, 2, 3)


def test_weights__count_pairs_as_often() -> None:
    d, t, w = drawn(9)
    times = w.astype(int)
    assert distortion(d, t, weights=w).average == pytest.approx(
        distortion(np.repeat(d, times), np.repeat(t, times)).average
    )


def test_distortion__of_points_that_coincide() -> None:
    found = distortion([0.0, 1, 1], [2, 2, 2])
    assert (found.worst, found.average) == (math.inf, pytest.approx(1 / 3))
    assert distortion([0.0, 0], [2, 4]).average == 1


@pytest.mark.parametrize(
    ("d", "t", "message"),
    [([1.0], [0], "no pair"), ([1.0, 2], [2], "as many"), ([-1.0], [2], "at least 0"), ([np.nan], [2], "finite")],
)
def test_distortion__refuses(d, t, message) -> None:
    with pytest.raises(InputError, match=message):
        distortion(d, t)

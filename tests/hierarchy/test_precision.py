"""Mean average precision of labels in a space."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.hierarchy.paths import planted_paths, planted_points
from curvox.hierarchy.precision import average_precisions, chance_of_random_order

N = 30


def cloud(*, ties: bool) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 2))
    weights = rng.integers(0, 4, size=N).astype(float)
    return {
        "points": np.round(x) if ties else x,
        "labels": rng.integers(4, size=N),
        "apart": rng.integers(12, size=N),
        "known": rng.random(N) < 0.8,
        "weights": weights,
    }


def oracle(c: dict[str, Any], weights: np.ndarray, queries) -> np.ndarray:
    """scikit-learn's average precision of each query."""
    found = []
    for i in queries:
        others = [j for j in range(N) if c["apart"][j] != c["apart"][i] and c["known"][j] and weights[j] > 0]
        scores = [-round(float(np.linalg.norm(c["points"][i] - c["points"][j])), 9) for j in others]
        relevant = [c["labels"][j] == c["labels"][i] for j in others]
        if any(relevant):
            found.append(average_precision_score(relevant, scores, sample_weight=[weights[j] for j in others]))
    return np.array(found)


def mean_precision(points: np.ndarray, labels: np.ndarray, space: Any = None, **options: Any) -> float:
    """Over the queries that find something, each as often as its weight says."""
    found = average_precisions(space or Euclidean(), points, labels, **options)
    w = options.get("weights", np.ones(len(labels)))[found.queries]
    return float(w @ found.values / w.sum()) if len(w) and w.any() else math.nan


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision__is_scikit_learns(ties: bool) -> None:
    c = cloud(ties=ties)
    asking = [i for i in range(N) if c["known"][i] and c["weights"][i] > 0]
    found = average_precisions(Euclidean(), **c)
    np.testing.assert_allclose(found.values, oracle(c, c["weights"], asking), atol=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_pull__is_the_derivative_by_the_weights(ties: bool) -> None:
    c = cloud(ties=ties)
    found, step = average_precisions(Euclidean(), **c), 1e-5
    for k in np.flatnonzero(c["weights"])[::4]:
        more, less = (oracle(c, c["weights"] + sign * step * (np.arange(N) == k), found.queries) for sign in (1, -1))
        assert found.pull[k] == pytest.approx((more.mean() - less.mean()) / (2 * step), abs=1e-8)


def test_pull__holds_items_of_the_own_group_fixed() -> None:
    c = cloud(ties=False)
    of_all = average_precisions(Euclidean(), c["points"], c["labels"])
    of_none = average_precisions(Euclidean(), c["points"], c["labels"], fixed=np.zeros(N))
    assert np.abs(of_all.pull).max() > 1e-4
    np.testing.assert_array_equal(of_none.pull, 0)
    np.testing.assert_array_equal(of_none.values, of_all.values)


@pytest.mark.parametrize("space", [Euclidean(), Hypersphere(), PoincareBall(c=2.0)])
def test_precision__is_one_for_a_planted_tree_and_chance_for_a_shuffled_one(space) -> None:
    paths = planted_paths((3, 4), 5)
    points = planted_points(paths, space, dim=16, spread_ratio=0.3, seed=0)
    mixed = np.random.default_rng(1).permutation(points)
    for level in paths.nodes.T:
        assert mean_precision(points, level, space) == pytest.approx(1)
        found = average_precisions(space, mixed, level)
        assert found.values.mean() == pytest.approx(found.chance.mean(), abs=0.08)


def test_precision__leaves_out_the_querys_own_group() -> None:
    """Speakers are two tight pairs; of other speakers only the far one has the label."""
    x = np.array([[0.0], [0.1], [1.0], [1.1], [5.0], [5.1]])
    speakers, labels = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 0, 0])
    assert mean_precision(x, labels) > 0.7
    found = average_precisions(Euclidean(), x, labels, apart=speakers)
    np.testing.assert_array_equal(found.queries, [0, 1, 4, 5])
    np.testing.assert_allclose(found.values, (1 / 3 + 2 / 4) / 2)


def test_precision__of_points_that_coincide_is_the_share_of_the_label() -> None:
    labels = np.array([0] * 4 + [1] * 8)
    found = average_precisions(Euclidean(), np.zeros((12, 2)), labels)
    np.testing.assert_allclose(found.values, np.where(labels == 0, 3 / 11, 7 / 11))


def test_precision__without_anything_to_find_is_nan() -> None:
    assert math.isnan(mean_precision(np.eye(4), np.arange(4)))


def test_queries__are_a_part_of_all() -> None:
    c = cloud(ties=False)
    whole = average_precisions(Euclidean(), c["points"], c["labels"])
    part = average_precisions(Euclidean(), c["points"], c["labels"], queries=[3, 17])
    np.testing.assert_allclose(part.values, whole.values[np.isin(whole.queries, [3, 17])])


@pytest.mark.parametrize(("relevant", "ranked"), [(1, 1), (1, 5), (2, 5), (4, 6), (6, 6)])
def test_chance__is_the_mean_over_all_orders(relevant: int, ranked: int) -> None:
    values = []
    for places in itertools.combinations(range(1, ranked + 1), relevant):
        values.append(np.mean([(k + 1) / place for k, place in enumerate(places)]))
    assert chance_of_random_order(relevant, ranked) == pytest.approx(np.mean(values))


def test_precision__refuses_arrays_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="labels must be"):
        average_precisions(Euclidean(), np.eye(4), np.arange(3))
    with pytest.raises(InputError, match="4 weights"):
        average_precisions(Euclidean(), np.eye(4), np.arange(4), weights=-np.ones(4))
    with pytest.raises(InputError, match="the one of item 2 is not"):
        average_precisions(Euclidean(), np.array([[0.0], [1], [np.inf]]), np.arange(3))


def test_pull__foretells_what_drawn_speakers_give() -> None:
    """The estimate plus the sum of (n_s - 1) times its derivative, against the mean average precision of each draw."""
    paths = planted_paths((3, 10), 3)
    points = planted_points(paths, Euclidean(), dim=4, spread_ratio=0.9, seed=0)
    labels, speakers = paths.nodes.T
    found = average_precisions(Euclidean(), points, labels, apart=speakers, fixed=speakers)
    value = found.values.mean()
    influence = np.bincount(speakers, found.pull)
    influence += np.bincount(speakers[found.queries], found.values - value, minlength=30) / len(found.values)
    draws = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30), size=60).astype(float)
    exact = np.array([mean_precision(points, labels, apart=speakers, weights=n[speakers]) for n in draws])
    foretold = value + (draws - 1) @ influence
    assert np.corrcoef(exact, foretold)[0, 1] > 0.85
    assert foretold.std() == pytest.approx(exact.std(), rel=0.25)

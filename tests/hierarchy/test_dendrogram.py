"""Purity and cophenetic distances against loops over all pairs, and SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cophenet
from scipy.spatial.distance import pdist

from curvox.errors import InputError
from curvox.geometry import Euclidean
from curvox.hierarchy.dendrogram import lowest_common_merges, purities, purity_of_chance
from curvox.hierarchy.linkage import Dendrogram, average_linkage
from curvox.hierarchy.measures.pairs import dendrogram_measures
from curvox.hierarchy.measures.setting import Setting
from curvox.hierarchy.paths import TreePaths, planted_paths
from curvox.hierarchy.points import sample_pairs


def purity(tree: Dendrogram, labels: NDArray, *, known: NDArray | None = None, weights: NDArray | None = None) -> float:
    """Of one row of weights."""
    return float(purities(tree, labels, known=known, weights=None if weights is None else weights[None])[0])


def setting_of(points: NDArray, paths: TreePaths, *, resamples: int = 0) -> Setting:
    """All pairs of points, each of which is a speaker."""
    speakers = np.arange(len(points))
    return Setting.of(Euclidean(), points, paths, speakers, pairs=10**6, resamples=resamples, seed=0)


def random_tree(n: int, seed: int) -> Dendrogram:
    """Any two clusters merge, at heights with ties."""
    rng = np.random.default_rng(seed)
    members, merges, sizes = list(range(n)), [], [1] * n
    for merge in range(n - 1):
        a, b = sorted(rng.choice(len(members), 2, replace=False))
        pair = sorted((members[a], members[b]))
        members = [m for k, m in enumerate(members) if k not in (a, b)] + [n + merge]
        merges.append(pair)
        sizes.append(sizes[pair[0]] + sizes[pair[1]])
    heights = np.sort(rng.integers(0, 5, n - 1)).astype(np.float64)
    return Dendrogram(np.array(merges), heights, np.array(sizes[n:]), np.sqrt(heights), "squared distance")


def clusters(dendrogram: Dendrogram) -> list[set[int]]:
    members = [{k} for k in range(dendrogram.items)]
    for a, b in dendrogram.merges:
        members.append(members[a] | members[b])
    return members


def purity_by_loops(dendrogram: Dendrogram, labels: NDArray, known: NDArray, weights: NDArray) -> float:
    everything = clusters(dendrogram)
    total = weight = 0.0
    for p in range(dendrogram.items):
        for q in range(p):
            if labels[p] == labels[q] and known[p] and known[q]:
                smallest = min((members for members in everything if {p, q} <= members), key=len)
                counted = [k for k in smallest if known[k]]
                share = sum(weights[k] for k in counted if labels[k] == labels[p])
                pair = weights[p] * weights[q]
                total += pair * share / max(sum(weights[k] for k in counted), 1e-300)
                weight += pair
    return total / weight if weight else math.nan


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 18), labels=st.integers(1, 5), seed=st.integers(0, 10**6), whole=st.booleans())
def test_purity__is_that_of_loops_over_all_pairs(n, labels, seed, whole) -> None:
    rng = np.random.default_rng(seed)
    tree, of_item = random_tree(n, seed), rng.integers(-1, labels, n)
    known, weights = rng.random(n) < 0.8, rng.integers(0, 3, (3, n)).astype(float)
    if not whole:
        weights *= rng.uniform(0.5, 2.0, n)
    found = purities(tree, of_item, known=known, weights=weights)
    wanted = [purity_by_loops(tree, of_item, known, row) for row in weights]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_purity__is_one_for_a_perfect_tree_and_only_for_it() -> None:
    tree = average_linkage(Euclidean(), np.array([[0.0], [0.1], [5.0], [5.2], [9.0], [9.4]]))
    assert purity(tree, np.array([7, 7, 1, 1, 2, 2])) == 1.0
    assert purity(tree, np.array([7, 7, 1, 1, 1, 1])) == 1.0  # 5 and 9 merge first
    assert purity(tree, np.array([1, 7, 7, 1, 2, 2])) < 0.7


def test_purity__of_one_label_is_one_and_of_a_known_case_by_hand() -> None:
    heights = np.array([1.0, 1.0, 2.0])
    tree = Dendrogram(np.array([[0, 1], [2, 3], [4, 5]]), heights, np.array([2, 2, 4]), heights, "distance")
    assert purity(tree, np.zeros(4, dtype=int)) == 1.0
    assert purity(tree, np.array([0, 0, 0, 1])) == pytest.approx((1 + 0.75 + 0.75) / 3)


def test_purity__counts_copies_by_weights() -> None:
    """An item that is drawn twice counts twice in every cluster; its two copies make no pair."""
    tree = random_tree(12, 3)
    labels = np.arange(12) % 3
    twice = np.ones(12)
    twice[4] = 2.0
    assert purity(tree, labels, weights=twice) == pytest.approx(
        purity_by_loops(tree, labels, np.ones(12, dtype=bool), twice)
    )
    np.testing.assert_allclose(purity(tree, labels, weights=np.full(12, 0.3)), purity(tree, labels))


def test_purity__of_items_left_out_is_that_of_the_tree_without_them() -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(60, 2)), rng.integers(0, 3, 60)
    tree = average_linkage(Euclidean(), points)
    known = rng.random(60) < 0.5
    left_out = purity(tree, labels, weights=known.astype(float))
    assert purity(tree, labels, known=known) == pytest.approx(left_out)
    assert purity(tree, np.where(known, labels, 99), known=known) == pytest.approx(left_out)


@settings(max_examples=10, deadline=None)
@given(n=st.integers(8, 20), seed=st.integers(0, 1000))
def test_purity_of_chance__is_the_mean_over_shuffled_labels(n, seed) -> None:
    rng = np.random.default_rng(seed)
    tree, labels = random_tree(n, seed), np.arange(n) % 3
    known = np.ones(n, dtype=bool)
    known[rng.integers(0, n, 2)] = False
    of_known = labels[known]
    found = []
    for _ in range(200):
        dealt = np.full(n, -1)
        dealt[known] = rng.permutation(of_known)
        found.append(purity(tree, dealt, known=known))
    error = float(np.std(found)) / math.sqrt(len(found))
    assert purity_of_chance(tree, labels, known=known) == pytest.approx(np.mean(found), abs=5 * error + 1e-9)


@pytest.mark.parametrize("n", [2, 3, 17, 64])
def test_cophenetic_distances__are_those_of_scipy(n) -> None:
    tree = random_tree(n, n)
    i, j = sample_pairs(n, n * n, np.random.default_rng(0))
    for first, second in ((i, j), (j, i)):
        heights = tree.heights[lowest_common_merges(tree, first, second)]
        np.testing.assert_array_equal(heights, cophenet(tree.linkage_matrix()))


def test_lowest_common_merges__hold_both_and_are_the_first_that_do() -> None:
    tree = random_tree(20, 1)
    members = clusters(tree)[20:]
    i, j = sample_pairs(20, 1000, np.random.default_rng(0))
    for p, q, merge in zip(i, j, lowest_common_merges(tree, i, j), strict=True):
        assert merge == next(k for k, cluster in enumerate(members) if {p, q} <= cluster)


def test_cophenetic_correlation__is_that_of_scipy() -> None:
    points = np.random.default_rng(0).normal(size=(80, 3))
    tree = average_linkage(Euclidean(), points)
    squared, _ = cophenet(tree.linkage_matrix(), pdist(points))
    wanted = np.corrcoef(np.sqrt(cophenet(tree.linkage_matrix())), pdist(points))[0, 1]
    found, _ = dendrogram_measures(setting_of(points, planted_paths([40], 2)), tree)
    assert found.value == pytest.approx(wanted)
    assert squared == pytest.approx(wanted, abs=0.1)  # in other units


def test_tree_correlation__is_pearsons_of_heights_and_edges_for_any_draw_of_speakers(monkeypatch) -> None:
    paths, tree, of_draws = planted_paths([3, 2], 4), random_tree(24, 2), []
    monkeypatch.setattr(Setting, "interval", lambda _, like, value, measure, among: of_draws.append(measure))
    setting = setting_of(np.random.default_rng(1).normal(size=(24, 2)), paths)
    _, found = dendrogram_measures(setting, tree)
    heights = tree.distances[lowest_common_merges(tree, setting.i, setting.j)]
    edges = paths.tree_distance(setting.i, setting.j)
    assert found.value == pytest.approx(np.corrcoef(heights, edges)[0, 1])
    for drawn in np.random.default_rng(0).integers(0, 3, (5, 24)).astype(float):
        covariance = np.cov(heights, edges, aweights=drawn[setting.i] * drawn[setting.j])
        wanted = covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1])
        assert of_draws[1](drawn) == pytest.approx(wanted)


def test_tree_correlation__leaves_out_pairs_whose_place_is_unknown() -> None:
    paths, tree = planted_paths([3, 2], 4), random_tree(24, 2)
    known = paths.known.copy()
    known[:5, 0] = False
    unsure = TreePaths(paths.levels, paths.nodes, paths.names, known)
    setting = setting_of(np.random.default_rng(1).normal(size=(24, 2)), unsure)
    i, j = (side[unsure.certain(setting.i, setting.j)] for side in (setting.i, setting.j))
    assert 0 < len(i) < len(setting.i)
    _, found = dendrogram_measures(setting, tree)
    heights = tree.distances[lowest_common_merges(tree, i, j)]
    assert found.value == pytest.approx(np.corrcoef(heights, paths.tree_distance(i, j))[0, 1])


def test_sample_pairs__are_even_over_all_pairs() -> None:
    i, j = sample_pairs(10, 40, np.random.default_rng(0))
    assert len(i) == 40
    i, j = sample_pairs(700, 200_000, np.random.default_rng(0))
    assert np.all(i < j)
    assert j.max() == 699
    counts = np.bincount(np.concatenate([i, j]), minlength=700)
    assert counts.std() < 1.2 * math.sqrt(counts.mean())
    i, j = sample_pairs(6, 15, np.random.default_rng(0))
    assert len(set(zip(i.tolist(), j.tolist(), strict=True))) == 15


def test_dendrogram_measures__refuse_what_does_not_fit() -> None:
    tree = random_tree(6, 0)
    with pytest.raises(InputError, match="6 whole numbers"):
        purity(tree, np.zeros(5, dtype=int))
    assert math.isnan(purity(tree, np.arange(6)))
    with pytest.raises(InputError, match="two items of one label"):
        purity_of_chance(tree, np.zeros(6, dtype=int), known=np.zeros(6, dtype=bool))
    with pytest.raises(InputError, match="at least 0"):
        purity(tree, np.zeros(6, dtype=int), weights=np.array([1.0, 1, 1, 1, 1, -1]))
    with pytest.raises(InputError, match="two different items"):
        lowest_common_merges(tree, np.array([0, 1]), np.array([1, 1]))
    with pytest.raises(InputError, match="two different items"):
        lowest_common_merges(tree, np.array([0]), np.array([6]))

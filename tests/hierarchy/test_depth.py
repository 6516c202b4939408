"""Depth of items and nodes."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall, Published
from curvox.hierarchy.depth import NodeDepths, NodeSums, WithinSpeakers, radii, rank_correlation
from curvox.hierarchy.paths import TreePaths, planted_paths, planted_points


def spearman(a, b) -> float:
    result: Any = spearmanr(a, b)
    return float(result.statistic)


@pytest.mark.parametrize("c", [0.5, 2.0])
def test_radii__are_distances_from_the_origin(c: float) -> None:
    x = np.random.default_rng(0).uniform(-0.3, 0.3, size=(20, 3))
    found = radii(PoincareBall(c=c), x).values
    assert found is not None
    by_hand = [2 / c**0.5 * math.atanh(c**0.5 * np.linalg.norm(row)) for row in x]
    np.testing.assert_allclose(found, by_hand, atol=1e-4 * max(by_hand))


def test_radii__of_one_sphere_say_so() -> None:
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 8))).float()
    lifted = PoincareBall(lift=Published())
    found = radii(lifted, lifted.project(10 * z).numpy())
    assert found.values is None
    assert found.why_none is not None
    assert "constant" in found.why_none
    assert "no origin" in (radii(Hypersphere(), z.numpy()).why_none or "")
    assert "constant" in (radii(Euclidean(), np.zeros((3, 2))).why_none or "")
    assert radii(lifted, lifted.project(0.2 * z).numpy()).values is not None


def test_rank_correlation__is_scipys_and_weights_repeat_items() -> None:
    rng = np.random.default_rng(1)
    a, b, times = rng.integers(0, 6, 40).astype(float), rng.normal(size=40), rng.integers(0, 4, 40)
    assert rank_correlation(a, b, np.ones(40)) == pytest.approx(spearman(a, b))
    repeated = spearman(np.repeat(a, times), np.repeat(b, times))
    assert rank_correlation(a, b, times.astype(float)) == pytest.approx(repeated)
    assert math.isnan(rank_correlation(np.ones(5), np.arange(5.0), np.ones(5)))
    assert math.isnan(rank_correlation(a, b, np.zeros(40)))


def test_within_speakers__what_differs_between_them_plays_no_part() -> None:
    """Each speaker's radius falls with the duration, and speakers with longer recordings lie further out."""
    rng = np.random.default_rng(2)
    speakers = np.repeat(np.arange(8), 10)
    duration = rng.normal(size=80) + 10 * speakers
    radius = -duration + 20 * speakers
    assert spearman(radius, duration) > 0.8
    assert WithinSpeakers.of(radius, duration, speakers, 8).mean(np.ones(8)) == pytest.approx(-1)
    one = WithinSpeakers.of(rng.normal(size=80), duration, speakers, 8)
    only_third = (np.arange(8) == 3).astype(float)
    mine = speakers == 3
    again = np.random.default_rng(2)
    again.normal(size=80)
    values = again.normal(size=80)
    assert one.mean(only_third) == pytest.approx(spearman(values[mine], duration[mine]))


def test_within_speakers__counts_speakers_alike_however_many_items_they_have() -> None:
    """One of 100 items whose radius grows with the duration, one of 10 whose radius falls, one who says nothing."""
    order = np.random.default_rng(3).permutation(115)
    speakers = np.repeat([0, 1, 2], [100, 10, 5])
    duration = np.concatenate([np.arange(100.0), np.arange(10.0), np.ones(5)])
    radius = np.concatenate([np.arange(100.0), -np.arange(10.0), np.arange(5.0)])
    found = WithinSpeakers.of(radius[order], duration[order], speakers[order], 4)
    np.testing.assert_allclose(found.values[:2], [1, -1])
    np.testing.assert_array_equal(found.varying, [0, 1])
    assert found.mean(np.ones(4)) == pytest.approx(0)
    assert found.mean(np.array([2.0, 1, 5, 5])) == pytest.approx(1 / 3)
    assert math.isnan(found.mean(np.array([0.0, 0, 1, 1])))


def node_depths(space, points, paths: TreePaths) -> NodeDepths:
    """Of all items, without speakers."""
    return NodeSums.of(space, points, paths, np.zeros(len(paths), dtype=np.int64)).depths(np.ones(1))


def brute_force(space, points, paths: TreePaths) -> tuple[float, float]:
    """Spearman's correlation and share of steps by `space.mean` of every node."""
    radius = {}
    for depth in range(len(paths.levels)):
        for node in np.unique(paths.nodes[:, depth]):
            items = torch.from_numpy(points[paths.nodes[:, depth] == node])
            centre = space.mean(items)
            parent = (depth - 1, paths.nodes[paths.nodes[:, depth] == node][0, depth - 1]) if depth else None
            radius[depth, node] = space.distance(centre, torch.zeros_like(centre)).item(), parent
    several = {key for key, (_, parent) in radius.items() if [p for _, p in radius.values()].count(parent) > 1}
    counted = [key for key in radius if key[0] == 0 or key in several]
    steps = [radius[parent][0] < own for key, (own, parent) in radius.items() if parent is not None and key in several]
    return spearman([radius[key][0] for key in counted], [key[0] for key in counted]), float(np.mean(steps))


@pytest.mark.parametrize("space", [Euclidean(), PoincareBall(c=0.7)])
def test_node_depths__are_those_of_the_spaces_own_means(space) -> None:
    paths = planted_paths((3, 2, 3), 2)
    keep = np.delete(np.arange(len(paths)), np.s_[6:12])  # one node is now an only child
    points = 0.3 * np.random.default_rng(3).uniform(-1, 1, size=(len(paths), 4))[keep]
    found = node_depths(space, points, paths.rows(keep))
    specificity, steps = brute_force(space, points, paths.rows(keep))
    assert found.specificity == pytest.approx(specificity)
    assert found.steps == pytest.approx(steps)


def test_node_depths__of_a_planted_tree_are_those_of_its_levels() -> None:
    ball, paths = PoincareBall(), planted_paths((3, 3, 3), 4)
    points = planted_points(paths, ball, dim=256, spread_ratio=0.6, seed=0)
    found, chance = (
        node_depths(ball, points, paths),
        node_depths(ball, np.random.default_rng(0).permutation(points), paths),
    )
    assert found.specificity > 0.7
    assert found.steps == 1
    assert found.specificity > chance.specificity + 0.2


def test_node_sums__weigh_speakers_as_often_as_they_are_drawn() -> None:
    space, paths = Euclidean(), planted_paths((2, 4), 3)
    points, speakers = np.random.default_rng(5).normal(size=(24, 3)), planted_paths((2, 4), 3).nodes[:, 1]
    sums = NodeSums.of(space, points, paths, speakers)
    drawn = np.array([2, 0, 1, 1, 3, 0, 1, 1])
    depths = sums.depths(drawn.astype(float))
    assert depths.nodes == 8
    # a speaker drawn three times is three nodes
    copies = [(speakers == speaker, copy) for speaker in range(8) for copy in range(drawn[speaker])]
    items = np.concatenate([np.flatnonzero(own) for own, _ in copies])
    nodes = np.stack([paths.nodes[items, 0], np.repeat(np.arange(len(copies)), 3)], axis=1)
    names = (paths.names[0], tuple(map(str, range(len(copies)))))
    repeated = node_depths(space, points[items], TreePaths(paths.levels, nodes, names, paths.known[items]))
    assert depths.specificity == pytest.approx(repeated.specificity)
    assert depths.steps == pytest.approx(repeated.steps)
    assert sums.depths(np.ones(8)) == node_depths(space, points, paths)


def test_node_depths__leave_out_nodes_that_are_not_known() -> None:
    paths = planted_paths((2, 2), 2)
    known = paths.known.copy()
    known[:2, 1] = False
    unsure = TreePaths(paths.levels, paths.nodes, paths.names, known)
    points = np.random.default_rng(6).normal(size=(8, 3))
    # The other child is then its parent's only known one.
    assert node_depths(Euclidean(), points, unsure).nodes == 2 + 2


def test_node_depths__need_an_origin() -> None:
    with pytest.raises(InputError, match="have no depth"):
        node_depths(Hypersphere(), np.eye(4), planted_paths((2, 2), 1))

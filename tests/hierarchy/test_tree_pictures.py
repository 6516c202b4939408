"""What is drawn of a tree: middles, where they hang, how far out they lie."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.hierarchy.layout import corpus_layout
from curvox.hierarchy.paths import TreePaths, planted_paths
from curvox.hierarchy.pictures import node_dendrogram, tree_picture

SPACES = [Euclidean(), Hypersphere(), PoincareBall(c=2.0)]


def planted(space, branching=(2, 3, 4), items=5, seed=0) -> tuple[np.ndarray, TreePaths]:
    """Points that grow along a tree, each level a smaller step."""
    paths = planted_paths(branching, items)
    rng = np.random.default_rng(seed)
    z = np.zeros((len(paths), 8))
    for place in range(len(branching)):
        z += rng.standard_normal((len(paths.names[place]), 8))[paths.nodes[:, place]] * 0.4**place
    z += 0.02 * rng.standard_normal(z.shape)
    return space.project(torch.from_numpy(0.4 * z)).double().numpy(), paths


def without(paths: TreePaths, place: int, node: int) -> TreePaths:
    known = paths.known.copy()
    known[paths.nodes[:, place] == node, place] = False
    return replace(paths, known=known)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.describe()["name"])
def test_picture__has_the_mean_of_the_space_at_every_node(space) -> None:
    points, paths = planted(space)
    layout = corpus_layout(space, points)
    picture = tree_picture(space, points, paths, layout)
    for place, level in enumerate(picture.levels):
        assert level.sizes.sum() == len(points)
        for k, node in enumerate(level.nodes):
            own = torch.from_numpy(points[paths.nodes[:, place] == node])
            np.testing.assert_allclose(level.coordinates[k], layout.chart.coordinates(space.mean(own)[None].numpy())[0])
            if place:
                above, at = level.parents[k]
                assert above == place - 1
                assert picture.levels[above].nodes[at] == paths.parents(level.level)[node]
            else:
                assert level.parents[k].tolist() == [-1, -1]


def test_picture__radii_are_distances_from_the_origin() -> None:
    for space, expected in (
        (Euclidean(), lambda x: np.linalg.norm(x, axis=1)),
        (PoincareBall(c=2.0), lambda x: 2**0.5 * np.arctanh(2**0.5 * np.linalg.norm(x, axis=1))),
    ):
        points, paths = planted(space)
        picture = tree_picture(space, points, paths, corpus_layout(space, points))
        assert picture.radii is not None
        np.testing.assert_allclose(picture.radii, expected(points), rtol=1e-9)
        assert picture.origin is not None
        assert all(level.radii is not None and len(level.radii) == len(level) for level in picture.levels)
        # Middles of a tree-true level lie further out than middles of as many strangers.
        leaves = picture.levels[-1]
        assert leaves.radii is not None
        assert leaves.chance_radius is not None
        assert leaves.radii.mean() > leaves.chance_radius


def test_picture__of_the_sphere_has_no_radii() -> None:
    points, paths = planted(Hypersphere())
    picture = tree_picture(Hypersphere(), points, paths, corpus_layout(Hypersphere(), points))
    assert picture.radii is None
    assert picture.origin is None
    assert {(level.radii, level.chance_radius) for level in picture.levels} == {(None, None)}


def test_picture__hangs_children_of_an_unknown_node_at_the_next_above() -> None:
    space = PoincareBall()
    points, whole = planted(space)
    paths = without(whole, 1, 0)
    picture = tree_picture(space, points, replace(paths, levels=("language", "gender", "speaker")), layout_of(points))
    assert 0 not in picture.levels[1].nodes
    orphans = picture.levels[2].parents[:4]
    assert orphans.tolist() == [[0, 0]] * 4
    top = tree_picture(
        space, points, replace(without(paths, 0, 0), levels=("language", "gender", "speaker")), layout_of(points)
    )
    assert top.levels[2].parents[:4].tolist() == [[-1, -1]] * 4


def test_picture__stands_with_a_level_that_nobody_knows() -> None:
    space = PoincareBall()
    points, paths = planted(space)
    known = paths.known.copy()
    known[:, 0] = False
    paths = replace(paths, known=known, levels=("language", "speaker", "session"))
    picture = tree_picture(space, points, paths, layout_of(points))
    assert len(picture.levels[0]) == 0
    assert len(picture.levels[1]) == 6


def test_picture__refuses_paths_of_other_items() -> None:
    points, paths = planted(PoincareBall())
    with pytest.raises(InputError, match="expected a path and a place"):
        tree_picture(PoincareBall(), points[:-1], paths, layout_of(points))


def test_dendrogram__of_planted_speakers_merges_siblings_first() -> None:
    space = PoincareBall()
    points, paths = planted(space, branching=(2, 3), items=6)
    grown = node_dendrogram(space, points, replace(paths, levels=("language", "speaker")))
    assert grown is not None
    assert (grown.level, grown.left_out) == ("speaker", 0)
    clusters = {i: {node} for i, node in enumerate(grown.nodes.tolist())}
    for k, (a, b) in enumerate(grown.dendrogram.merges.tolist()):
        clusters[len(grown.nodes) + k] = clusters[a] | clusters[b]
    assert {0, 1, 2} in clusters.values()
    assert {3, 4, 5} in clusters.values()


def test_dendrogram__takes_the_largest_nodes() -> None:
    space = Euclidean()
    points, paths = planted(space, branching=(6,), items=4)
    keep = np.delete(np.arange(24), [0, 1, 8, 9, 10])
    grown = node_dendrogram(space, points[keep], paths.rows(keep), most_leaves=4)
    assert grown is not None
    assert grown.nodes.tolist() == [1, 3, 4, 5]
    assert grown.left_out == 2


def test_dendrogram__of_many_nodes_takes_some_of_every_node_above() -> None:
    points, paths = planted(Euclidean(), branching=(3, 20), items=2)
    grown = node_dendrogram(Euclidean(), points, replace(paths, levels=("language", "speaker")), most_leaves=10)
    assert grown is not None
    assert sorted((grown.nodes // 20).tolist()) == [0] * 4 + [1] * 3 + [2] * 3


def test_dendrogram__of_two_nodes_is_none() -> None:
    points, paths = planted(Euclidean(), branching=(2,))
    assert node_dendrogram(Euclidean(), points, paths) is None


def layout_of(points: np.ndarray):
    return corpus_layout(PoincareBall(), points)

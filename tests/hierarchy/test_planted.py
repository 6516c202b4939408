"""A planted tree is found again, a shuffled one is not."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from curvox.corpora import Corpus, read_corpus
from curvox.errors import InputError
from curvox.geometry import AbstractSpace, Clip, Euclidean, Hypersphere, PoincareBall
from curvox.hierarchy.dendrogram import purities, purity_of_chance
from curvox.hierarchy.linkage import average_linkage
from curvox.hierarchy.measures.pairs import dendrogram_measures
from curvox.hierarchy.measures.setting import Setting
from curvox.hierarchy.paths import TreePaths, planted_paths, planted_points, tree_paths
from curvox.testing.voices import synthesise_corpus

SPACES: dict[str, AbstractSpace] = {
    "euclidean": Euclidean(),
    "sphere": Hypersphere(),
    "ball": PoincareBall(),
    "small ball": PoincareBall(c=4.0, lift=Clip()),
}


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder: Path = tmp_path_factory.mktemp("voices") / "corpus"
    synthesise_corpus(
        folder,
        train_speakers=8,
        dev_speakers=2,
        test_speakers=2,
        sessions=2,
        utterances_per_session=2,
        seconds=(0.5, 0.6),
        workers=1,
    )
    return read_corpus(folder)


def kept(space: AbstractSpace, points: np.ndarray, paths: TreePaths) -> tuple[list[float], float, float]:
    """The purity of each level in the points' dendrogram, its cophenetic correlation and that with the label tree."""
    tree = average_linkage(space, points)
    setting = Setting.of(space, points, paths, paths.nodes[:, -1], pairs=20_000, resamples=0, seed=0)
    cophenetic, of_tree = (measure.value or 0.0 for measure in dendrogram_measures(setting, tree))
    return [float(purities(tree, level)[0]) for level in paths.nodes.T], cophenetic, of_tree


@pytest.mark.parametrize("name", SPACES)
def test_planted_tree__is_found_again_and_not_in_shuffled_points(name) -> None:
    space, paths = SPACES[name], planted_paths([3, 4, 5], 6)
    points = planted_points(paths, space, dim=32, spread_ratio=0.6, seed=1)
    purity, cophenetic, of_tree = kept(space, points, paths)
    assert purity == [1.0, 1.0, 1.0]
    assert of_tree > 0.9
    assert cophenetic > 0.9
    mixed = np.random.default_rng(2).permutation(points)
    tree = average_linkage(space, mixed)
    purity, _, of_tree = kept(space, mixed, paths)
    assert purity == pytest.approx([purity_of_chance(tree, level) for level in paths.nodes.T], abs=0.02)
    assert abs(of_tree) < 0.05


def test_planted_points__of_the_ball_lie_further_out_the_deeper_they_are() -> None:
    space = PoincareBall()
    depths = [
        np.linalg.norm(planted_points(planted_paths([3] * levels, 1), space, dim=64, spread_ratio=0.7, seed=0), axis=1)
        for levels in (1, 2, 3, 4)
    ]
    for shallow, deep in pairwise(depths):
        assert shallow.mean() < deep.mean()
    assert max(depth.max() for depth in depths) < 1 - 1e-5


def test_planted_points__of_the_ball_are_as_far_apart_as_on_a_tree() -> None:
    """Siblings with a child each: nearly the way over their parent, shorter by the gap of a thick triangle."""
    space, paths = PoincareBall(), planted_paths([2], 1)
    x, y = torch.from_numpy(planted_points(paths, space, dim=400, spread_ratio=0.5, seed=0))
    way = 2 * (2.0 + 1.0)
    assert 0.7 * way < space.distance(x, y).item() < way


def test_planted_points__follow_their_seed_and_stay_in_the_space() -> None:
    paths = planted_paths([2, 2], 3)
    for space in SPACES.values():
        first, again, other = (planted_points(paths, space, dim=8, spread_ratio=0.6, seed=s) for s in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
    unit = planted_points(paths, SPACES["sphere"], dim=8, spread_ratio=0.6, seed=0)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0)


@pytest.mark.parametrize("options", [{"dim": 1, "spread_ratio": 0.5}, {"dim": 4, "spread_ratio": 1.0}])
def test_planted_points__refuse_options_out_of_range(options) -> None:
    with pytest.raises(InputError, match="spread_ratio"):
        planted_points(planted_paths([2], 2), Euclidean(), seed=0, **options)


@pytest.mark.parametrize("name", ["sphere", "ball"])
def test_tree_of_the_synthetic_voices__is_found_in_tree_true_points_alone(name, voices) -> None:
    levels = ("gender", "native_language", "speaker", "session")
    space, paths = SPACES[name], tree_paths(voices, [u.utterance for u in voices.utterances], levels)
    points = planted_points(paths, space, dim=32, spread_ratio=0.6, seed=0)
    purity, _, of_tree = kept(space, points, paths)
    assert purity == [1.0] * len(levels)
    assert of_tree > 0.9
    purity, _, of_tree = kept(space, np.random.default_rng(1).permutation(points), paths)
    assert max(purity) < 0.65
    assert abs(of_tree) < 0.15

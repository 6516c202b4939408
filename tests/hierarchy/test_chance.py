"""What measures of a level give by chance: the value that a space has which knows everything but that level."""

import numpy as np
import pytest

from curvox.geometry import Euclidean
from curvox.hierarchy import Dendrogram, TreePaths, average_linkage, planted_paths, purities
from curvox.hierarchy.measures.levels import Dealing, chance_of_purity, precision_measure, purity_measure
from curvox.hierarchy.measures.setting import Setting
from curvox.hierarchy.precision import average_precisions, chance_of_random_order, mean_precisions

LEVELS = ("language", "gender", "speaker", "session")


def paths_of(branching: tuple[int, ...], items: int, levels: tuple[str, ...] = LEVELS) -> TreePaths:
    full = planted_paths(branching, items)
    return TreePaths(levels, full.nodes, full.names, full.known)


def setting_of(paths: TreePaths, points: np.ndarray, seed: int = 0) -> Setting:
    speakers = paths.nodes[:, paths.place("speaker")]
    return Setting.of(Euclidean(), points, paths, speakers, pairs=100, resamples=0, seed=seed)


def knowing(paths: TreePaths, seed: int, **steps: float) -> np.ndarray:
    """Points that lie by the named levels alone, each node a random step of that length away, and a little noise."""
    rng = np.random.default_rng(seed)
    x = 0.2 * rng.normal(size=(len(paths), 12))
    for level, step in steps.items():
        column = paths.nodes[:, paths.place(level)]
        x += step * rng.normal(size=(column.max() + 1, 12))[column]
    return x


def values_and_chances(paths: TreePaths, level: str, draws: int, **steps: float) -> dict[str, tuple[float, float]]:
    """Both measures of a level, as means over clouds."""
    found: dict[str, list[tuple[float, float]]] = {"map": [], "purity": []}
    for seed in range(draws):
        points = knowing(paths, seed, **steps)
        setting, tree = setting_of(paths, points, seed), average_linkage(Euclidean(), points)
        for measure in (precision_measure(setting, level), purity_measure(setting, level, tree)):
            assert measure.value is not None
            assert measure.chance is not None
            found[measure.key].append((measure.value, measure.chance))
    return {key: (float(np.mean(rows, axis=0)[0]), float(np.mean(rows, axis=0)[1])) for key, rows in found.items()}


def test_chance__of_gender_is_what_a_space_gives_that_knows_language_alone() -> None:
    paths = paths_of((3, 2, 8, 1), 3)
    for value, chance in values_and_chances(paths, "gender", 6, language=5, speaker=1).values():
        assert value == pytest.approx(chance, abs=0.04)
        assert chance > 0.35  # of labels over all speakers it is about 0.2


def test_chance__of_sessions_is_what_a_space_gives_that_knows_speakers_alone() -> None:
    paths = paths_of((1, 1, 20, 3), 4)
    for value, chance in values_and_chances(paths, "session", 3, speaker=5).values():
        assert value == pytest.approx(chance, abs=0.02)
        assert chance > 0.3  # of labels over all items it is about 0.03


def test_chance__knows_that_the_items_of_a_speaker_arrive_together() -> None:
    """Two speakers a language, of which the space knows nothing: the items of the other one come in a row."""
    paths = paths_of((30, 1, 2, 1), 4)
    found = []
    for seed in range(60):
        points = knowing(paths, seed, speaker=2)
        measure = precision_measure(setting_of(paths, points, seed), "language")
        found.append((measure.value, measure.chance))
    value, chance = np.mean(found, axis=0)
    assert value == pytest.approx(chance, abs=0.012)
    assert chance > 1.3 * chance_of_random_order(4, 236)


def test_chance__of_speakers_is_that_of_items_over_all() -> None:
    paths = paths_of((2, 1, 6, 1), 5)
    setting = setting_of(paths, knowing(paths, 0, language=3))
    measure = precision_measure(setting, "speaker")
    dealing = Dealing.of(setting, "speaker")
    by_deals = mean_precisions(Euclidean(), setting.points, dealing.dealt(200, 1))
    assert measure.chance == pytest.approx(by_deals.mean(), abs=5 * by_deals.std() / 200**0.5)
    assert "labels of items shuffled over all speakers" in measure.note


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("language", "labels of speakers shuffled"),
        ("gender", "labels of speakers shuffled within their language"),
        ("speaker", "labels of items shuffled over all speakers"),
        ("session", "labels of items shuffled within their speaker"),
        ("room", "labels of items shuffled within their speaker and session"),
    ],
)
def test_deals__keep_what_they_must_keep(level: str, words: str) -> None:
    """How many items each node has, whole speakers above the speaker, the node above; and what is not known."""
    paths = paths_of((2, 3, 4, 2, 2), 2, (*LEVELS, "room"))
    known = paths.known.copy()
    known[:16] = False
    paths = TreePaths(paths.levels, paths.nodes, paths.names, known)
    setting = setting_of(paths, np.random.default_rng(0).normal(size=(len(paths), 2)))
    dealing = Dealing.of(setting, level)
    assert dealing.words == words
    dealt, place = dealing.dealt(3, seed=1), paths.place(level)
    assert len(np.unique(dealt, axis=0)) == 3
    above = {"language": None, "speaker": None}.get(level, paths.levels[place - 1])
    for row in dealt:
        np.testing.assert_array_equal(row[:16], dealing.labels[:16])
        np.testing.assert_array_equal(np.bincount(row), np.bincount(dealing.labels))
        if above is not None:
            np.testing.assert_array_equal(paths.parents(level)[row], paths.nodes[:, place - 1])
        if level in ("language", "gender"):
            of_speakers = np.stack([setting.speakers, row])
            assert len(np.unique(of_speakers, axis=1).T) == setting.count


def test_chance_of_purity__of_items_over_all_is_that_of_deals() -> None:
    paths = paths_of((1, 1, 5, 1), 4)
    points = knowing(paths, 1, speaker=1)
    setting, tree = setting_of(paths, points), average_linkage(Euclidean(), points)
    dealing = Dealing.of(setting, "speaker")
    found = [purities(tree, row)[0] for row in dealing.dealt(300, 2)]
    assert chance_of_purity(setting, dealing, tree) == pytest.approx(np.mean(found), abs=5 * np.std(found) / 300**0.5)


def test_chance__of_a_level_that_never_parts_its_parent_is_the_value() -> None:
    """One session a speaker: nothing can be dealt otherwise, and nothing is credited."""
    paths = paths_of((1, 1, 6, 1), 5)
    points = knowing(paths, 2, speaker=1)
    setting, tree = setting_of(paths, points), average_linkage(Euclidean(), points)
    assert isinstance(tree, Dendrogram)
    for measure in (precision_measure(setting, "session"), purity_measure(setting, "session", tree)):
        assert measure.chance == pytest.approx(measure.value)


@pytest.mark.parametrize("ties", [False, True])
def test_mean_precisions__are_those_of_average_precisions(ties: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 2))
    x = np.round(x) if ties else x
    labels, apart, known = rng.integers(5, size=(4, 40)), rng.integers(10, size=40), rng.random(40) < 0.8
    queries = np.arange(0, 40, 2)
    found = mean_precisions(Euclidean(), x, labels, known=known, apart=apart, queries=queries)
    each = [average_precisions(Euclidean(), x, row, known=known, apart=apart, queries=queries) for row in labels]
    np.testing.assert_allclose(found, [one.values.mean() for one in each])
    assert np.isnan(mean_precisions(Euclidean(), x, np.arange(40)[None])).all()

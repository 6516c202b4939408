"""All measures of a tree: records, laws and intervals."""

import json
import math

import numpy as np
import pytest

from curvox.errors import InputError
from curvox.geometry import Clip, Euclidean, Hypersphere, PoincareBall
from curvox.hierarchy import Measure, TreeMeasures, measure_tree, planted_paths, planted_points, purities
from curvox.hierarchy.linkage import average_linkage
from curvox.hierarchy.measures.pairs import SpeakerPairs
from curvox.hierarchy.measures.setting import (
    correlation_like,
    jackknife_interval,
    rate_like,
    ratio_like,
)
from curvox.hierarchy.paths import TreePaths
from curvox.metrics import Interval, resample_speakers

# Two languages, three speakers each, two sessions each; below the root three speakers are enough to learn from.
PATHS = planted_paths((2, 4, 2), 5)
SPEAKERS = PATHS.nodes[:, 1]
SPACES = [Euclidean(), Hypersphere(), PoincareBall(c=0.5)]


def measured(space, points, paths=PATHS, **options) -> TreeMeasures:
    return measure_tree(space, points, paths, SPEAKERS, **{"resamples": 20, "pairs": 2000, **options})


def value(measures: TreeMeasures, key: str, level: str | None = None) -> float:
    found = measures.measure(key, level)
    assert found is not None
    assert found.value is not None, found.why_none
    return found.value


@pytest.mark.parametrize("space", SPACES)
def test_measures__find_a_planted_tree_and_nothing_where_it_is_shuffled(space) -> None:
    points = planted_points(PATHS, space, dim=24, spread_ratio=0.4, seed=1)
    tree, none = measured(space, points), measured(space, np.random.default_rng(2).permutation(points))
    for level in PATHS.levels:
        for key in ("map", "purity"):
            assert value(tree, key, level) > 0.95
            chance = none.measure(key, level)
            assert chance is not None
            assert chance.chance is not None
            assert value(none, key, level) == pytest.approx(chance.chance, abs=0.15)
    assert value(tree, "tree_correlation") > 0.85
    assert value(none, "tree_correlation") == pytest.approx(0, abs=0.15)
    assert value(tree, "cophenetic") > 0.9
    assert value(tree, "distortion") < 0.7 * value(none, "distortion")
    assert value(tree, "worst_distortion") < value(none, "worst_distortion")
    assert value(tree, "delta_relative") < 0.25
    assert value(tree, "leakage", "level 1") == 1
    assert value(tree, "leakage", "level 3") == 1
    assert value(none, "leakage", "level 3") == pytest.approx(0.5, abs=0.15)


def test_measures__hold_their_intervals_and_follow_the_seed() -> None:
    points = planted_points(PATHS, SPACES[2], dim=6, spread_ratio=0.8, seed=1)
    seconds, decibels = np.linspace(1, 5, 80), np.full(80, np.nan)
    options = {"durations_s": seconds, "qualities_db": decibels, "seed": 5, "resamples": 8}
    found = measured(SPACES[2], points, **options)
    assert found == measured(SPACES[2], points, **options)
    assert found != measured(SPACES[2], points, **{**options, "seed": 6})
    with_interval = {m.key for m in found.measures if m.interval is not None}
    assert with_interval >= {"map", "purity", "distortion", "tree_correlation", "depth_duration", "depth_specificity"}
    for m in found.measures:
        if m.interval is not None:
            assert m.value is not None
            assert m.interval.low <= m.value <= m.interval.high
    why = found.measure("depth_quality")
    assert why is not None
    assert "does not vary" in (why.why_none or "")
    without = measured(SPACES[2], points, **{**options, "resamples": 0})
    assert all(m.interval is None for m in without.measures)
    assert [m.value for m in without.measures] == [m.value for m in found.measures]


def test_measures__go_to_json_and_back() -> None:
    points = planted_points(PATHS, SPACES[1], dim=6, spread_ratio=0.5, seed=1)
    found = measured(SPACES[1], points)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert TreeMeasures.from_dict(values) == found
    with pytest.raises(InputError, match='unknown key "more"'):
        TreeMeasures.from_dict({**values, "more": 1})
    with pytest.raises(InputError, match='missing key "seed"'):
        TreeMeasures.from_dict({k: v for k, v in values.items() if k != "seed"})
    wrong = {**values["measures"][0], "value": "high"}
    with pytest.raises(InputError, match=r"measures\.0\.value: expected a number"):
        TreeMeasures.from_dict({**values, "measures": [wrong]})
    with pytest.raises(InputError, match="utterances: expected a"):
        TreeMeasures.from_dict({**values, "utterances": True})


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"value": math.nan}, "finite"),
        ({"value": None}, "needs a value"),
        ({"why_none": "no reason"}, "not both"),
        ({"better": "larger"}, "higher, lower or None"),
    ],
)
def test_measure__refuses_what_is_no_number(numbers, message) -> None:
    good = {"key": "map", "title": "", "value": 1.0, "level": None, "interval": None, "chance": None, "better": None}
    with pytest.raises(InputError, match=message):
        Measure(**{**good, "pairs": 1, **numbers})


def test_measures__of_one_sphere_have_no_depth_and_say_so() -> None:
    ball = PoincareBall(lift=Clip(0.5))
    x = np.random.default_rng(0).normal(size=(80, 4))
    found = measured(ball, 0.5 * x / np.linalg.norm(x, axis=1, keepdims=True), resamples=0)
    for key in ("depth_specificity", "depth_steps", "depth_duration", "depth_quality"):
        m = found.measure(key)
        assert m is not None
        assert m.value is None
        assert "constant" in (m.why_none or "")


def test_measures__of_one_point_say_what_is_missing() -> None:
    found = measured(Euclidean(), np.zeros((80, 3)))
    for key in ("distortion", "worst_distortion", "cophenetic", "tree_correlation", "depth_specificity"):
        m = found.measure(key)
        assert m is not None
        assert m.why_none is not None
    assert value(found, "delta_relative") == 0
    assert value(found, "leakage", "level 3") == 0.5


def test_measures__leave_out_labels_that_are_not_known() -> None:
    points = planted_points(PATHS, Euclidean(), dim=8, spread_ratio=0.5, seed=1)
    known = PATHS.known.copy()
    known[:, 0] = False
    found = measured(Euclidean(), points, TreePaths(PATHS.levels, PATHS.nodes, PATHS.names, known), resamples=0)
    for key in ("map", "purity"):
        m = found.measure(key, "level 1")
        assert m is not None
        assert m.why_none == "no label at this level is known"
    part = PATHS.known.copy()
    part[:30] = False
    found = measured(Euclidean(), points, TreePaths(PATHS.levels, PATHS.nodes, PATHS.names, part), resamples=0)
    dendrogram = average_linkage(Euclidean(), points)
    expected = purities(dendrogram, PATHS.nodes[:, 1], known=part[:, 1])[0]
    assert value(found, "purity", "level 2") == pytest.approx(expected)


def test_measures__of_few_items_have_the_exact_delta_in_any_order_and_say_so() -> None:
    points, order = planted_points(PATHS, Euclidean(), dim=3, spread_ratio=0.9, seed=1), np.arange(80)[::-1]
    found = measured(Euclidean(), points, resamples=0).measure("delta_relative")
    turned = measure_tree(Euclidean(), points[order], PATHS.rows(order), SPEAKERS[order], resamples=0, seed=3)
    assert found is not None
    assert value(turned, "delta_relative") == pytest.approx(found.value, rel=1e-9)
    assert found.note == "2 δ / diameter of all 80 items, exact"


def test_measures__refuse_what_does_not_fit() -> None:
    points = np.random.default_rng(0).normal(size=(80, 3))
    with pytest.raises(InputError, match="speakers must be"):
        measure_tree(Euclidean(), points, PATHS, SPEAKERS[:-1])
    with pytest.raises(InputError, match="2 speakers"):
        measure_tree(Euclidean(), points, PATHS, np.zeros(80, dtype=int))
    with pytest.raises(InputError, match=r"points must be \(80, D\)"):
        measure_tree(Euclidean(), points[:-1], PATHS, SPEAKERS)
    with pytest.raises(InputError, match="durations_s must be"):
        measured(Euclidean(), points, durations_s=np.ones(3), resamples=0)


def test_progress__comes_to_its_end() -> None:
    points, seen = planted_points(PATHS, Euclidean(), dim=4, spread_ratio=0.5, seed=1), []
    measured(Euclidean(), points, resamples=0, progress=lambda done, steps: seen.append((done, steps)))
    assert [done for done, _ in seen] == list(range(1, seen[0][1] + 1))


def test_speaker_pairs__weigh_as_often_as_speakers_are_drawn() -> None:
    a, b, drawn = np.array([0, 1, 2, 2]), np.array([1, 0, 2, 1]), np.array([2.0, 3, 4])
    pairs = SpeakerPairs.of(a, b)
    np.testing.assert_array_equal(pairs.multiplicities(drawn)[pairs.place], [6, 6, 4, 12])
    assert pairs.sums(np.array([1.0, 2, 3, 4])) @ pairs.multiplicities(drawn) == 6 + 12 + 12 + 48


def test_intervals__of_a_mean_over_speakers_are_students() -> None:
    """The jackknife is exact there, up to the curved scale, and the bootstrap the same up to its draws."""
    rng = np.random.default_rng(0)
    rates = rng.uniform(0.45, 0.55, 30)
    reach = 2.045 * rates.std(ddof=1) / 30**0.5
    left_out = np.array([np.delete(rates, k).mean() for k in range(30)])
    values, _ = resample_speakers(lambda n: float(n @ rates / n.sum()), speakers=30, resamples=2000, seed=0)
    drawn = np.array(values)
    for interval in (
        jackknife_interval(rates.mean(), left_out),
        rate_like(rates.mean(), drawn, 30),
        correlation_like(rates.mean(), drawn, 30),
        ratio_like(rates.mean(), drawn, 30),
    ):
        assert isinstance(interval, Interval)
        assert interval.high - rates.mean() == pytest.approx(reach, rel=0.06)
        assert rates.mean() - interval.low == pytest.approx(reach, rel=0.06)


def test_intervals__need_draws_that_have_a_value() -> None:
    assert rate_like(0.5, np.zeros(0), 3) is None

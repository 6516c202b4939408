"""Intervals where few of the speakers stand behind a value: the others must not make it seem better known."""

import numpy as np
import pytest
from scipy.stats import t as student

from curvox.geometry import Euclidean, PoincareBall
from curvox.hierarchy import TreeMeasures, TreePaths, measure_tree, planted_paths, planted_points
from curvox.hierarchy.measures.setting import Setting, correlation_like, jackknife_interval, rate_like, ratio_like

# Two nodes of four speakers each, two sessions each; and strangers of whom no label is known.
PATHS = planted_paths((2, 4, 2), 4)
SPEAKERS, STRANGERS, EACH = PATHS.nodes[:, 1], 30, 3


def with_strangers() -> tuple[TreePaths, np.ndarray]:
    others = np.arange(STRANGERS * EACH) // EACH
    nodes = np.concatenate([PATHS.nodes, np.repeat(PATHS.nodes.max(axis=0)[None] + 1, len(others), axis=0)])
    known = np.concatenate([PATHS.known, np.zeros((len(others), 3), dtype=bool)])
    names = tuple((*names, "unknown") for names in PATHS.names)
    return TreePaths(PATHS.levels, nodes, names, known), np.concatenate([SPEAKERS, 8 + others])


def measured(space, points, paths, speakers, **options) -> TreeMeasures:
    return measure_tree(space, points, paths, speakers, resamples=40, pairs=10**6, **options)


def same(one: TreeMeasures, other: TreeMeasures, key: str, level: str | None = None) -> None:
    a, b = one.measure(key, level), other.measure(key, level)
    assert a is not None
    assert b is not None
    assert a.value == pytest.approx(b.value)
    assert a.interval is not None
    assert b.interval is not None
    assert (a.interval.low, a.interval.high) == pytest.approx((b.interval.low, b.interval.high), abs=1e-6)
    assert a.interval.low < a.interval.high


def test_intervals__are_those_without_the_speakers_whose_labels_are_unknown() -> None:
    """The strangers lie in a cluster of their own, so that the dendrogram of the known is the same without them."""
    rng = np.random.default_rng(0)
    points = planted_points(PATHS, Euclidean(), dim=6, spread_ratio=0.9, seed=1)
    far = 100 + 0.1 * rng.normal(size=(STRANGERS * EACH, 6))
    paths, speakers = with_strangers()
    alone = measured(Euclidean(), points, PATHS, SPEAKERS)
    among = measured(Euclidean(), np.concatenate([points, far]), paths, speakers)
    for level in PATHS.levels:
        same(among, alone, "map", level)
        same(among, alone, "purity", level)
    for level in ("level 1", "level 3"):
        same(among, alone, "leakage", level)
    for key in ("distortion", "tree_correlation"):
        same(among, alone, key)


def test_intervals_of_depth__are_those_without_the_speakers_of_whom_nothing_is_known() -> None:
    rng, ball = np.random.default_rng(2), PoincareBall()
    points = planted_points(PATHS, ball, dim=6, spread_ratio=0.9, seed=1)
    near = 0.01 * rng.normal(size=(STRANGERS * EACH, 6))
    seconds = rng.uniform(1, 9, size=len(points))
    paths, speakers = with_strangers()
    unknown = np.full(len(near), np.nan)
    alone = measured(ball, points, PATHS, SPEAKERS, durations_s=seconds)
    durations = np.concatenate([seconds, unknown])
    among = measured(ball, np.concatenate([points, near]), paths, speakers, durations_s=durations)
    for key in ("depth_specificity", "depth_steps", "depth_duration", "depth_duration_within"):
        same(among, alone, key)


@pytest.mark.parametrize("like", [rate_like, correlation_like, ratio_like])
def test_interval__of_a_mean_over_three_of_a_hundred_speakers_is_students(like) -> None:
    x, paths = np.random.default_rng(3).normal(size=(100, 2)), planted_paths((2, 50), 1)
    setting = Setting.of(Euclidean(), x, paths, np.arange(100), pairs=10, resamples=4000, seed=0)
    values, among = np.zeros(100), np.array([4, 50, 77])
    values[among] = 0.49, 0.5, 0.52

    def mean(drawn: np.ndarray) -> float:
        return float(drawn[among] @ values[among] / drawn[among].sum()) if drawn[among].any() else np.nan

    estimate = float(values[among].mean())
    found = setting.interval(like, estimate, mean, among)
    reach = student.ppf(0.975, 2) * values[among].std(ddof=1) / 3**0.5
    assert found is not None
    assert found.high - estimate == pytest.approx(reach, rel=0.1)
    assert estimate - found.low == pytest.approx(reach, rel=0.1)
    left_out = setting.left_out(among)
    assert left_out.shape == (3, 100)
    jackknifed = jackknife_interval(estimate, np.array([mean(weights) for weights in left_out]))
    assert jackknifed is not None
    assert jackknifed.high - estimate == pytest.approx(reach, rel=0.05)


def test_interval__needs_two_speakers_behind_the_value() -> None:
    setting = Setting.of(Euclidean(), np.eye(8), planted_paths((2, 4), 1), np.arange(8), pairs=10, resamples=5, seed=0)
    for among in (np.array([], dtype=np.int64), np.array([3])):
        assert setting.interval(rate_like, 0.5, lambda _: 0.5, among) is None
    assert setting.interval(rate_like, 0.5, lambda _: 0.5, np.arange(8), behind=1) is None
    assert jackknife_interval(0.5, np.linspace(0.4, 0.6, 8), 1) is None


def test_jackknife__of_groups_without_a_part_in_the_value_is_as_unsure_as_of_the_rest() -> None:
    """Two of forty make the value: the quantile is that of one degree of freedom."""
    estimate, without = 0.5, np.full(40, 0.5)
    without[:2] = 0.48, 0.52
    of_two = jackknife_interval(estimate, without[:2])
    found, naive = jackknife_interval(estimate, without, 2), jackknife_interval(estimate, without)
    assert of_two is not None
    assert found is not None
    assert naive is not None
    assert found.high - estimate > 5 * (naive.high - estimate)
    assert found.high >= of_two.high

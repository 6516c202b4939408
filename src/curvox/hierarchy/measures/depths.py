"""Measures of depth: what the distance of items and nodes from the origin says."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from curvox.errors import InputError
from curvox.hierarchy.depth import NodeDepths, NodeSums, Radii, WithinSpeakers, radii, rank_correlation
from curvox.hierarchy.measures.setting import IntervalLike, Kind, Measure, Setting, correlation_like, rate_like
from curvox.hierarchy.points import Floats, Ints

_SHUFFLES = 3
_SPECIFICITY = Kind("depth_specificity", "Radius and level of nodes")
_STEPS = Kind("depth_steps", "Parents nearer to the origin than their children")


def depth_measures(setting: Setting, durations_s: Floats | None, qualities_db: Floats | None) -> tuple[Measure, ...]:
    """Return all measures of depth; each says why there is none where points have no radius."""
    found = radii(setting.space, setting.points)
    duration = Kind("depth_duration", "Radius and duration")
    quality = Kind("depth_quality", "Radius and signal-to-noise ratio")
    return (
        *_node_measures(setting, found),
        *_item_measures(setting, found, duration, durations_s, "durations_s"),
        *_item_measures(setting, found, quality, qualities_db, "qualities_db"),
    )


def _node_measures(setting: Setting, found: Radii) -> tuple[Measure, Measure]:
    if found.values is None:
        why = found.why_none or ""
        return _SPECIFICITY.none(why), _STEPS.none(why)
    sums = NodeSums.of(setting.space, setting.points, setting.paths, setting.speakers)
    depths, rng = sums.depths(np.ones(setting.count)), np.random.default_rng(setting.seed)
    shuffled = [_of_shuffled(setting, rng) for _ in range(_SHUFFLES)]
    known = np.any([setting.paths.usable(level) for level in setting.paths.levels], axis=0)
    among = setting.speakers_of(known)
    draws = [sums.depths(drawn) for drawn in setting.draws(among)]

    def measure(kind: Kind, figure: Callable[[NodeDepths], float], pairs: int, like: IntervalLike) -> Measure:
        value = figure(depths)
        if not math.isfinite(value):
            return kind.none("there are no nodes at two levels that differ in their items")
        values = np.array([figure(draw) for draw in draws])
        chances = [figure(other) for other in shuffled if math.isfinite(figure(other))]
        return kind.found(
            value,
            interval=like(value, values[np.isfinite(values)], len(among)),
            chance=float(np.mean(chances)) if chances else None,
            pairs=pairs,
            note="centroids lie further in than their points, whatever the labels: compare with chance, of items "
            "shuffled",
        )

    return (
        measure(_SPECIFICITY, lambda of: of.specificity, depths.nodes, correlation_like),
        measure(_STEPS, lambda of: of.steps, depths.parents, rate_like),
    )


def _of_shuffled(setting: Setting, rng: np.random.Generator) -> NodeDepths:
    order = rng.permutation(len(setting.points))
    sums = NodeSums.of(setting.space, setting.points, setting.paths.rows(order), setting.speakers[order])
    return sums.depths(np.ones(setting.count))


def _item_measures(
    setting: Setting, found: Radii, kind: Kind, values: Floats | None, argument: str
) -> tuple[Measure, Measure]:
    within = Kind(f"{kind.key}_within", f"{kind.title}, within speakers")
    if values is not None and np.shape(values) != setting.speakers.shape:
        raise InputError(f"{argument} must be {setting.speakers.shape}, NaN for unknown; got {np.shape(values)}")
    if found.values is None or values is None:
        why = found.why_none or f"no {argument} were given"
        return kind.none(why), within.none(why)
    y = np.asarray(values, dtype=np.float64)
    known = np.isfinite(y)
    x, y, owners = found.values[known], y[known], setting.speakers[known]
    parts = WithinSpeakers.of(x, y, owners, setting.count)
    among = parts.varying
    note = f"Spearman's within each speaker, mean over {len(among)} speakers, who count alike"
    return (
        _correlation_measure(
            setting,
            kind,
            lambda drawn: rank_correlation(x, y, drawn[owners]),
            np.unique(owners),
            pairs=len(x),
            note="Spearman's",
        ),
        _correlation_measure(setting, within, parts.mean, among, pairs=int(parts.items[among].sum()), note=note),
    )


def _correlation_measure(
    setting: Setting, kind: Kind, measure: Callable[[Floats], float], among: Ints, *, pairs: int, note: str
) -> Measure:
    value = measure(np.ones(setting.count))
    if not math.isfinite(value):
        return kind.none("it does not vary among items whose value is known")
    interval = setting.interval(correlation_like, value, measure, among)
    return kind.found(value, interval=interval, chance=0.0, pairs=pairs, note=note)

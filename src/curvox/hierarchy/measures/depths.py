"""Measures of depth: what the distance of items and nodes from the origin says."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from curvox.errors import InputError
from curvox.hierarchy.depth import NodeDepths, NodeSums, Radii, WithinSpeakers, correlation, radii, weighted_ranks
from curvox.hierarchy.measures.setting import Measure, Setting, correlation_like, no_measure, rate_like
from curvox.hierarchy.points import Floats, Ints

_SHUFFLES = 3
_SPECIFICITY = ("depth_specificity", "Radius and level of nodes")
_STEPS = ("depth_steps", "Parents nearer to the origin than their children")


def depth_measures(setting: Setting, durations_s: Floats | None, qualities_db: Floats | None) -> tuple[Measure, ...]:
    """Return all measures of depth; each says why there is none where points have no radius."""
    found = radii(setting.space, setting.points)
    made = list(_node_measures(setting, found))
    for key, title, values, name in (
        ("depth_duration", "Radius and duration", durations_s, "durations_s"),
        ("depth_quality", "Radius and signal-to-noise ratio", qualities_db, "qualities_db"),
    ):
        made += _item_measures(setting, found, (key, title), values, name)
    return tuple(made)


def _node_measures(setting: Setting, found: Radii) -> tuple[Measure, Measure]:
    if found.values is None:
        why = found.why_none or ""
        return no_measure(*_SPECIFICITY, why), no_measure(*_STEPS, why)
    sums = NodeSums.of(setting.space, setting.points, setting.paths, setting.speakers)
    depths, rng = sums.depths(np.ones(setting.count)), np.random.default_rng(setting.seed)
    shuffled = [_of_shuffled(setting, rng) for _ in range(_SHUFFLES)]
    known = np.any([setting.paths.usable(level) for level in setting.paths.levels], axis=0)
    among = setting.speakers_of(known)
    draws = [sums.depths(drawn) for drawn in setting.draws(among)]
    note = "centroids lie further in than their points, whatever the labels: compare with chance, of items shuffled"
    made = []
    for (key, title), name, count, like in (
        (_SPECIFICITY, "specificity", "nodes", correlation_like),
        (_STEPS, "steps", "parents", rate_like),
    ):
        value = getattr(depths, name)
        if not math.isfinite(value):
            made.append(no_measure(key, title, "there are no nodes at two levels that differ in their items"))
            continue
        values = np.array([getattr(draw, name) for draw in draws])
        chances = [getattr(draw, name) for draw in shuffled if math.isfinite(getattr(draw, name))]
        made.append(
            Measure(
                key=key,
                title=title,
                value=value,
                level=None,
                interval=like(value, values[np.isfinite(values)], len(among)),
                chance=float(np.mean(chances)) if chances else None,
                better=None,
                pairs=getattr(depths, count),
                note=note,
            )
        )
    return made[0], made[1]


def _of_shuffled(setting: Setting, rng: np.random.Generator) -> NodeDepths:
    order = rng.permutation(len(setting.points))
    sums = NodeSums.of(setting.space, setting.points, setting.paths.rows(order), setting.speakers[order])
    return sums.depths(np.ones(setting.count))


def _item_measures(
    setting: Setting, found: Radii, name: tuple[str, str], values: Floats | None, argument: str
) -> tuple[Measure, Measure]:
    key, title = name
    within = (f"{key}_within", f"{title}, within speakers")
    if values is not None and np.shape(values) != setting.speakers.shape:
        raise InputError(f"{argument} must be {setting.speakers.shape}, NaN for unknown; got {np.shape(values)}")
    why = found.why_none
    if why is None and values is None:
        why = f"no {argument} were given"
    if found.values is None or values is None or why is not None:
        return no_measure(key, title, why or ""), no_measure(*within, why or "")
    known = np.isfinite(np.asarray(values, dtype=np.float64))
    x, y, owners = found.values[known], np.asarray(values, dtype=np.float64)[known], setting.speakers[known]
    pooled = _correlation_measure(
        setting, name, lambda drawn: _spearman(x, y, drawn[owners]), np.unique(owners), len(x), "Spearman's"
    )
    parts = WithinSpeakers.of(x, y, owners, setting.count)
    among = parts.varying
    note = f"Spearman's within each speaker, mean over {len(among)} speakers, who count alike"
    return pooled, _correlation_measure(setting, within, parts.mean, among, int(parts.items[among].sum()), note)


def _correlation_measure(
    setting: Setting, name: tuple[str, str], measure: Callable[[Floats], float], among: Ints, count: int, note: str
) -> Measure:
    value = measure(np.ones(setting.count))
    if not math.isfinite(value):
        return no_measure(*name, "it does not vary among items whose value is known")
    return Measure(
        key=name[0],
        title=name[1],
        value=value,
        level=None,
        interval=setting.interval(correlation_like, value, measure, among),
        chance=0.0,
        better=None,
        pairs=count,
        note=note,
    )


def _spearman(x: Floats, y: Floats, weights: Floats) -> float:
    if not weights.any():
        return math.nan
    return correlation(weighted_ranks(x, weights), weighted_ranks(y, weights), weights)

"""Evaluations as plain values for JSON, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from curvox.errors import InputError
from curvox.metrics.calibration_curve import CalibrationCurve
from curvox.metrics.dcf import MinDcf, OperatingPoint
from curvox.metrics.det import DetCurve
from curvox.metrics.eer import Eer
from curvox.metrics.evaluation import Evaluation
from curvox.metrics.figures import Figure
from curvox.metrics.health import ScoreHealth, ScoreHistogram
from curvox.metrics.intervals import Interval

_PLAIN = (
    "targets",
    "non_targets",
    "speakers",
    "tied_share",
    "resamples",
    "redrawn",
    "seed",
    "why_no_figures",
    "llrs",
    "too_small",
)
# Records of tuples of numbers and texts alone.
_RECORDS = {"det": DetCurve, "health": ScoreHealth, "histogram": ScoreHistogram, "calibration": CalibrationCurve}


def evaluation_to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Return plain JSON-able values; an infinite threshold is the text "inf"."""
    made: dict[str, Any] = {name: getattr(evaluation, name) for name in _PLAIN}
    eer = evaluation.eer
    made["eer"] = None if eer is None else {**asdict(eer), "interval": _interval_to_dict(evaluation.eer_interval)}
    made["min_dcf"] = _min_dcf_to_list(evaluation.min_dcf, evaluation.min_dcf_intervals)
    for name in _RECORDS:
        record = getattr(evaluation, name)
        made[name] = None if record is None else _lists(asdict(record))
    made["figures"] = [
        {
            "key": figure.key,
            "title": figure.title,
            "value": figure.value,
            "interval": _interval_to_dict(figure.interval),
            "threshold": _threshold_to_plain(figure.threshold),
        }
        for figure in evaluation.figures
    ]
    made["groups"] = {name: evaluation_to_dict(group) for name, group in evaluation.groups.items()}
    order = [field.name for field in fields(Evaluation)]
    return {name: made[name] for name in sorted(made, key=order.index)}


def evaluation_from_dict(values: Mapping[str, Any]) -> Evaluation:
    """Build the record back from what ``evaluation_to_dict`` gave.

    Raises:
        InputError: keys or values that it does not give.
    """
    expected = {field.name for field in fields(Evaluation)} - {"eer_interval", "min_dcf_intervals"}
    if set(values) != expected:
        raise InputError(
            f"not an evaluation: missing keys {sorted(expected - set(values))}, "
            f"unknown keys {sorted(set(values) - expected)}"
        )
    try:
        min_dcf, min_dcf_intervals = _min_dcf_from_list(values["min_dcf"])
        eer, eer_interval = _eer_from_dict(values["eer"])
        records = {name: _record(kind, values[name]) for name, kind in _RECORDS.items()}
        return Evaluation(
            **{name: values[name] for name in _PLAIN},
            **records,
            eer=eer,
            eer_interval=eer_interval,
            min_dcf=min_dcf,
            min_dcf_intervals=min_dcf_intervals,
            figures=tuple(_figure_from_dict(figure) for figure in values["figures"]),
            groups={name: evaluation_from_dict(group) for name, group in values["groups"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"not an evaluation: a part has not the expected form ({error!r})") from error


def _record(kind: type, values: Mapping[str, Any] | None) -> Any:
    if values is None:
        return None
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _lists(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _figure_from_dict(values: Mapping[str, Any]) -> Figure:
    threshold = values["threshold"]
    return Figure(
        key=values["key"],
        title=values["title"],
        value=values["value"],
        interval=_interval_from_dict(values["interval"]),
        threshold=None if threshold is None else float(threshold),
    )


def _eer_from_dict(values: Mapping[str, Any] | None) -> tuple[Eer | None, Interval | None]:
    if values is None:
        return None, None
    return Eer(value=values["value"], threshold=values["threshold"]), _interval_from_dict(values["interval"])


def _min_dcf_to_list(costs: Sequence[MinDcf], intervals: Sequence[Interval]) -> list[dict[str, Any]]:
    return [
        {
            **asdict(cost.point),
            "value": cost.value,
            "threshold": _threshold_to_plain(cost.threshold),
            "interval": _interval_to_dict(intervals[i] if intervals else None),
        }
        for i, cost in enumerate(costs)
    ]


def _min_dcf_from_list(values: Sequence[Mapping[str, Any]]) -> tuple[tuple[MinDcf, ...], tuple[Interval, ...]]:
    costs = tuple(
        MinDcf(
            point=OperatingPoint(cost["p_target"], cost["cost_miss"], cost["cost_false_alarm"]),
            value=cost["value"],
            threshold=float(cost["threshold"]),
        )
        for cost in values
    )
    intervals = (_interval_from_dict(cost["interval"]) for cost in values)
    return costs, tuple(interval for interval in intervals if interval is not None)


def _threshold_to_plain(threshold: float | None) -> float | str | None:
    return "inf" if threshold is not None and math.isinf(threshold) else threshold


def _interval_to_dict(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else asdict(interval)


def _interval_from_dict(values: Mapping[str, float] | None) -> Interval | None:
    return None if values is None else Interval(low=values["low"], high=values["high"], level=values["level"])

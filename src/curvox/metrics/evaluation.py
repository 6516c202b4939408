"""All figures of one set of scored trials, pooled and per group, as one frozen record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError
from curvox.metrics.bootstrap import Interval, bootstrap_speakers
from curvox.metrics.dcf import MinDcf, OperatingPoint, min_dcf_of_roc
from curvox.metrics.det import DetCurve, det_curve
from curvox.metrics.eer import Eer, eer_of_roc
from curvox.metrics.inputs import check_mask, check_speakers, check_trials
from curvox.metrics.roc import roc_points, tied_share

DEFAULT_POINTS = (OperatingPoint(0.01), OperatingPoint(0.05))


@dataclass(frozen=True)
class Evaluation:
    """What scored trials say about a verifier.

    Attributes:
        targets: number of target trials.
        non_targets: number of non-target trials.
        speakers: number of speakers on either side of the trials.
        tied_share: share of trials, in [0, 1], whose score another trial has exactly as well.
        eer: equal error rate (a fraction) and its threshold; None when there is no figure.
        eer_interval: its interval by bootstrap over speakers; None without figure or without resamples.
        min_dcf: the lowest detection cost at every operating point asked for; empty when there is no figure.
        min_dcf_intervals: their intervals, in the same order; empty without figure or without resamples.
        det: the DET curve, thinned for drawing; None when there is no figure.
        resamples: how many resamples stand behind the intervals.
        redrawn: how many resamples had to be drawn again for lack of a class.
        seed: of the resamples.
        why_no_figures: why there are no figures; None when there are.
        groups: the same for named parts of the trials.
    """

    targets: int
    non_targets: int
    speakers: int
    tied_share: float
    eer: Eer | None = None
    eer_interval: Interval | None = None
    min_dcf: tuple[MinDcf, ...] = ()
    min_dcf_intervals: tuple[Interval, ...] = ()
    det: DetCurve | None = None
    resamples: int = 0
    redrawn: int = 0
    seed: int = 0
    why_no_figures: str | None = None
    groups: Mapping[str, Evaluation] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values; an infinite threshold is the text "inf"."""
        return {
            "targets": self.targets,
            "non_targets": self.non_targets,
            "speakers": self.speakers,
            "tied_share": self.tied_share,
            "eer": _eer_to_dict(self.eer, self.eer_interval) if self.eer else None,
            "min_dcf": _min_dcf_to_list(self.min_dcf, self.min_dcf_intervals),
            "det": _det_to_dict(self.det) if self.det else None,
            "resamples": self.resamples,
            "redrawn": self.redrawn,
            "seed": self.seed,
            "why_no_figures": self.why_no_figures,
            "groups": {name: group.to_dict() for name, group in self.groups.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Evaluation:
        """Build the record back from what ``to_dict`` gave.

        Raises:
            InputError: keys or values that ``to_dict`` does not give.
        """
        expected = set(cls.__dataclass_fields__) - {"eer_interval", "min_dcf_intervals"}
        if set(values) != expected:
            raise InputError(
                f"not an evaluation: missing keys {sorted(expected - set(values))}, "
                f"unknown keys {sorted(set(values) - expected)}"
            )
        try:
            plain = {name: values[name] for name in expected - {"eer", "min_dcf", "det", "groups"}}
            min_dcf, min_dcf_intervals = _min_dcf_from_list(values["min_dcf"])
            eer, eer_interval = _eer_from_dict(values["eer"])
            return cls(
                eer=eer,
                eer_interval=eer_interval,
                min_dcf=min_dcf,
                min_dcf_intervals=min_dcf_intervals,
                det=_det_from_dict(values["det"]),
                groups={name: cls.from_dict(group) for name, group in values["groups"].items()},
                **plain,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"not an evaluation: a part has not the expected form ({error!r})") from error


@dataclass(frozen=True)
class _Settings:
    points: tuple[OperatingPoint, ...]
    resamples: int
    seed: int
    level: float


def evaluate(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    points: Sequence[OperatingPoint] = DEFAULT_POINTS,
    groups: Mapping[str, ArrayLike] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Evaluation:
    """Return every figure of scored trials, with intervals by bootstrap over speakers, pooled and per group.

    A group without any trial of one class is listed with its counts and the reason why it has no figures.

    Args:
        scores: (N,) finite numbers, larger for the same speaker.
        labels: (N,) 1 or True for a target trial, 0 or False for a non-target trial.
        enrolment_speakers: (N,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (N,) likewise of the test side.
        points: where to take the detection cost.
        groups: (N,) boolean masks by name; groups may overlap and need not cover all trials.
        resamples: number of resamples for the intervals; 0 leaves the intervals out and is quick.
        seed: of the resamples.
        level: of the intervals.

    Raises:
        InputError: no trials, one class only, lengths that differ, NaN or infinite scores, labels that are neither
            0/1 nor bool, labels that contradict the speakers, a mask that is no mask.
    """
    if resamples < 0:
        raise InputError(f"resamples must be at least 0, got {resamples}")
    scores_, labels_, _ = check_trials(scores, labels)
    enrolment, test, _ = check_speakers(labels_, enrolment_speakers, test_speakers)
    settings = _Settings(points=tuple(points), resamples=resamples, seed=seed, level=level)
    parts = {}
    for name, mask in (groups or {}).items():
        kept = check_mask(mask, scores_.size, name)
        parts[name] = _evaluate_part(scores_[kept], labels_[kept], enrolment[kept], test[kept], settings, {})
    return _evaluate_part(scores_, labels_, enrolment, test, settings, parts)


def _evaluate_part(
    scores: NDArray[np.float64],
    labels: NDArray[np.bool_],
    enrolment: NDArray[np.intp],
    test: NDArray[np.intp],
    settings: _Settings,
    groups: Mapping[str, Evaluation],
) -> Evaluation:
    targets = int(labels.sum())
    counts = {
        "targets": targets,
        "non_targets": labels.size - targets,
        "speakers": int(np.union1d(enrolment, test).size),
        "tied_share": tied_share(scores),
    }
    if 0 in (targets, labels.size - targets):
        missing = "trials" if not labels.size else "target trials" if not targets else "non-target trials"
        return Evaluation(**counts, seed=settings.seed, why_no_figures=f"no {missing}", groups=groups)
    roc = roc_points(scores, labels)
    replicates = None
    if settings.resamples:
        replicates = bootstrap_speakers(
            scores,
            labels,
            enrolment_speakers=enrolment,
            test_speakers=test,
            points=settings.points,
            resamples=settings.resamples,
            seed=settings.seed,
        )
    return Evaluation(
        **counts,
        eer=eer_of_roc(roc),
        eer_interval=replicates.eer_interval(settings.level) if replicates else None,
        min_dcf=tuple(min_dcf_of_roc(roc, point) for point in settings.points),
        min_dcf_intervals=replicates.min_dcf_intervals(settings.level) if replicates else (),
        det=det_curve(roc),
        resamples=settings.resamples,
        redrawn=replicates.redrawn if replicates else 0,
        seed=settings.seed,
        groups=groups,
    )


def _eer_to_dict(eer: Eer, interval: Interval | None) -> dict[str, Any]:
    return {"value": eer.value, "threshold": eer.threshold, "interval": _interval_to_dict(interval)}


def _eer_from_dict(values: Mapping[str, Any] | None) -> tuple[Eer | None, Interval | None]:
    if values is None:
        return None, None
    return Eer(value=values["value"], threshold=values["threshold"]), _interval_from_dict(values["interval"])


def _min_dcf_to_list(costs: Sequence[MinDcf], intervals: Sequence[Interval]) -> list[dict[str, Any]]:
    return [
        {
            "p_target": cost.point.p_target,
            "cost_miss": cost.point.cost_miss,
            "cost_false_alarm": cost.point.cost_false_alarm,
            "value": cost.value,
            "threshold": "inf" if math.isinf(cost.threshold) else cost.threshold,
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


def _interval_to_dict(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else {"low": interval.low, "high": interval.high, "level": interval.level}


def _interval_from_dict(values: Mapping[str, float] | None) -> Interval | None:
    return None if values is None else Interval(low=values["low"], high=values["high"], level=values["level"])


def _det_to_dict(det: DetCurve) -> dict[str, list[float]]:
    return {"false_acceptance": list(det.false_acceptance), "false_rejection": list(det.false_rejection)}


def _det_from_dict(values: Mapping[str, Sequence[float]] | None) -> DetCurve | None:
    if values is None:
        return None
    return DetCurve(tuple(values["false_acceptance"]), tuple(values["false_rejection"]))

"""Thresholds on log-likelihood ratios, by name, with the error rates that were measured there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array

from curvox.errors import InputError, require_name
from curvox.metrics import (
    Interval,
    OperatingPoint,
    bayes_threshold,
    draw_speakers,
    equal_error_rate,
    far_at_frr,
    frr_at_far,
    rate_interval,
)
from curvox.metrics.inputs import check_speakers, check_trials
from curvox.scoring.calibration.contract import is_number, require_number

# Both error rates at fixed thresholds, and how sure one may be of them.


def rate_intervals(
    llrs: NDArray[np.float64],
    labels: NDArray[np.bool_],
    enrolment: NDArray[np.intp],
    test: NDArray[np.intp],
    thresholds: NDArray[np.float64],
    *,
    resamples: int,
    seed: int,
    level: float,
) -> list[tuple[float, Interval, float, Interval]]:
    """Return false acceptance rate, its interval, false rejection rate and its interval at each threshold.

    Speakers are drawn with replacement, as in ``curvox.metrics.bootstrap_speakers``: a target trial of a speaker drawn
    n times weighs n, a non-target trial of speakers drawn n and m times n · m. From the draws to the interval it is
    ``curvox.metrics.rate_interval``.

    Args:
        llrs: (T,) checked log-likelihood ratios.
        labels: (T,) whether the trial is a target.
        enrolment: (T,) number of the speaker of the enrolment side, 0 … S-1.
        test: (T,) of the test side.
        thresholds: (K,) finite.
        resamples: at least 1.
        seed: of the draws.
        level: of the intervals, in (0, 1).
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie strictly between 0 and 1, got {level}; 0.95 is usual")
    multiplicities = draw_speakers(labels, enrolment, test, resamples=resamples, seed=seed).multiplicities.T.astype(
        float
    )
    sides = []
    for of_class, accepted_is_error in ((~labels, True), (labels, False)):
        trials = int(of_class.sum())
        of_trials = np.union1d(enrolment[of_class], test[of_class]).size
        pairs = enrolment[of_class], test[of_class], multiplicities, labels[of_class][0]
        weight = _weight(np.ones(trials), *pairs)
        side = []
        for threshold in thresholds:
            errors = (llrs[of_class] >= threshold) == accepted_is_error
            replicates = _weight(errors.astype(np.float64), *pairs) / weight
            rate = float(errors.mean())
            interval = rate_interval(rate, replicates, trials=trials, speakers=of_trials, level=level)
            side.append((rate, interval))
        sides.append(side)
    return [(*far, *frr) for far, frr in zip(*sides, strict=True)]


def _weight(
    values: NDArray[np.float64],
    enrolment: NDArray[np.intp],
    test: NDArray[np.intp],
    multiplicities: NDArray[np.float64],
    targets: bool | np.bool_,
) -> NDArray[np.float64]:
    """Return (R,) the sum of values (T,) of one class of trials under multiplicities (S, R)."""
    speakers = len(multiplicities)
    if targets:
        return np.bincount(enrolment, values, speakers) @ multiplicities
    seen = values != 0
    of_pairs = coo_array((values[seen], (enrolment[seen], test[seen])), shape=(speakers, speakers)).tocsr()
    return np.einsum("sr,sr->r", multiplicities, of_pairs @ multiplicities)


KINDS = ("far", "frr", "eer", "bayes")
# Doddington's rule: fewer errors than these give no rate within 30 %, nine times in ten.
_ENOUGH_ERRORS = 30


@dataclass(frozen=True)
class NamedThreshold:
    """A threshold and what it does: accept a trial whose log-likelihood ratio is at least this.

    Attributes:
        name: such as "far:0.01", "frr:0.05", "eer", "bayes:0.01", or with costs "bayes:0.01:10:1".
        kind: what it keeps: "far", "frr", "eer" or "bayes".
        rate: the rate that was asked for, in (0, 1), of kind "far" and "frr"; None otherwise.
        llr_threshold: a natural-log likelihood ratio.
        measured_far: share of non-target trials accepted at the threshold, in [0, 1].
        measured_frr: share of target trials rejected.
        far_interval: of the false acceptance rate, over speakers.
        frr_interval: of the false rejection rate.
        point: the prior and the costs, of kind "bayes"; None otherwise.
        too_small: why the threshold means little, in a sentence; None if there is no such reason.
    """

    name: str
    kind: str
    rate: float | None
    llr_threshold: float
    measured_far: float
    measured_frr: float
    far_interval: Interval
    frr_interval: Interval
    point: OperatingPoint | None = None
    too_small: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no threshold."""
        require_name(self.kind, KINDS, "kind of threshold")
        if not isinstance(self.name, str) or not self.name:
            raise InputError(f"a threshold needs a name, got {self.name!r}")
        object.__setattr__(self, "llr_threshold", require_number(self.llr_threshold, "llr_threshold"))
        for name in ("measured_far", "measured_frr"):
            if not 0 <= require_number(getattr(self, name), name) <= 1:
                raise InputError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if (self.rate is not None) != (self.kind in ("far", "frr")):
            raise InputError(f'a threshold of kind "{self.kind}" cannot have the rate {self.rate}')
        if self.rate is not None:
            _check_rate(self.rate)
        if (self.point is not None) != (self.kind == "bayes"):
            raise InputError(f'a threshold of kind "{self.kind}" cannot have the operating point {self.point}')
        for name in ("far_interval", "frr_interval"):
            interval = getattr(self, name)
            if not 0 <= interval.low <= interval.high <= 1 or not 0 < interval.level < 1:
                raise InputError(f"{name} must be an interval within [0, 1], got {interval}")

    def accepts(self, llrs: ArrayLike) -> NDArray[np.bool_]:
        """Return which log-likelihood ratios, of any one shape, are at least the threshold; a NaN is refused."""
        llrs_ = np.asarray(llrs, dtype=np.float64)
        if np.isnan(llrs_).any():
            raise InputError(f"{int(np.isnan(llrs_).sum())} of {llrs_.size} log-likelihood ratios are NaN")
        return np.asarray(llrs_ >= self.llr_threshold)


@dataclass(frozen=True, eq=False)
class _Wanted:
    """A threshold that was asked for and found, before its rates are measured."""

    name: str
    kind: str
    llr_threshold: float
    rate: float | None = None
    point: OperatingPoint | None = field(default=None)

    def measured(self, rates: tuple[float, Interval, float, Interval], counts: Mapping[str, int]) -> NamedThreshold:
        """Return it with both rates and their intervals, measured on so many trials that "far" and "frr" may err in."""
        far, far_interval, frr, frr_interval = rates
        errors = {"far": round(far * counts["far"]), "frr": round(frr * counts["frr"])}
        return NamedThreshold(
            name=self.name,
            kind=self.kind,
            rate=self.rate,
            llr_threshold=self.llr_threshold,
            measured_far=far,
            measured_frr=frr,
            far_interval=far_interval,
            frr_interval=frr_interval,
            point=self.point,
            too_small=_too_small(self.kind, errors),
        )


def find_thresholds(
    llrs: ArrayLike,
    labels: ArrayLike,
    *,
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    fars: Sequence[float] = (0.01, 0.001),
    frrs: Sequence[float] = (0.01,),
    points: Sequence[OperatingPoint] = (),
    eer: bool = True,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[NamedThreshold, ...]:
    """Return thresholds for named error rates, each with both rates measured there and their intervals.

    Give it log-likelihood ratios of speakers the calibration has not met: ``held_out_llrs``, where ``used``.

    The threshold of a false acceptance rate is the lowest that does not exceed it, that of a false rejection rate the
    highest; tied trials fall together. That of the EER is where both rates are nearest to each other. That of an
    operating point comes from its prior and costs alone (Bayes) and owes nothing to these trials. The intervals hold
    the threshold where it is and draw the speakers anew, see ``rate_intervals``.

    Args:
        llrs: (T,) finite natural-log likelihood ratios.
        labels: (T,) 1 or True for a target trial, 0 or False for a non-target trial.
        enrolment_speakers: (T,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (T,) likewise of the test side.
        fars: false acceptance rates to keep, in (0, 1); see ``measurable_rates``.
        frrs: false rejection rates to keep.
        points: operating points.
        eer: whether to add the equal error rate.
        resamples: of the speakers, at least 1.
        seed: of the resamples.
        level: of the intervals, in (0, 1).

    Raises:
        InputError: what the metrics refuse, and a rate that so few trials cannot show: less than one error.
    """
    llrs_, labels_, _ = check_trials(llrs, labels)
    enrolment, test, _ = check_speakers(labels_, enrolment_speakers, test_speakers)
    wanted = [
        *(_at_rate("far", rate, llrs_, labels_) for rate in fars),
        *(_at_rate("frr", rate, llrs_, labels_) for rate in frrs),
        *([_Wanted("eer", "eer", equal_error_rate(llrs_, labels_).threshold)] if eer else []),
        *(_Wanted(_name_of(point), "bayes", bayes_threshold(point), point=point) for point in points),
    ]
    names = [one.name for one in wanted]
    if len(set(names)) != len(names):
        raise InputError(f"the same threshold was asked for twice: {', '.join(names)}")
    thresholds = np.array([one.llr_threshold for one in wanted])
    measured = rate_intervals(llrs_, labels_, enrolment, test, thresholds, resamples=resamples, seed=seed, level=level)
    targets = int(labels_.sum())
    counts = {"far": labels_.size - targets, "frr": targets}
    return tuple(one.measured(rates, counts) for one, rates in zip(wanted, measured, strict=True))


def measurable_rates(rates: Sequence[float], trials: int) -> tuple[float, ...]:
    """Return those rates at which one error or more is expected among so many trials of the class that errs."""
    return tuple(rate for rate in rates if _check_rate(rate) * trials >= 1)


def bayes_decisions(llrs: ArrayLike, point: OperatingPoint) -> NDArray[np.bool_]:
    """Return which trials to accept, for the least expected cost at an operating point; a NaN is refused."""
    llrs_ = np.asarray(llrs, dtype=np.float64)
    if np.isnan(llrs_).any():
        raise InputError(f"{int(np.isnan(llrs_).sum())} of {llrs_.size} log-likelihood ratios are NaN")
    return np.asarray(llrs_ >= bayes_threshold(point))


def _at_rate(kind: str, rate: float, llrs: NDArray[np.float64], labels: NDArray[np.bool_]) -> _Wanted:
    erring, of_class = ("false acceptance", ~labels) if kind == "far" else ("false rejection", labels)
    trials = int(of_class.sum())
    if not measurable_rates((rate,), trials):
        raise InputError(
            f"a {erring} rate of {rate:g} is less than one error in {trials} {'non-' if kind == 'far' else ''}target "
            f"trials and cannot be known from them; give {int(np.ceil(_ENOUGH_ERRORS / rate)):,} trials of that class "
            "(30 errors), or ask for a higher rate"
        )
    threshold_at: Callable[..., Any] = frr_at_far if kind == "far" else far_at_frr
    threshold = float(threshold_at(llrs, labels, rate).threshold)
    if not np.isfinite(threshold):
        raise InputError(
            f"no threshold keeps a {erring} rate of {rate:g} but the one that rejects everything: too many non-target "
            "trials share the highest ratio; look at the ties of the scores"
        )
    return _Wanted(f"{kind}:{rate:g}", kind, threshold, rate=float(rate))


def _name_of(point: OperatingPoint) -> str:
    costs = "" if point.cost_miss == point.cost_false_alarm == 1 else f":{point.cost_miss:g}:{point.cost_false_alarm:g}"
    return f"bayes:{point.p_target:g}{costs}"


def _too_small(kind: str, errors: Mapping[str, int]) -> str | None:
    what = {"far": "false acceptances", "frr": "false rejections"}
    concerned = (kind,) if kind in errors else tuple(errors)
    few = [f"{errors[one]} {what[one]}" for one in concerned if errors[one] < _ENOUGH_ERRORS]
    if not few:
        return None
    return f"rests on {' and '.join(few)}; fewer than {_ENOUGH_ERRORS} say little (Doddington's rule of 30)"


def _check_rate(rate: Any) -> float:
    if not is_number(rate) or not 0 < rate < 1:
        raise InputError(f"a rate must lie strictly between 0 and 1, got {rate!r}; 0.01 is one error in a hundred")
    return float(rate)

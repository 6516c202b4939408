"""Thresholds on log-likelihood ratios, by name, with the error rates that were measured there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError, require_name
from curvox.metrics import (
    Interval,
    MeasuredRates,
    OperatingPoint,
    bayes_threshold,
    check_trials,
    equal_error_rate,
    far_at_frr,
    frr_at_far,
    point_key,
    rates_at_thresholds,
)
from curvox.scoring.calibration.contract import check_llrs, is_number, require_number

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
        return np.asarray(check_llrs(llrs) >= self.llr_threshold)


class _Wanted(NamedTuple):
    """A threshold that was asked for and found, before its rates are measured: the fields of `NamedThreshold`."""

    name: str
    kind: str
    llr_threshold: float
    rate: float | None = None
    point: OperatingPoint | None = None


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
    the threshold where it is and draw the speakers anew, see ``curvox.metrics.rates_at_thresholds``.

    The arguments are those of ``curvox.metrics.evaluate``, and:

    Args:
        fars: false acceptance rates to keep, in (0, 1); see ``measurable_rates``.
        frrs: false rejection rates to keep.
        points: operating points.
        eer: whether to add the equal error rate.
        resamples: of the speakers, at least 1.

    Raises:
        InputError: what the metrics refuse, and a rate that so few trials cannot show: less than one error.
    """
    llrs_, labels_, _ = check_trials(llrs, labels)
    wanted = [
        *(_at_rate("far", rate, llrs_, labels_) for rate in fars),
        *(_at_rate("frr", rate, llrs_, labels_) for rate in frrs),
        *([_Wanted("eer", "eer", equal_error_rate(llrs_, labels_).threshold)] if eer else []),
        *(_Wanted(f"bayes:{point_key(point)}", "bayes", bayes_threshold(point), point=point) for point in points),
    ]
    names = [one.name for one in wanted]
    if len(set(names)) != len(names):
        raise InputError(f"the same threshold was asked for twice: {', '.join(names)}")
    measured = rates_at_thresholds(
        llrs_,
        labels_,
        [one.llr_threshold for one in wanted],
        enrolment_speakers=enrolment_speakers,
        test_speakers=test_speakers,
        resamples=resamples,
        seed=seed,
        level=level,
    )
    targets = int(labels_.sum())
    return tuple(
        NamedThreshold(
            **one._asdict(),
            measured_far=rates.false_acceptance,
            measured_frr=rates.false_rejection,
            far_interval=rates.false_acceptance_interval,
            frr_interval=rates.false_rejection_interval,
            too_small=_too_small(one.kind, rates, targets, labels_.size - targets),
        )
        for one, rates in zip(wanted, measured, strict=True)
    )


def measurable_rates(rates: Sequence[float], trials: int) -> tuple[float, ...]:
    """Return those rates at which one error or more is expected among so many trials of the class that errs."""
    return tuple(rate for rate in rates if _check_rate(rate) * trials >= 1)


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


def _too_small(kind: str, rates: MeasuredRates, targets: int, non_targets: int) -> str | None:
    what = {"far": "false acceptances", "frr": "false rejections"}
    errors = {"far": round(rates.false_acceptance * non_targets), "frr": round(rates.false_rejection * targets)}
    concerned = (kind,) if kind in errors else tuple(errors)
    few = [f"{errors[one]} {what[one]}" for one in concerned if errors[one] < _ENOUGH_ERRORS]
    if not few:
        return None
    return f"rests on {' and '.join(few)}; fewer than {_ENOUGH_ERRORS} say little (Doddington's rule of 30)"


def _check_rate(rate: Any) -> float:
    if not is_number(rate) or not 0 < rate < 1:
        raise InputError(f"a rate must lie strictly between 0 and 1, got {rate!r}; 0.01 is one error in a hundred")
    return float(rate)

"""From a score to a natural-log likelihood ratio: the calibrations by name, and the posterior that follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from curvox.errors import InputError, nearest
from curvox.tables import Entry, Table

CALIBRATIONS = Table(
    "calibration",
    {
        "logistic": Entry(
            "curvox.scoring.logistic_calibration",
            "LogisticCalibration",
            "a straight line, and quality if wanted",
            "brummer2006evaluation",
        ),
        "isotonic": Entry(
            "curvox.scoring.isotonic_calibration",
            "IsotonicCalibration",
            "any rising function, from many trials",
            "zadrozny2002calibration",
        ),
    },
)


class AbstractCalibration(ABC):
    """Turns scores, and perhaps the quality of the trials' recordings, into log-likelihood ratios.

    Attributes:
        quality_names: what the columns of ``quality`` are; empty where the score alone decides.
    """

    quality_names: tuple[str, ...]

    @classmethod
    @abstractmethod
    def fit(
        cls,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        quality: ArrayLike | None,
        quality_names: Sequence[str],
        prior: float,
        weights: ArrayLike | None,
        smoothing: bool,
    ) -> Self:
        """Fit to labelled trials; ``fit_calibration`` says what the arguments are."""

    @abstractmethod
    def llrs(self, scores: ArrayLike, quality: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return (T,) natural-log likelihood ratios of scores (T,), and of quality (T, Q) in the order of its names.

        Raises:
            InputError: values that are not finite, or quality that is missing, not wanted or of another width.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return plain values for JSON, of which ``calibration_from`` makes the same calibration again."""

    @classmethod
    @abstractmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """Return the calibration that ``describe`` described, or refuse what is not one."""


def fit_calibration(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    kind: str = "logistic",
    quality: ArrayLike | None = None,
    quality_names: Sequence[str] = (),
    prior: float = 0.5,
    weights: ArrayLike | None = None,
    smoothing: bool = False,
) -> AbstractCalibration:
    """Fit a calibration to labelled trials.

    What it gives on these same trials flatters it: ``held_out_llrs`` says how well it does on speakers it has not met.

    Args:
        scores: (T,) finite numbers, larger for the same speaker.
        labels: (T,) 1 or True for a target trial, 0 or False for a non-target trial.
        kind: a name in ``CALIBRATIONS``.
        quality: (T, Q) finite numbers, what else is known of each trial, as ``trial_quality`` gives it. Logistic only.
        quality_names: the names of the Q columns; they travel with the calibration.
        prior: of a target, strictly between 0 and 1: where the logistic fit is to be good (FoCal's effective prior).
            Isotonic regression is best for all priors at once and is the same for every one.
        weights: (T,) how much each trial counts, at least 0; a whole number equals that many repetitions. 1 if None.
        smoothing: whether one extra trial of each class is counted, spread evenly over the trials of the other class.
            Then the logistic fit is finite for separable scores too, which are refused without it; the ratio of a
            typical target comes to about the logarithm of the number of non-targets. Isotonic regression has extra
            trials of its own at its ends anyway.

    Raises:
        UnknownNameError: no calibration of that name.
        InputError: empty input, lengths that differ, values that are not finite, one class only, constant scores or
            columns, scores that look reversed or useless, or (logistic, without smoothing) separable ones.
    """
    cls: type[AbstractCalibration] = CALIBRATIONS.load(kind)
    return cls.fit(
        scores,
        labels,
        quality=quality,
        quality_names=quality_names,
        prior=prior,
        weights=weights,
        smoothing=smoothing,
    )


def calibration_from(description: Mapping[str, Any]) -> AbstractCalibration:
    """Return the calibration that ``describe`` described.

    Raises:
        UnknownNameError: no calibration of that name.
        InputError: missing or unknown keys, values of another type or out of range.
    """
    if not isinstance(description, Mapping) or not isinstance(description.get("name"), str):
        raise InputError(f'a calibration is described by a mapping with the key "name", got {description!r}')
    cls: type[AbstractCalibration] = CALIBRATIONS.load(description["name"])
    return cls.from_description(description)


def posterior(llrs: ArrayLike, p_target: float) -> NDArray[np.float64]:
    """Return the probability of a target trial, in [0, 1], given its log-likelihood ratio and the prior (Bayes).

    Args:
        llrs: natural-log likelihood ratios of any one shape; infinite ones give 0 and 1.
        p_target: the prior probability of a target, strictly between 0 and 1.

    Raises:
        InputError: a NaN, or a prior outside (0, 1).
    """
    llrs_ = np.asarray(llrs, dtype=np.float64)
    if np.isnan(llrs_).any():
        raise InputError(f"{int(np.isnan(llrs_).sum())} of {llrs_.size} log-likelihood ratios are NaN")
    return np.asarray(expit(llrs_ + prior_log_odds(p_target, "p_target")), dtype=np.float64)


def prior_log_odds(prior: float, name: str = "prior") -> float:
    """Return ``log(p / (1 - p))``, or refuse a prior that is not strictly between 0 and 1."""
    if not is_number(prior) or not 0 < prior < 1:
        raise InputError(f"{name} must lie strictly between 0 and 1, got {prior!r}")
    return float(logit(prior))


def check_scores(scores: ArrayLike) -> NDArray[np.float64]:
    """Return scores as a vector (T,) of finite float64, or refuse them."""
    array = np.asarray(scores)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "fiu"):
        raise InputError(f"scores must be a vector of real numbers, got {array.dtype} of shape {array.shape}")
    array = array.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        raise InputError(f"scores must be finite, {wrong.size} of {array.size} are not, the first at index {wrong[0]}")
    return array


def check_quality(quality: ArrayLike | None, names: Sequence[str], trials: int) -> NDArray[np.float64]:
    """Return quality as a matrix (T, Q) of finite float64 with a column for every name, or refuse it."""
    if quality is None:
        if len(names):
            raise InputError(f"quality is missing: give a column for each of {', '.join(names)} (trial_quality)")
        return np.empty((trials, 0))
    array = np.asarray(quality)
    if array.shape != (trials, len(names)) or (array.size and array.dtype.kind not in "fiu"):
        wanted = f"({', '.join(names)})" if len(names) else "(none: no quality_names)"
        raise InputError(
            f"quality must be real numbers of shape ({trials}, {len(names)}), a row for each trial and a column for "
            f"each name {wanted}, got {array.dtype} of shape {array.shape}"
        )
    array = array.astype(np.float64)
    for name, column in zip(names, array.T, strict=True):
        wrong = np.flatnonzero(~np.isfinite(column))
        if wrong.size:
            raise InputError(
                f'quality "{name}" must be finite, {wrong.size} of {trials} values are not, '
                f"the first at index {wrong[0]}; leave the column out or measure the recording"
            )
    return array


def require_keys(description: Mapping[str, Any], keys: Collection[str], what: str) -> None:
    """Refuse a description whose keys are not exactly these."""
    missing = [key for key in keys if key not in description]
    if missing:
        raise InputError(f'the description of {what} lacks "{missing[0]}"; it has {sorted(map(str, description))}')
    for key in description:
        if key not in keys:
            raise InputError(f'the description of {what} has an unknown key "{key}": {nearest(str(key), keys)}')


def require_number(value: Any, name: str) -> float:
    """Return a finite number as a float, or refuse it."""
    if not is_number(value) or not np.isfinite(value):
        raise InputError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def is_number(value: Any) -> bool:
    """Return whether this is a real number; truth values are none."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)

"""From a score to a natural-log likelihood ratio: calibrations, their check on other speakers, posteriors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from curvox.errors import InputError, nearest, require_name
from curvox.metrics import check_speakers, check_trials
from curvox.tables import Entry, Table

CALIBRATIONS = Table(
    "calibration",
    {
        "logistic": Entry(
            "curvox.scoring.calibration.regression",
            "LogisticCalibration",
            "a straight line, and quality if wanted",
            "brummer2006evaluation",
        ),
        "isotonic": Entry(
            "curvox.scoring.calibration.regression",
            "IsotonicCalibration",
            "any rising function, from many trials",
            "zadrozny2002calibration",
        ),
    },
)
ACROSS_FOLDS = ("drop", "fit")


@dataclass(frozen=True, eq=False)
class CalibrationTrials:
    """Checked trials: scores (T,), labels (T,), weights (T,) or None, quality (T, Q) and the names of its columns."""

    scores: NDArray[np.float64]
    labels: NDArray[np.bool_]
    weights: NDArray[np.float64] | None
    quality: NDArray[np.float64]
    quality_names: tuple[str, ...]

    @classmethod
    def checked(
        cls,
        scores: ArrayLike,
        labels: ArrayLike,
        *,
        weights: ArrayLike | None,
        quality: ArrayLike | None,
        quality_names: Sequence[str],
    ) -> Self:
        """Take trials, or refuse them; ``fit_calibration`` says what the arguments are."""
        scores_, labels_, weights_ = check_trials(scores, labels, weights)
        names = check_names(quality_names)
        return cls(scores_, labels_, weights_, check_quality(quality, names, scores_.size), names)

    def where(self, rows: NDArray[np.bool_]) -> Self:
        """Return some of the trials."""
        weights = None if self.weights is None else self.weights[rows]
        return replace(
            self, scores=self.scores[rows], labels=self.labels[rows], weights=weights, quality=self.quality[rows]
        )


class AbstractCalibration(ABC):
    """Turns scores, and perhaps the quality of the trials' recordings, into log-likelihood ratios.

    Attributes:
        quality_names: what the columns of ``quality`` are; empty where the score alone decides.
    """

    quality_names: tuple[str, ...]

    @classmethod
    @abstractmethod
    def fit(cls, trials: CalibrationTrials, *, prior: float, smoothing: bool) -> Self:
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
    trials = CalibrationTrials.checked(scores, labels, weights=weights, quality=quality, quality_names=quality_names)
    return cls.fit(trials, prior=prior, smoothing=smoothing)


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
    return np.asarray(expit(check_llrs(llrs) + prior_log_odds(p_target, "p_target")), dtype=np.float64)


def check_llrs(llrs: ArrayLike) -> NDArray[np.float64]:
    """Return log-likelihood ratios of any one shape in float64, or refuse a NaN among them."""
    llrs_ = np.asarray(llrs, dtype=np.float64)
    if np.isnan(llrs_).any():
        raise InputError(f"{int(np.isnan(llrs_).sum())} of {llrs_.size} log-likelihood ratios are NaN")
    return llrs_


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


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns of quality, or refuse what is none or comes twice."""
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise InputError(f"quality_names must be a sequence of names, got {names!r}")
    if len(set(names)) != len(names):
        raise InputError(f"quality_names must differ from each other, got {', '.join(names)}")
    return tuple(names)


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


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Log-likelihood ratios of trials none of whose speakers was in the fit that gave them.

    Attributes:
        llrs: (T,) natural-log likelihood ratios; NaN for trials that are not used.
        used: (T,) whether the trial has a ratio.
        folds: how many groups the speakers were dealt into.
        speakers: how many speakers.
        dropped: how many trials have no ratio, since their two speakers are in different folds.
        calibrations: those that were fitted on the way, for a look at how much they differ.
    """

    llrs: NDArray[np.float64]
    used: NDArray[np.bool_]
    folds: int
    speakers: int
    dropped: int
    calibrations: tuple[AbstractCalibration, ...]


def held_out_llrs(
    scores: ArrayLike,
    labels: ArrayLike,
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    *,
    kind: str = "logistic",
    quality: ArrayLike | None = None,
    quality_names: Sequence[str] = (),
    prior: float = 0.5,
    weights: ArrayLike | None = None,
    smoothing: bool = False,
    folds: int = 5,
    seed: int = 0,
    across_folds: str = "drop",
) -> HeldOut:
    """Return log-likelihood ratios of trials by calibrations that have not met their speakers (cross-fitting).

    Speakers are dealt into folds. The trials within a fold get their ratios from the calibration that is fitted to the
    trials without any speaker of that fold.

    The arguments are those of ``fit_calibration``, and:

    Args:
        enrolment_speakers: (T,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (T,) likewise of the test side.
        folds: how many, at least 2.
        seed: of the dealing, which depends on the set of speakers and not on the order of trials.
        across_folds: what becomes of non-target trials whose speakers are in different folds, about ``1 - 1 / folds``
            of all non-targets: "drop" leaves them out of the check, "fit" makes a calibration without both folds for
            each pair of folds, ``folds · (folds + 1) / 2`` fits in all, so that every trial is checked.

    Raises:
        UnknownNameError: no calibration of that name.
        InputError: what ``fit_calibration`` refuses, labels that contradict the speakers, fewer than two speakers for
            each fold, or a fold whose fit or whose check would be without targets or non-targets.
    """
    trials = CalibrationTrials.checked(scores, labels, weights=weights, quality=quality, quality_names=quality_names)
    cls: type[AbstractCalibration] = CALIBRATIONS.load(kind)

    def fit(rows: NDArray[np.bool_]) -> AbstractCalibration:
        return cls.fit(trials.where(rows), prior=prior, smoothing=smoothing)

    def apply(calibration: AbstractCalibration, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        return calibration.llrs(trials.scores[rows], trials.quality[rows])

    return cross_fit(
        trials.labels, enrolment_speakers, test_speakers, fit, apply, folds=folds, seed=seed, across_folds=across_folds
    )


def cross_fit(
    labels: NDArray[np.bool_],
    enrolment_speakers: ArrayLike,
    test_speakers: ArrayLike,
    fit: Callable[[NDArray[np.bool_]], AbstractCalibration],
    apply: Callable[[AbstractCalibration, NDArray[np.bool_]], NDArray[np.float64]],
    *,
    folds: int = 5,
    seed: int = 0,
    across_folds: str = "drop",
) -> HeldOut:
    """Fit and apply anything by the plan of ``held_out_llrs``, whose arguments these are.

    ``fit`` goes from a mask of trials (T,) to a calibration, ``apply`` from that and a mask to likelihood ratios.
    """
    _check_folds(folds, across_folds)
    enrolment, test, speakers = check_speakers(labels, enrolment_speakers, test_speakers)
    fold = _deal(speakers, folds, seed)
    first, second = np.minimum(fold[enrolment], fold[test]), np.maximum(fold[enrolment], fold[test])
    llrs, used = np.full(labels.size, np.nan), np.zeros(labels.size, dtype=np.bool_)
    calibrations = []
    for pair in combinations_with_replacement(range(folds), 2):
        check = (first == pair[0]) & (second == pair[1])
        if not check.any() or (across_folds == "drop" and pair[0] != pair[1]):
            continue
        rows = ~(np.isin(first, pair) | np.isin(second, pair))
        _require_both_classes(labels[rows], f"without the speakers of fold {pair[0]}, to fit to,", folds)
        calibrations.append(fit(rows))
        llrs[check] = apply(calibrations[-1], check)
        used |= check
    _require_both_classes(labels[used], "whose speakers share a fold, to check on,", folds)
    dropped = int((~used).sum())
    return HeldOut(llrs, used, int(folds), speakers, dropped, tuple(calibrations))


def _check_folds(folds: int, across_folds: str) -> None:
    require_name(across_folds, ACROSS_FOLDS, "way with trials across folds")
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or folds < 2:
        raise InputError(f"folds must be a whole number of at least 2, got {folds!r}")
    if across_folds == "fit" and folds < 3:
        raise InputError('across_folds="fit" leaves two folds out at once and needs at least folds=3')


def _deal(speakers: int, folds: int, seed: int) -> NDArray[np.intp]:
    """Return (S,) the fold of each speaker, folds differing by one speaker at most, or refuse too few speakers."""
    if speakers < 2 * folds:
        raise InputError(
            f"a held-out check in {folds} folds needs at least {2 * folds} speakers, two a fold, got {speakers}; give "
            f"more speakers{f' or take folds={speakers // 2}' if speakers >= 4 else ''}"
        )
    fold = np.empty(speakers, dtype=np.intp)
    fold[np.random.default_rng(seed).permutation(speakers)] = np.arange(speakers) % folds
    return fold


def _require_both_classes(labels: NDArray[np.bool_], which: str, folds: int) -> None:
    for wanted, name in ((True, "target"), (False, "non-target")):
        if not (labels == wanted).any():
            raise InputError(
                f"the trials {which} have no {name} among them; give more trials, or other folds than {folds}"
            )

"""Calibration checked on speakers it has not met."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.errors import InputError, require_name
from curvox.metrics.inputs import check_speakers, check_trials
from curvox.scoring.calibration import CALIBRATIONS, AbstractCalibration, check_quality, fit_calibration

ACROSS_FOLDS = ("drop", "fit")


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

    Args:
        scores: (T,) finite numbers, larger for the same speaker.
        labels: (T,) 1 or True for a target trial, 0 or False for a non-target trial.
        enrolment_speakers: (T,) names or whole numbers, the speaker of the enrolment side.
        test_speakers: (T,) likewise of the test side.
        kind: a name in ``CALIBRATIONS``; this and the next five as in ``fit_calibration``.
        quality: (T, Q) finite numbers or None.
        quality_names: the names of its columns.
        prior: of a target.
        weights: (T,) how much each trial counts in the fits.
        smoothing: whether one extra trial of each class is counted in each fit.
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
    scores_, labels_, weights_ = check_trials(scores, labels, weights)
    require_name(kind, CALIBRATIONS, "calibration")
    columns = None if quality is None else check_quality(quality, quality_names, scores_.size)

    def fit(rows: NDArray[np.bool_]) -> AbstractCalibration:
        return fit_calibration(
            scores_[rows],
            labels_[rows],
            kind=kind,
            quality=None if columns is None else columns[rows],
            quality_names=quality_names,
            prior=prior,
            weights=None if weights_ is None else weights_[rows],
            smoothing=smoothing,
        )

    def apply(calibration: AbstractCalibration, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        return calibration.llrs(scores_[rows], None if columns is None else columns[rows])

    return cross_fit(
        labels_, enrolment_speakers, test_speakers, fit, apply, folds=folds, seed=seed, across_folds=across_folds
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
    """Fit and apply anything by the plan of ``held_out_llrs``.

    Args:
        labels: (T,) whether the trial is a target.
        enrolment_speakers: (T,) the speaker of the enrolment side.
        test_speakers: (T,) of the test side.
        fit: from a mask of trials (T,) to a calibration.
        apply: from a calibration and a mask of trials to their log-likelihood ratios.
        folds: as in ``held_out_llrs``, also the next two.
        seed: of the dealing.
        across_folds: "drop" or "fit".
    """
    require_name(across_folds, ACROSS_FOLDS, "way with trials across folds")
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or folds < 2:
        raise InputError(f"folds must be a whole number of at least 2, got {folds!r}")
    if across_folds == "fit" and folds < 3:
        raise InputError('across_folds="fit" leaves two folds out at once and needs at least folds=3')
    enrolment, test, speakers = check_speakers(labels, enrolment_speakers, test_speakers)
    if speakers < 2 * folds:
        raise InputError(
            f"a held-out check in {folds} folds needs at least {2 * folds} speakers, two a fold, got {speakers}; give "
            f"more speakers{f' or take folds={speakers // 2}' if speakers >= 4 else ''}"
        )
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


def _deal(speakers: int, folds: int, seed: int) -> NDArray[np.intp]:
    """Return (S,) the fold of each speaker, folds differing by one speaker at most."""
    fold = np.empty(speakers, dtype=np.intp)
    fold[np.random.default_rng(seed).permutation(speakers)] = np.arange(speakers) % folds
    return fold


def _require_both_classes(labels: NDArray[np.bool_], which: str, folds: int) -> None:
    for wanted, name in ((True, "target"), (False, "non-target")):
        if not (labels == wanted).any():
            raise InputError(
                f"the trials {which} have no {name} among them; give more trials, or other folds than {folds}"
            )

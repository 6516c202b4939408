"""Logistic and isotonic regression of scores to log-likelihood ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from curvox.errors import InputError
from curvox.metrics import pav_llrs
from curvox.scoring.calibration.contract import (
    AbstractCalibration,
    CalibrationTrials,
    check_names,
    check_quality,
    check_scores,
    prior_log_odds,
    require_keys,
    require_number,
)

# On the weights of standardised columns, beside a mean cost of at most log 2: it decides only what the data do not,
# such as how two columns that say the same share their weight.
_RIDGE = 1e-9
_STEPS = 100
# Newton's decrement, relative to the cost, below which one more step reaches the limit of float64.
_CLOSE = 1e-10


@dataclass(frozen=True)
class LogisticCalibration(AbstractCalibration):
    """``llr = slope · score + offset + Σ quality_slopes · quality``.

    Attributes:
        slope: above 0.
        offset: of the sum.
        quality_names: what the columns of quality are.
        quality_slopes: their weights, as many.
        prior: of a target, in (0, 1), for which it was fitted.
        smoothing: whether one extra trial of each class was counted.
    """

    slope: float
    offset: float
    quality_names: tuple[str, ...] = ()
    quality_slopes: tuple[float, ...] = ()
    prior: float = 0.5
    smoothing: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no calibration."""
        for name in ("slope", "offset", "prior"):
            object.__setattr__(self, name, require_number(getattr(self, name), name))
        if self.slope <= 0:
            raise InputError(f"slope must be above 0, got {self.slope}; a larger score is to mean the same speaker")
        prior_log_odds(self.prior)
        if not isinstance(self.smoothing, bool):
            raise InputError(f"smoothing must be true or false, got {self.smoothing!r}")
        object.__setattr__(self, "quality_names", check_names(self.quality_names))
        slopes = tuple(require_number(value, "a slope of quality") for value in self.quality_slopes)
        object.__setattr__(self, "quality_slopes", slopes)
        if len(slopes) != len(self.quality_names):
            raise InputError(f"quality has {len(self.quality_names)} names and {len(slopes)} slopes; give one each")

    @classmethod
    def fit(cls, trials: CalibrationTrials, *, prior: float, smoothing: bool) -> Self:
        """Minimise the prior-weighted cross-entropy of the trials by Newton's method.

        With z = llr + log(prior / (1 - prior)) the cost is ``prior · mean(log(1 + exp(-z)))`` over targets plus
        ``(1 - prior) · mean(log(1 + exp(z)))`` over non-targets (Brümmer & du Preez, "Application-independent
        evaluation of speaker detection", Computer Speech & Language 20, 2006; the FoCal toolkit), plus a ridge of
        5e-10 · |weights|² on standardised columns. An affine change of the scores or of a column changes no ratio.

        The arguments and what is refused are those of ``fit_calibration``.
        """
        scores, labels, names = trials.scores, trials.labels, trials.quality_names
        columns = np.column_stack((scores, trials.quality))
        if not isinstance(smoothing, bool):
            raise InputError(f"smoothing must be true or false, got {smoothing!r}")
        log_odds = prior_log_odds(prior)
        as_target, as_non_target = _class_weights(labels, trials.weights, prior, smoothing=smoothing)
        trial_weights = as_target + as_non_target
        targets, non_targets = (of_class & (trial_weights > 0) for of_class in (labels, ~labels))
        if not smoothing:
            _refuse_separable(scores[targets], scores[non_targets], "scores")
        standardised, centres, scales = _standardise(columns, trial_weights, ("scores", *names))
        intercept, slopes = _minimise(standardised, as_target, as_non_target, log_odds)
        if slopes[0] <= 0:
            raise InputError(
                f"scores look reversed or useless: the best slope is {slopes[0] / scales[0]:.3g}, so a larger score "
                "does not speak for the same speaker; check the labels, the sign of the scores and the model"
            )
        if not smoothing and names:
            ratios = standardised @ slopes
            _refuse_separable(ratios[targets], ratios[non_targets], "scores and quality together")
        slopes = slopes / scales
        return cls(
            slope=float(slopes[0]),
            offset=float(intercept - slopes @ centres),
            quality_names=names,
            quality_slopes=tuple(slopes[1:].tolist()),
            prior=prior,
            smoothing=smoothing,
        )

    def llrs(self, scores: ArrayLike, quality: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the natural-log likelihood ratios (T,) of scores (T,) and quality (T, Q)."""
        scores_ = check_scores(scores)
        columns = check_quality(quality, self.quality_names, scores_.size)
        return self.slope * scores_ + self.offset + columns @ np.asarray(self.quality_slopes, dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": "logistic",
            "slope": self.slope,
            "offset": self.offset,
            "quality": dict(zip(self.quality_names, self.quality_slopes, strict=True)),
            "prior": self.prior,
            "smoothing": self.smoothing,
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """Return the calibration that ``describe`` described, or refuse what is not one."""
        keys = ("name", "slope", "offset", "quality", "prior", "smoothing")
        require_keys(description, keys, "a logistic calibration")
        quality = description["quality"]
        if not isinstance(quality, Mapping):
            raise InputError(f"quality must map names to slopes, got {quality!r}")
        return cls(
            slope=description["slope"],
            offset=description["offset"],
            quality_names=tuple(quality),
            quality_slopes=tuple(quality.values()),
            prior=description["prior"],
            smoothing=description["smoothing"],
        )


def _class_weights(
    labels: NDArray[np.bool_], weights: NDArray[np.float64] | None, prior: float, *, smoothing: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (T,) what each trial weighs as a target, in sum ``prior``, and as a non-target, in sum the rest."""
    counts = np.ones(labels.size) if weights is None else weights
    as_target, as_non_target = np.where(labels, counts, 0.0), np.where(labels, 0.0, counts)
    if smoothing:
        targets, non_targets = as_target / as_target.sum(), as_non_target / as_non_target.sum()
        as_target, as_non_target = as_target + non_targets, as_non_target + targets
    return prior * (as_target / as_target.sum()), (1 - prior) * (as_non_target / as_non_target.sum())


def _refuse_separable(targets: NDArray[np.float64], non_targets: NDArray[np.float64], what: str) -> None:
    lowest, highest = float(targets.min()), float(non_targets.max())
    # What is fitted to columns that meet in a single point meets there but for rounding.
    spread = max(float(targets.max()), highest) - min(lowest, float(non_targets.min()))
    if spread > 0 and lowest >= highest - (1e-9 * spread if what != "scores" else 0):
        raise InputError(
            f"{what} separate the {targets.size} targets from the {non_targets.size} non-targets without an error, so "
            "every steeper line fits better and no likelihood ratio is known; give more or harder trials, or "
            'smoothing=True (one extra trial of each class), or take kind="isotonic"'
        )


def _standardise(
    columns: NDArray[np.float64], weights: NDArray[np.float64], names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return columns (T, P) of weighted mean 0 and variance 1, their former means (P,) and deviations (P,)."""
    largest = np.abs(columns).max(axis=0)
    # Dividing first keeps the squares of very large and very small values representable.
    scaled = columns / np.where(largest > 0, largest, 1.0)
    centres = weights @ scaled
    scaled -= centres
    deviations = np.sqrt(weights @ np.square(scaled))
    for name, deviation in zip(names, deviations, strict=True):
        if not deviation > 1e-12:
            what = "scores" if name == "scores" else f'values of quality "{name}"'
            repair = "the model has collapsed" if name == "scores" else "leave the column out"
            raise InputError(f"all {what} are equal, which tells targets from non-targets by nothing; {repair}")
    return scaled / deviations, centres * largest, deviations * largest


def _minimise(
    columns: NDArray[np.float64],
    as_target: NDArray[np.float64],
    as_non_target: NDArray[np.float64],
    log_odds: float,
) -> tuple[float, NDArray[np.float64]]:
    """Return intercept and weights (P,) of least cost, by Newton's method with halved steps."""
    design = np.column_stack((np.ones(len(columns)), columns))
    ridge = np.full(design.shape[1], _RIDGE)
    ridge[0] = 0.0
    both = as_target + as_non_target

    def cost(parameters: NDArray[np.float64]) -> float:
        z = design @ parameters + log_odds
        entropy = as_target @ np.logaddexp(0, -z) + as_non_target @ np.logaddexp(0, z)
        return float(entropy + ridge @ np.square(parameters) / 2)

    parameters = np.zeros(design.shape[1])
    value = cost(parameters)
    for _ in range(_STEPS):
        probability = expit(design @ parameters + log_odds)
        gradient = design.T @ (both * probability - as_target) + ridge * parameters
        curvature = design.T @ (design * (both * probability * (1 - probability))[:, None]) + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        decrement = float(gradient @ step)
        if decrement <= _CLOSE * value:
            parameters = parameters - step
            return float(parameters[0]), parameters[1:]
        share = 1.0
        while (new := cost(parameters - share * step)) > value - 1e-4 * share * decrement and share > 1e-10:
            share /= 2
        parameters, value = parameters - share * step, new
    raise InputError(
        f"logistic regression did not converge in {_STEPS} steps; look for a few scores or quality values that are "
        "far larger than all others"
    )


@dataclass(frozen=True)
class IsotonicCalibration(AbstractCalibration):
    """A function of the score that never falls: straight lines between knots, level beyond the outer ones.

    Attributes:
        scores: (K,) the knots, rising strictly.
        knot_llrs: (K,) the natural-log likelihood ratios there, never falling.
        quality_names: always empty.
    """

    scores: tuple[float, ...]
    knot_llrs: tuple[float, ...]
    quality_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no calibration."""
        for name in ("scores", "knot_llrs"):
            values = tuple(require_number(value, f"a knot of {name}") for value in getattr(self, name))
            object.__setattr__(self, name, values)
        if len(self.scores) != len(self.knot_llrs) or len(self.scores) < 2:
            raise InputError(
                f"at least two knots are needed, as many scores as llrs, got {len(self.scores)} and "
                f"{len(self.knot_llrs)}"
            )
        if (np.diff(self.scores) <= 0).any() or (np.diff(self.knot_llrs) < 0).any():
            raise InputError("the scores of the knots must rise, and their llrs must not fall")
        if self.knot_llrs[0] == self.knot_llrs[-1]:
            raise InputError("all knots have the same llr; such a calibration knows nothing")
        if self.quality_names != ():
            raise InputError('isotonic regression takes no quality; kind="logistic" does')

    @classmethod
    def fit(cls, trials: CalibrationTrials, *, prior: float, smoothing: bool) -> Self:
        """Pool adjacent violators, which is best for every prior at once (Zadrozny & Elkan 2002; Brümmer 2010).

        To keep the ends finite one target and one non-target are added below all scores and one of each above, as the
        BOSARIS toolkit does by Laplace's rule (Brümmer & de Villiers, "The BOSARIS toolkit", 2011, arXiv:1304.2865).
        The proportion of targets that turns odds into ratios counts them too, so that useless scores have ratio 0.
        Between two scores that were seen the ratio is interpolated.

        The arguments and what is refused are those of ``fit_calibration``; ``prior`` and ``smoothing`` change nothing.
        """
        prior_log_odds(prior)
        if trials.quality_names:
            raise InputError('isotonic regression takes no quality; kind="logistic" does')
        weights = np.ones(trials.scores.size) if trials.weights is None else trials.weights
        counted = weights > 0
        distinct, rank = np.unique(trials.scores[counted], return_inverse=True)
        values = _pool(rank, trials.labels[counted], weights[counted], distinct.size)
        if values[0] == values[-1]:
            raise InputError(
                "scores look reversed or useless: no rising function of them is better than a constant; check the "
                "labels, the sign of the scores and the model"
            )
        level = values[1:] == values[:-1]
        inside = np.concatenate(([False], level[1:] & level[:-1], [False])) if distinct.size > 2 else np.zeros(2, bool)
        return cls(scores=tuple(distinct[~inside].tolist()), knot_llrs=tuple(values[~inside].tolist()))

    def llrs(self, scores: ArrayLike, quality: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the natural-log likelihood ratios (T,) of scores (T,)."""
        scores_ = check_scores(scores)
        check_quality(quality, (), scores_.size)
        return np.interp(scores_, self.scores, self.knot_llrs)

    def describe(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": "isotonic", "scores": list(self.scores), "llrs": list(self.knot_llrs)}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """Return the calibration that ``describe`` described, or refuse what is not one."""
        require_keys(description, ("name", "scores", "llrs"), "an isotonic calibration")
        for name in ("scores", "llrs"):
            if not isinstance(description[name], (list, tuple)):
                raise InputError(f"{name} must be a list of numbers, got {description[name]!r}")
        return cls(scores=tuple(description["scores"]), knot_llrs=tuple(description["llrs"]))


def _pool(
    rank: NDArray[np.integer], labels: NDArray[np.bool_], weights: NDArray[np.float64], distinct: int
) -> NDArray[np.float64]:
    """Return (distinct,) the ratio at every distinct score, with a target and a non-target more at both ends."""
    # A target just below a non-target: the two pool with each other and, at the top, with all targets below.
    ends = np.array([-2, -1, distinct, distinct + 1])
    ratios = pav_llrs(
        np.concatenate((rank, ends)),
        np.concatenate((labels, [True, False, True, False])),
        np.concatenate((weights, np.ones(4))),
    )
    values = np.empty(distinct)
    values[rank] = ratios[: rank.size]
    return values

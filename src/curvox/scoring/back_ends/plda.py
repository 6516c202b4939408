"""Two-covariance PLDA: log-likelihood ratios from how speakers differ, and recordings of one speaker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from torch import Tensor

from curvox.errors import InputError, require_positive
from curvox.geometry import AbstractSpace
from curvox.scoring.back_ends.contract import AbstractBackEnd, AbstractFittedBackEnd, State, require_cohort
from curvox.scoring.back_ends.two_covariance import (
    PLDAPreprocessing,
    estimate_two_covariances,
    fit_preprocessing,
    speaker_statistics,
)
from curvox.scoring.calibration.contract import is_number, require_keys
from curvox.scoring.pairs import Points, check_inside, check_points, check_speakers, check_trials

# One side of a block of trials takes about this many numbers (float64: 4 MiB).
_BLOCK_NUMBERS = 1 << 19
_SETTINGS = ("name", "dimension", "lda_dimension", "length_norm", "shrinkage")
_COUNTS = ("speakers", "recordings", "iterations", "converged")
_ARRAYS = ("centre", "transform", "mean", "between", "within")


@dataclass(frozen=True, eq=False)
class TwoCovariancePLDA:
    """Speakers are Gaussian around a mean, and so are the recordings of each around the speaker.

    Attributes:
        preprocessing: from points (N, D) to vectors (N, d), of which the rest speaks.
        mean: (d,) of speakers.
        between: (d, d) covariance of speakers, positive semidefinite.
        within: (d, d) covariance of a speaker's recordings, positive definite.
        lda_dimension: d where LDA was asked for, or None.
        shrinkage: of the within-covariance towards a sphere, in [0, 1).
        speakers: how many it was fitted to.
        recordings: likewise.
        iterations: steps of EM.
        converged: whether the last of them gained next to nothing.
    """

    preprocessing: PLDAPreprocessing
    mean: NDArray[np.float64]
    between: NDArray[np.float64]
    within: NDArray[np.float64]
    lda_dimension: int | None
    shrinkage: float
    speakers: int
    recordings: int
    iterations: int
    converged: bool

    @classmethod
    def fit(
        cls,
        points: Points,
        speakers: ArrayLike,
        *,
        lda_dimension: int | None = None,
        length_norm: bool = True,
        shrinkage: float = 0.0,
        tolerance: float = 1e-6,
        max_iterations: int = 100,
    ) -> Self:
        """Fit to points of known speakers; see ``estimate_two_covariances`` and ``fit_preprocessing`` for how.

        Args:
            points: (N, D) finite, one row a recording. They are taken as vectors of flat space: the points of a
                Poincaré ball are better brought to its tangent space first (``curvox.geometry.log0``).
            speakers: (N,) names or whole numbers; some speakers must have several recordings.
            lda_dimension: keep so many directions that tell speakers apart, at most D and speakers - 1; None for all.
            length_norm: whether to whiten and to give all vectors one length, as is usual.
            shrinkage: weight, in [0, 1), of a sphere in every covariance that is inverted. With 0, the default, a
                singular covariance is refused: fewer recordings than dimensions and speakers together.
            tolerance: EM stops when a step gains less, in nats per recording.
            max_iterations: EM stops after so many steps; ``converged`` is False then.

        Raises:
            InputError: points or speakers that do not fit, fewer than two speakers, nobody with two recordings, a
                singular covariance, or a setting out of range.
        """
        points_ = check_points(points).cpu().numpy()
        names = check_speakers(speakers, len(points_))
        _check_shrinkage(shrinkage)
        _check_flag(length_norm, "length_norm")
        require_positive(tolerance, "tolerance")
        require_positive(max_iterations, "max_iterations")
        if not len(points_):
            raise InputError("PLDA needs recordings to be fitted to, got none")
        index = np.unique(names, return_inverse=True)[1].astype(np.intp)
        preprocessing = fit_preprocessing(
            points_,
            speaker_statistics(points_, index),
            lda_dimension=lda_dimension,
            length_norm=length_norm,
            shrinkage=shrinkage,
        )
        statistics = speaker_statistics(preprocessing(points_), index)
        found = estimate_two_covariances(
            statistics, shrinkage=shrinkage, tolerance=tolerance, max_iterations=int(max_iterations)
        )
        return cls(
            preprocessing=preprocessing,
            mean=found.mean,
            between=found.between,
            within=found.within,
            lda_dimension=None if lda_dimension is None else int(lda_dimension),
            shrinkage=float(shrinkage),
            speakers=statistics.counts.size,
            recordings=statistics.recordings,
            iterations=len(found.objective) - 1,
            converged=found.converged,
        )

    def llrs(
        self,
        points: Points,
        enrolment_index: ArrayLike,
        test_index: ArrayLike,
        *,
        block_size: int | None = None,
    ) -> NDArray[np.float64]:
        """Return the natural-log likelihood ratio of every trial: one speaker against two, by the model.

        It costs O(N D²) once and O(D) a trial; beside that, the memory does not grow with the trials. The ratios are
        as well calibrated as real embeddings are Gaussian, so let a calibration follow.

        Args:
            points: (N, D) finite, one row a recording.
            enrolment_index: (T,) row of the enrolment side of every trial.
            test_index: (T,) row of the test side.
            block_size: trials scored at once; chosen by the dimension if None.

        Raises:
            InputError: points of another dimension or not finite, an index that is no row, sides of different lengths.
        """
        points_ = check_points(points).cpu().numpy()
        enrolment, test = check_trials(enrolment_index, test_index, len(points_))
        vectors, own = self._prepare(points_)
        if block_size is None:
            block_size = max(1, _BLOCK_NUMBERS // max(1, vectors.shape[1]))
        elif block_size < 1:
            raise InputError(f"block_size must be at least 1, got {block_size}")
        llrs = np.empty(len(enrolment))
        for first in range(0, len(llrs), block_size):
            x, y = (side[first : first + block_size] for side in (enrolment, test))
            llrs[first : first + block_size] = np.einsum("td,td->t", vectors[x], vectors[y]) + own[x] + own[y]
        return llrs

    def describe(self) -> dict[str, Any]:
        """Return settings and counts as plain values for JSON; the numbers themselves are the ``state``."""
        return {
            "name": "two_covariance_plda",
            "dimension": self.preprocessing.centre.size,
            "lda_dimension": self.lda_dimension,
            "length_norm": self.preprocessing.length_norm,
            "shrinkage": self.shrinkage,
            **{name: getattr(self, name) for name in _COUNTS},
        }

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return the fitted arrays by name, contiguous and in float64, as safetensors takes them."""
        of_points = {"centre": self.preprocessing.centre, "transform": self.preprocessing.transform}
        of_vectors = {"mean": self.mean, "between": self.between, "within": self.within}
        return {name: np.ascontiguousarray(array) for name, array in (of_points | of_vectors).items()}

    @classmethod
    def from_state(cls, description: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the PLDA of which these are the ``describe`` and the ``state``.

        Raises:
            InputError: missing or unknown keys, arrays of another shape or not finite, covariances that are none.
        """
        require_keys(description, (*_SETTINGS, *_COUNTS), "a PLDA")
        require_keys(state, _ARRAYS, "the state of a PLDA")
        if description["name"] != "two_covariance_plda":
            raise InputError(f'expected the description of "two_covariance_plda", got {description["name"]!r}')
        for name in ("length_norm", "converged"):
            _check_flag(description[name], name)
        kept = description["dimension"] if description["lda_dimension"] is None else description["lda_dimension"]
        for count in (description["dimension"], kept, *(description[name] for name in _COUNTS[:3])):
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise InputError(f"dimensions and counts of a PLDA must be whole numbers, got {count!r}")
        _check_shrinkage(description["shrinkage"])
        arrays = _check_arrays(state, description["dimension"], kept)
        return cls(
            preprocessing=PLDAPreprocessing(arrays["centre"], arrays["transform"], description["length_norm"]),
            mean=arrays["mean"],
            between=arrays["between"],
            within=arrays["within"],
            lda_dimension=description["lda_dimension"],
            shrinkage=float(description["shrinkage"]),
            **{name: description[name] for name in _COUNTS},
        )

    @cached_property
    def _basis(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Variances of speakers (d,) and the basis (d, d) in which recordings vary by 1 and speakers by these."""
        variances, basis = eigh(self.between, self.within)
        return np.maximum(variances, 0), basis

    def _prepare(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return vectors (N, d) and terms (N,): a trial's ratio is the product of its vectors plus both terms.

        With a and b the coordinates of both sides in the basis, and v the variance of speakers there, each dimension
        adds log(1 + v) - log(1 + 2v) / 2 + v a b / (1 + 2v) - v² (a² + b²) / (2 (1 + v) (1 + 2v)).
        """
        variances, basis = self._basis
        coordinates = (self.preprocessing(points) - self.mean) @ basis
        constant = (np.log1p(variances) - np.log1p(2 * variances) / 2).sum() / 2
        own = constant - np.square(coordinates) @ (variances**2 / (2 * (1 + variances) * (1 + 2 * variances)))
        return coordinates * np.sqrt(variances / (1 + 2 * variances)), own


def _check_shrinkage(value: Any) -> None:
    if not is_number(value) or not 0 <= value < 1:
        raise InputError(f"shrinkage must lie in [0, 1), got {value!r}")


def _check_flag(value: Any, name: str) -> None:
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false, got {value!r}")


def _check_arrays(state: Mapping[str, NDArray[Any]], dimension: int, kept: int) -> dict[str, NDArray[np.float64]]:
    shapes = {
        "centre": (dimension,),
        "transform": (dimension, kept),
        "mean": (kept,),
        "between": (kept, kept),
        "within": (kept, kept),
    }
    arrays = {}
    for name, shape in shapes.items():
        array = np.asarray(state[name])
        if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise InputError(f'"{name}" must be finite numbers of shape {shape}, got {array.dtype} of {array.shape}')
        arrays[name] = array.astype(np.float64)
    for name in ("between", "within"):
        matrix = arrays[name]
        largest = float(np.abs(matrix).max(initial=0.0))
        eigenvalues = np.linalg.eigvalsh(matrix)
        valid = eigenvalues > 0 if name == "within" else eigenvalues >= -1e-9 * largest
        if np.abs(matrix - matrix.T).max(initial=0.0) > 1e-9 * largest or not valid.all():
            raise InputError(f'"{name}" must be a covariance: symmetric, without negative eigenvalues')
    return arrays


class PLDABackEnd(AbstractBackEnd):
    """Log-likelihood ratios of `TwoCovariancePLDA`, fitted to the points of training speakers.

    Points become vectors of flat space first; those of a Poincaré ball go to its tangent space at the origin.

    Args:
        lda_dimension: keep so many directions that tell speakers apart; None for all.
        length_norm: whether to whiten and to give all vectors one length.
        shrinkage: weight, in [0, 1), of a sphere in every covariance that is inverted.
    """

    needs_cohort: ClassVar[bool] = True

    def __init__(self, *, lda_dimension: int | None = None, length_norm: bool = True, shrinkage: float = 0.0) -> None:
        self._lda_dimension, self._length_norm, self._shrinkage = lda_dimension, length_norm, shrinkage

    def fit(
        self, space: AbstractSpace, cohort_points: Points | None = None, cohort_speakers: ArrayLike | None = None
    ) -> FittedPLDA:
        points, speakers = require_cohort(cohort_points, cohort_speakers, "plda")
        plda = TwoCovariancePLDA.fit(
            _flat(space, points),
            speakers,
            lda_dimension=self._lda_dimension,
            length_norm=self._length_norm,
            shrinkage=self._shrinkage,
        )
        return FittedPLDA(space, plda)

    def restore(self, space: AbstractSpace, description: Mapping[str, Any], state: State) -> FittedPLDA:
        if not isinstance(description.get("fitted"), Mapping):
            raise InputError('the description of a fitted back end "plda" lacks the part "fitted"')
        return FittedPLDA(space, TwoCovariancePLDA.from_state(description["fitted"], state))

    def describe(self) -> dict[str, Any]:
        return _describe(self._lda_dimension, self._length_norm, self._shrinkage)


@dataclass(frozen=True, eq=False)
class FittedPLDA(AbstractFittedBackEnd):
    """`PLDABackEnd` with what was fitted."""

    space: AbstractSpace
    plda: TwoCovariancePLDA

    def scores(self, points: Points, enrolment_index: ArrayLike, test_index: ArrayLike) -> NDArray[np.float64]:
        return self.plda.llrs(_flat(self.space, points), enrolment_index, test_index)

    def describe(self) -> dict[str, Any]:
        fitted = self.plda.describe()
        settings = _describe(fitted["lda_dimension"], fitted["length_norm"], fitted["shrinkage"])
        return {**settings, "cohort_speakers": fitted["speakers"], "fitted": fitted}

    def state(self) -> dict[str, NDArray[np.float64]]:
        return self.plda.state()


def _describe(lda_dimension: int | None, length_norm: bool, shrinkage: float) -> dict[str, Any]:
    settings = {"lda_dimension": lda_dimension, "length_norm": length_norm, "shrinkage": shrinkage}
    return {"name": "plda", **settings}


def _flat(space: AbstractSpace, points: Points) -> Tensor:
    """The points as vectors of flat space."""
    points_ = check_points(points)
    check_inside(space, points_)
    with torch.no_grad():
        return space.as_vectors(points_)

"""What is done to embeddings before PLDA, which takes them for Gaussian: centre, LDA, whiten, unit length."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from curvox.errors import InputError
from curvox.scoring.two_covariance import SpeakerStatistics, pooled_within


@dataclass(frozen=True, eq=False)
class PLDAPreprocessing:
    """``y = (x - centre) @ transform``, then, with ``length_norm``, ``y · sqrt(d) / |y|``.

    Attributes:
        centre: (D,).
        transform: (D, d).
        length_norm: whether every vector gets the same length, the root of its dimension.
    """

    centre: NDArray[np.float64]
    transform: NDArray[np.float64]
    length_norm: bool

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points (N, D) as PLDA wants them (N, d).

        Raises:
            InputError: points of another dimension, or one at the centre, which has no direction.
        """
        if points.shape[1] != self.centre.size:
            raise InputError(
                f"this PLDA was fitted to points of dimension {self.centre.size}, got {points.shape[1]}; it belongs to "
                "another model"
            )
        vectors = (points - self.centre) @ self.transform
        if not self.length_norm:
            return vectors
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if (lengths == 0).any():
            row = int(np.argmax(lengths[:, 0] == 0))
            raise InputError(f"points[{row}] lies at the centre of the training points and has no direction")
        return vectors * (math.sqrt(vectors.shape[1]) / lengths)


def fit_preprocessing(
    points: NDArray[np.float64],
    statistics: SpeakerStatistics,
    *,
    lda_dimension: int | None,
    length_norm: bool,
    shrinkage: float,
) -> PLDAPreprocessing:
    """Fit the preprocessing of Garcia-Romero & Espy-Wilson, "Analysis of i-vector length normalization" (2011).

    Points are centred at their mean. ``lda_dimension`` keeps the directions in which speakers differ most, relative
    to their recordings. With ``length_norm`` the total covariance then becomes the unit matrix, and every vector gets
    one length; without it, and without LDA, the points are only centred.

    Args:
        points: (N, D) checked.
        statistics: of these points.
        lda_dimension: at most D and one less than there are speakers; None for no LDA.
        length_norm: whether to whiten and to normalise lengths.
        shrinkage: of the covariances inverted here, towards a sphere, in [0, 1).
    """
    dimension = points.shape[1]
    centre = points.mean(axis=0)
    transform = np.eye(dimension)
    if lda_dimension is not None:
        transform = _discriminant(statistics, lda_dimension, shrinkage)
    if length_norm:
        transform = transform @ _whitening((points - centre) @ transform, shrinkage)
    return PLDAPreprocessing(centre, transform, length_norm)


def _discriminant(statistics: SpeakerStatistics, kept: int, shrinkage: float) -> NDArray[np.float64]:
    speakers, dimension = statistics.means.shape
    most = min(dimension, speakers - 1)
    if isinstance(kept, bool) or not isinstance(kept, (int, np.integer)) or not 1 <= kept <= most:
        raise InputError(
            f"lda_dimension must be a whole number from 1 to {most} ({dimension} dimensions, {speakers} speakers), "
            f"got {kept!r}"
        )
    within, _ = pooled_within(statistics, shrinkage)
    overall = (statistics.counts @ statistics.means) / statistics.counts.sum()
    deviations = statistics.means - overall
    between = deviations.T @ (deviations * statistics.counts[:, None]) / statistics.counts.sum()
    _, directions = eigh(between, within)
    return directions[:, ::-1][:, :kept]


def _whitening(vectors: NDArray[np.float64], shrinkage: float) -> NDArray[np.float64]:
    """Return the symmetric (d, d) that turns the covariance of centred vectors (N, d) into the unit matrix."""
    count, dimension = vectors.shape
    covariance = vectors.T @ vectors / count
    sphere = np.eye(dimension) * (np.trace(covariance) / dimension)
    eigenvalues, basis = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * sphere)
    if not eigenvalues[0] > dimension * np.finfo(np.float64).eps * eigenvalues[-1]:
        raise InputError(
            f"the total covariance of {dimension} dimensions is singular, so {count} recordings cannot be whitened; "
            "give more recordings, or shrinkage above 0 such as 0.1, or leave constant dimensions out"
        )
    return (basis / np.sqrt(eigenvalues)) @ basis.T

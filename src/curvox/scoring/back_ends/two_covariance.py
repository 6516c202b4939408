"""Estimating how much speakers differ from each other, and recordings of one speaker among themselves, by EM."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from curvox.errors import InputError

# Speakers are never taken to differ less than this, relative to recordings, at the start: EM cannot leave zero.
_LEAST_START = 1e-2


@dataclass(frozen=True, eq=False)
class TwoCovariances:
    """A Gaussian of speakers and one of the recordings around them.

    Attributes:
        mean: (D,) of speakers.
        between: (D, D) covariance of speakers around the mean, positive semidefinite.
        within: (D, D) covariance of a speaker's recordings around the speaker, positive definite.
        objective: what EM maximised after each step, in nats per recording, from the start on: it never falls.
        converged: whether the last step gained less than the tolerance.
    """

    mean: NDArray[np.float64]
    between: NDArray[np.float64]
    within: NDArray[np.float64]
    objective: tuple[float, ...]
    converged: bool


@dataclass(frozen=True, eq=False)
class SpeakerStatistics:
    """All that EM needs of the recordings.

    Attributes:
        counts: (S,) recordings of each speaker.
        means: (S, D) their means.
        scatter: (D, D) sum over recordings of the outer products of their deviations from these means.
    """

    counts: NDArray[np.float64]
    means: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @property
    def recordings(self) -> int:
        """How many recordings."""
        return int(self.counts.sum())


def speaker_statistics(vectors: NDArray[np.float64], speaker_index: NDArray[np.intp]) -> SpeakerStatistics:
    """Return counts, means and scatter of vectors (N, D) whose speakers are numbered 0 … S-1 without a gap (N,)."""
    counts = np.bincount(speaker_index)
    order = np.argsort(speaker_index, kind="stable")
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    means = np.add.reduceat(vectors[order], starts, axis=0) / counts[:, None]
    deviations = vectors - means[speaker_index]
    return SpeakerStatistics(counts.astype(np.float64), means, deviations.T @ deviations)


def pooled_within(statistics: SpeakerStatistics, shrinkage: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the within-speaker covariance by pooling (D, D), shrunk, and the sphere (D, D) it is shrunk towards.

    Raises:
        InputError: nobody with two recordings, or a covariance that is singular.
    """
    speakers, dimension = statistics.means.shape
    freedom = statistics.recordings - speakers
    if speakers < 2 or freedom < 1:
        raise InputError(
            f"PLDA needs at least two speakers, and speakers with two recordings or more, got {statistics.recordings} "
            f"recordings of {speakers} speakers; are the labels speakers, not recordings?"
        )
    pooled = statistics.scatter / freedom
    sphere = np.eye(dimension) * (np.trace(pooled) / dimension)
    within = (1 - shrinkage) * pooled + shrinkage * sphere
    eigenvalues = np.linalg.eigvalsh(within)
    if not eigenvalues[0] > dimension * np.finfo(np.float64).eps * eigenvalues[-1]:
        raise InputError(
            f"the within-speaker covariance of {dimension} dimensions is singular: {statistics.recordings} recordings "
            f"of {speakers} speakers leave {freedom} deviations from speaker means; give more recordings, or "
            "shrinkage above 0 such as 0.1, or leave constant dimensions out"
        )
    return within, sphere


def moment_between(statistics: SpeakerStatistics, within: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the between-speaker covariance (D, D) by moments, with no direction below a hundredth of ``within``."""
    counts, means = statistics.counts, statistics.means
    speakers, total = counts.size, counts.sum()
    deviations = means - (counts @ means) / total
    usual = (total - np.square(counts).sum() / total) / (speakers - 1)
    between = (deviations.T @ (deviations * counts[:, None])) / (speakers - 1)
    ratios, basis = eigh((between - within) / usual, within)
    back = within @ basis
    return _symmetric((back * np.maximum(ratios, _LEAST_START)) @ back.T)


def estimate_two_covariances(
    statistics: SpeakerStatistics, *, shrinkage: float, tolerance: float, max_iterations: int
) -> TwoCovariances:
    """Fit the two-covariance model by expectation and maximisation, from estimates by moments.

    Brümmer & de Villiers, "The speaker partitioning problem" (Odyssey 2010); Sizov, Lee & Kinnunen, "Unifying
    probabilistic linear discriminant analysis variants in biometric authentication" (S+SSPR 2014). In the basis in
    which the within-covariance is the unit matrix and the between-covariance diagonal, the posterior of every speaker
    is diagonal, so a step costs O(S D² + D³).

    With ``shrinkage`` α the within-covariance is the most probable one under an inverse-Wishart prior that counts as
    α / (1 - α) times the recordings there are and says: a sphere, with the variance of the pooled estimate. The
    estimate is then ``(1 - α) · EM + α · sphere``, and ``objective`` includes the prior.

    It stops when a step gains less than ``tolerance``, in nats per recording, or after ``max_iterations`` steps.
    """
    within, sphere = pooled_within(statistics, shrinkage)
    between = moment_between(statistics, within)
    mean = statistics.means.mean(axis=0)
    objective = [_objective(statistics, mean, between, within, sphere, shrinkage)]
    converged = False
    while not converged and len(objective) <= max_iterations:
        mean, between, within = _step(statistics, mean, between, within)
        within = (1 - shrinkage) * within + shrinkage * sphere
        objective.append(_objective(statistics, mean, between, within, sphere, shrinkage))
        converged = objective[-1] - objective[-2] < tolerance
    return TwoCovariances(mean, between, within, tuple(objective), converged)


def log_likelihood(
    statistics: SpeakerStatistics,
    mean: NDArray[np.float64],
    between: NDArray[np.float64],
    within: NDArray[np.float64],
) -> float:
    """Return the log-density of all recordings, in nats, the recordings of a speaker sharing one unknown mean."""
    ratios, basis = eigh(between, within)
    counts = statistics.counts[:, None]
    spread = 1 + counts * np.maximum(ratios, 0)
    means = (statistics.means - mean) @ basis
    squares = np.einsum("ij,ik,kj->", basis, statistics.scatter, basis) + (counts * np.square(means) / spread).sum()
    volume = statistics.recordings * (mean.size * math.log(2 * math.pi) + np.linalg.slogdet(within)[1])
    return float(-0.5 * (volume + np.log(spread).sum() + squares))


def _step(
    statistics: SpeakerStatistics,
    mean: NDArray[np.float64],
    between: NDArray[np.float64],
    within: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return mean, between and within after one step of EM."""
    ratios, basis = eigh(between, within)
    ratios = np.maximum(ratios, 0)
    back = within @ basis
    counts = statistics.counts[:, None]
    spread = 1 + counts * ratios
    means = (statistics.means - mean) @ basis
    # Posterior of each speaker in this basis: its mean, what it leaves of the speaker's own mean, its variance.
    expected, left, variance = means * (counts * ratios / spread), means / spread, ratios / spread
    centre = expected.mean(axis=0)
    moved = expected - centre
    new_between = (moved.T @ moved + np.diag(variance.sum(axis=0))) / len(moved)
    new_within = (left * counts).T @ left + np.diag((counts * variance).sum(axis=0))
    new_within = (back @ new_within @ back.T + statistics.scatter) / statistics.recordings
    return mean + back @ centre, _symmetric(back @ new_between @ back.T), _symmetric(new_within)


def _objective(
    statistics: SpeakerStatistics,
    mean: NDArray[np.float64],
    between: NDArray[np.float64],
    within: NDArray[np.float64],
    sphere: NDArray[np.float64],
    shrinkage: float,
) -> float:
    prior = np.linalg.slogdet(within)[1] + np.trace(np.linalg.solve(within, sphere)) if shrinkage else 0.0
    likelihood = log_likelihood(statistics, mean, between, within) / statistics.recordings
    return likelihood - 0.5 * shrinkage / (1 - shrinkage) * float(prior)


def _symmetric(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return (matrix + matrix.T) / 2


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
    one length; without it, and without LDA, the points are only centred. The covariances inverted here are shrunk
    towards a sphere. ``statistics`` are those of the points (N, D).
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

"""How sure one may be of the mean of a few seeds on a few speakers, and of the difference of two such means.

A run of a bench is one draw of two kinds of chance: the seed it was trained from, and the speakers it was tested on
(Bouthillier et al., "Accounting for variance in machine learning benchmarks", MLSys 2021). With the model

    figure of seed j = truth + speakers + seed_j + (seed × speakers)_j,

the mean of k seeds varies by var(speakers) + [var(seed) + var(seed × speakers)] / k. Its parts are estimated apart:

- The bootstrap over speakers of the *mean* of the seeds gives var(speakers) + var(seed × speakers) / k.
- The variance s² between the k seeds gives var(seed) + var(seed × speakers). What two seeds of equal quality differ by
  on so few speakers is therefore in both, and would count twice; the bootstrap of the seeds' differences from their
  mean gives it alone, and it is taken off s², but not below 0.

Resampling the seeds themselves would not do: of three values, resamples vary by a third too little, and their
quantiles know nothing of the two degrees of freedom. Here the sum has Student's distribution with the degrees of
freedom of Satterthwaite ("An approximate distribution of estimates of variance components", Biometrics Bulletin 2,
1946): k - 1 for s², one less than there are speakers for the bootstrap. ``benchmarks/bench_statistics.py`` counts how
often such intervals hold a truth that was planted: nominal 95 % are about 93 to 98 % with three seeds; where the seeds
vary three times as much as the speakers they are about 91 to 93 %, with two seeds fewer, and where the seeds differ by
chance of the speakers alone they are about 98 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.metrics import Difference, Interval, SpeakerDraws, check_level

# The standard error of a logarithm from which on the logarithms of a few errors say nothing.
_VAGUE = 0.5


@dataclass(frozen=True, eq=False)
class SeedReplicates:
    """A figure of k runs of one setting, on all trials and on every draw of their speakers.

    Attributes:
        estimates: (k,) the figure of each run.
        values: (k, R) the same on every draw; the draws are the same for all runs and settings.
        speakers: how many speakers are drawn from, at least 2.

    Raises:
        InputError: no run, shapes that do not fit, or fewer than two speakers.
    """

    estimates: NDArray[np.float64]
    values: NDArray[np.float64]
    speakers: int

    def __post_init__(self) -> None:
        """Refuse what gives no interval."""
        seeds = len(self.estimates)
        if seeds < 1 or self.values.ndim != 2 or len(self.values) != seeds or self.values.shape[1] < 2:
            raise InputError(f"expected (k,) figures and (k, R) replicates, got {seeds} and {self.values.shape}")
        if self.speakers < 2:
            raise InputError(f"an interval needs at least 2 speakers to draw from, got {self.speakers}")

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return float(self.estimates.mean())

    @property
    def seeds(self) -> int:
        """How many runs there are."""
        return len(self.estimates)


def seed_replicates(draws: SpeakerDraws, scores: Sequence[NDArray[np.float64]]) -> SeedReplicates:
    """Return the equal error rates of runs, one row of scores (T,) each, on the trials and on all draws.

    Raises:
        InputError: no scores, scores that do not fit the trials, or trials of fewer than two speakers.
    """
    if not scores:
        raise InputError("expected the scores of at least one run, got none")
    found = [draws.equal_error_rates(row) for row in scores]
    return SeedReplicates(
        np.array([estimate for estimate, _ in found]), np.stack([values for _, values in found]), draws.speakers
    )


def mean_interval(replicates: SeedReplicates, level: float = 0.95) -> Interval:
    """Return the interval of the mean over seeds of an error rate, over speakers and seeds.

    The variances are those of the module's text, on the scale of the logarithm of the mean; where its standard error
    over speakers is above 0.5, or a resample makes no error, on the scale arcsin(sqrt(rate)), as
    `curvox.metrics.logarithmic_interval` does. The bias of the replicates is taken off. The interval is widened, where
    need be, to hold the mean. Of a single seed it is over speakers alone: nothing is known of other seeds.

    When no seed makes an error on any draw the interval is the single number 0: too few trials, not a perfect model.
    """
    level = check_level(level)
    mean, values = replicates.mean, replicates.values.mean(axis=0)
    if not values.any():
        return Interval(mean, mean, level)
    lowest = min(mean, float(values.min()))
    if lowest > 0 and np.log(values).std() <= _VAGUE:
        forth, back, slope = np.log, np.exp, 1 / mean
    else:
        forth, back = _angle, _rate
        slope = 0.0 if mean <= 0 else 1 / (2 * math.sqrt(mean * max(1 - mean, 1e-12)))
    within = _spread(forth(values), replicates.speakers)
    variance, degrees = _total(within, replicates.speakers, [_between(replicates, slope)])
    centre = 2 * float(forth(mean)) - float(forth(values).mean())
    low, high = (float(back(centre + sign * _reach(level, degrees) * math.sqrt(variance))) for sign in (-1, 1))
    return Interval(low=min(low, mean), high=min(max(high, mean), 1.0), level=level)


def mean_difference(first: SeedReplicates, second: SeedReplicates, level: float = 0.95) -> Difference:
    """Return the difference of two settings' means over seeds, with an interval and a p-value over speakers and seeds.

    Draw by draw both means are taken on the same speakers, so what makes speakers hard for both cancels. The seeds are
    taken as independent between the settings: equal numbers share the order of the data, which can only make the
    difference vary less than is assumed here. The difference over its standard error has Student's distribution
    (Welch's for two sets of seeds, Biometrika 34, 1947, with the speakers as a third part). The bias of the
    replicates is taken off, as the basic bootstrap interval of `curvox.metrics.compare_systems` does.

    Raises:
        InputError: replicates of other draws, that is of another number of speakers or resamples.
    """
    level = check_level(level)
    if (first.speakers, first.values.shape[1]) != (second.speakers, second.values.shape[1]):
        raise InputError(
            "both settings must be resampled alike to be paired, got "
            f"{first.speakers} and {second.speakers} speakers, {first.values.shape[1]} and {second.values.shape[1]} "
            "resamples"
        )
    means = first.values.mean(axis=0), second.values.mean(axis=0)
    difference = second.mean - first.mean
    low, high, error, degrees, p_value = _student(difference, means[1] - means[0], (first, second), (1.0, 1.0), level)
    relative, relative_interval = None, None
    if min(first.mean, second.mean, float(means[0].min()), float(means[1].min())) > 0:
        relative = difference / first.mean
        logarithms, slopes = np.log(means[1] / means[0]), (1 / first.mean, 1 / second.mean)
        ends = _student(math.log(second.mean / first.mean), logarithms, (first, second), slopes, level)[:2]
        relative_interval = Interval(min(math.expm1(ends[0]), relative), max(math.expm1(ends[1]), relative), level)
    return Difference(
        key="eer",
        title="EER",
        first=first.mean,
        second=second.mean,
        difference=difference,
        interval=Interval(low, high, level),
        p_value=p_value,
        standard_error=error,
        degrees=degrees,
        relative=relative,
        relative_interval=relative_interval,
    )


def mean_of_measures(
    values: Sequence[float], intervals: Sequence[Interval | None], level: float = 0.95
) -> Interval | None:
    """Return the interval of the mean over seeds of measures that each come with an interval of their own.

    How the measures vary together over speakers is not known here, so they are taken as moving all together: their
    mean standard error is that of the mean. To it comes the variance between the seeds over their number. Both err to
    the wide side. None where a measure has no interval.
    """
    known = [interval for interval in intervals if interval is not None]
    if not known or len(known) < len(values):
        return None
    from scipy.special import ndtri  # slow to import

    errors = [(of.high - of.low) / (2 * float(ndtri((1 + of.level) / 2))) for of in known]
    between = _Between(float(np.var(values, ddof=1)) if len(values) > 1 else 0.0, 0.0, len(values))
    variance, degrees = _total(float(np.mean(errors)) ** 2, None, [between])
    mean, reach = float(np.mean(values)), _reach(check_level(level), degrees) * math.sqrt(variance)
    return Interval(mean - reach, mean + reach, level)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values corrected for their number (Holm, Scandinavian Journal of Statistics 6, 1979), in their order.

    Refusing every hypothesis whose corrected p is below 0.05, one refuses a true one in at most 5 % of all tables,
    however the tests hang together.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return tuple(corrected)


@dataclass(frozen=True)
class _Between:
    """What seeds differ by: their variance, the part of it that is chance of the speakers, and how many they are."""

    variance: float
    of_speakers: float
    seeds: int


def _between(replicates: SeedReplicates, slope: float = 1.0) -> _Between:
    """Return what the seeds differ by on a scale whose slope at their mean is given."""
    if replicates.seeds < 2:
        return _Between(0.0, 0.0, replicates.seeds)
    # Less its mean over the seeds, a run's replicates vary by the seed × speakers part alone, (k - 1) / k of it.
    own = replicates.values - replicates.values.mean(axis=0)
    shared = sum(_spread(row, replicates.speakers) for row in own) / (replicates.seeds - 1)
    return _Between(float(replicates.estimates.var(ddof=1)) * slope**2, shared * slope**2, replicates.seeds)


def _spread(values: NDArray[np.float64], speakers: int) -> float:
    """The variance of replicates; draws of S speakers vary by (S - 1) / S less than speakers do."""
    return float(values.var()) * speakers / (speakers - 1)


def _total(within: float, speakers: int | None, between: Sequence[_Between]) -> tuple[float, float]:
    """Return the variance of a mean or of a difference of means, and its degrees of freedom."""
    variance, doubt, fewest = within, 0.0, math.inf
    if speakers is not None:
        doubt, fewest = within**2 / (speakers - 1), speakers - 1
    for of in between:
        if of.seeds < 2:
            continue
        variance += max(of.variance - of.of_speakers, 0.0) / of.seeds
        # What is taken off hardly varies beside s², so the doubt is that of the whole of s².
        doubt += (of.variance / of.seeds) ** 2 / (of.seeds - 1)
        fewest = min(fewest, of.seeds - 1)
    degrees = math.inf if doubt == 0 else variance**2 / doubt
    return variance, max(degrees, float(fewest) if math.isfinite(fewest) else degrees)


def _student(
    estimate: float,
    values: NDArray[np.float64],
    sides: tuple[SeedReplicates, SeedReplicates],
    slopes: tuple[float, float],
    level: float,
) -> tuple[float, float, float, float, float]:
    """Return both ends, the standard error, the degrees of freedom, and p of the hypothesis that the truth is 0."""
    from scipy.special import stdtr  # slow to import

    speakers = sides[0].speakers
    between = [_between(side, slope) for side, slope in zip(sides, slopes, strict=True)]
    variance, degrees = _total(_spread(values, speakers), speakers, between)
    error, centre = math.sqrt(variance), 2 * estimate - float(values.mean())
    reach = _reach(level, degrees) * error
    if centre == 0 or error == 0:
        p_value = float(centre == 0)
    else:
        p_value = 2 * float(stdtr(min(degrees, 1e9), -abs(centre) / error))
    return min(centre - reach, estimate), max(centre + reach, estimate), error, degrees, p_value


def _reach(level: float, degrees: float) -> float:
    from scipy.special import stdtrit  # slow to import

    return float(stdtrit(min(degrees, 1e9), (1 + level) / 2))


def _angle(rate: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arcsin(np.sqrt(np.clip(rate, 0, 1)))


def _rate(angle: float) -> float:
    return math.sin(min(max(angle, 0.0), math.pi / 2)) ** 2

"""From the figures of resamples to an interval of the figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvox.metrics.inputs import check_level

_VAGUE_ERROR = 0.5


@dataclass(frozen=True)
class Interval:
    """An interval that holds the true figure with the stated probability.

    Attributes:
        low: lower end, in the unit of the figure.
        high: upper end.
        level: the probability, in (0, 1).
    """

    low: float
    high: float
    level: float = 0.95


def logarithmic_interval(
    estimate: float, values: NDArray[np.float64], *, speakers: int, level: float = 0.95, highest: float = math.inf
) -> Interval:
    """Return the interval of an error rate or a cost by the standard error of its logarithm.

    The logarithms of the replicates give its standard error and its bias, which is taken off (Davison & Hinkley,
    "Bootstrap methods and their application", 1997, chapter 5): the lowest cost over all thresholds is too low on the
    trials that choose the threshold, and about as much lower once more on their resamples. Costs of few errors are
    skewed to the right, their logarithms hardly. Resamples of n speakers vary too little, by the factor
    sqrt((n - 1) / n), and the quantile is that of Student's t with n - 1 degrees of freedom (Hesterberg, "What teachers
    should know about the bootstrap", The American Statistician 69, 2015). The interval is widened, where need be, to
    hold the estimate.

    Where that standard error is above 0.5, the replicates of a few errors reach down to 0 and their logarithms say
    nothing. The same is then done on the scale arcsin(sqrt(figure)) of a rate, which 0 belongs to; a figure that can
    pass 1 keeps the logarithm, with a replicate of 0 counted as half the smallest that is not.

    When no resample makes an error the interval is the single number 0: too few trials, not a perfect model.

    Args:
        estimate: the figure of the trials themselves, at least 0.
        values: (R,) the figure of every resample, at least 0.
        speakers: how many speakers were drawn from, at least 2.
        level: the probability, in (0, 1).
        highest: the highest value the figure can have.
    """
    from scipy.special import stdtrit  # slow to import

    level = check_level(level)
    above = values[values > 0]
    if above.size == 0:
        return Interval(low=estimate, high=estimate, level=level)
    floor = max(above.min() / 2, np.finfo(np.float64).tiny)
    middle = np.log(max(estimate, floor))
    logarithms = np.log(np.maximum(values, floor))
    scale = math.sqrt(speakers / (speakers - 1))
    reach = stdtrit(speakers - 1, (1 + level) / 2) * scale
    if highest <= 1.0 and logarithms.std() * scale > _VAGUE_ERROR:
        low, high = np.sin(np.clip(_ends(_angle(estimate), _angle(values), reach), 0, np.pi / 2)).tolist()
        low, high = low**2, high**2
    else:
        # The largest floats hold no more: with two speakers an end may lie beyond them.
        low, high = np.exp(np.clip(_ends(middle, logarithms, reach), -700, 700)).tolist()
    return Interval(low=min(low, estimate), high=max(min(high, highest), estimate), level=level)


def rate_interval(
    rate: float, values: NDArray[np.float64], *, trials: float, speakers: int, level: float = 0.95
) -> Interval:
    """Return the interval of an error rate at a threshold that stays where it is.

    The standard deviation of the rate over the resamples, times Student's quantile for one degree of freedom less than
    there are speakers, is laid off on both sides of the rate on the scale of log odds. Such a rate has no optimism to
    be taken off. The interval is made no narrower than that of as many independent trials (Clopper & Pearson,
    Biometrika 26, 1934), so that "no error was seen" is not taken for "there are none". Of trials that are all of one
    speaker nothing is known: [0, 1].

    Args:
        rate: of the trials themselves, in [0, 1].
        values: (R,) the rate of every resample.
        trials: how many trials may err; with weights their sum.
        speakers: how many speakers these trials name.
        level: the probability, in (0, 1).
    """
    from scipy.special import betaincinv, expit, logit, stdtrit  # slow to import

    level = check_level(level)
    if speakers < 2:
        return Interval(low=0.0, high=1.0, level=level)
    tail, errors = (1 - level) / 2, rate * trials
    low = 0.0 if rate <= 0 else float(betaincinv(errors, trials - errors + 1, tail))
    high = 1.0 if rate >= 1 else float(betaincinv(errors + 1, trials - errors, 1 - tail))
    if 0 < rate < 1:
        # Draws of S speakers vary by (S - 1) / S less than speakers do.
        deviation = float(values.std()) * (speakers / (speakers - 1)) ** 0.5 / (rate * (1 - rate))
        reach = float(stdtrit(speakers - 1, 1 - tail)) * deviation
        low, high = min(low, float(expit(logit(rate) - reach))), max(high, float(expit(logit(rate) + reach)))
    return Interval(low=low, high=high, level=level)


def sum_interval(parts: Sequence[tuple[float, float, Interval]]) -> Interval:
    """Return the interval of a sum of rates, each times a weight, from the intervals of the rates.

    Each end is the sum less or plus the root of the squared distances of the parts' own ends from their estimates, each
    times its weight (Zou & Donner, "Construction of confidence limits about effect measures", Statistics in Medicine
    27, 2008). A rate of which no error was seen so keeps the weight of what may lie above it.

    Args:
        parts: of each rate the weight, at least 0, the estimate and the interval; at least one, all of one level.
    """
    total = sum(weight * rate for weight, rate, _ in parts)
    below, above = (
        math.hypot(*(weight * (getattr(interval, end) - rate) for weight, rate, interval in parts))
        for end in ("low", "high")
    )
    return Interval(low=max(total - below, 0.0), high=total + above, level=parts[0][2].level)


def _ends(estimate: float, values: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Return both ends: the estimate less the bias of the replicates, and ``reach`` standard errors to each side."""
    return 2 * estimate - values.mean() + reach * values.std() * np.array([-1.0, 1.0])


def _angle(rate: ArrayLike) -> Any:
    return np.arcsin(np.sqrt(np.clip(rate, 0, 1)))

"""Whether intervals and p-values of metrics hold what they promise, on populations whose figures are known.

The scores are m + a + noise for targets and b + b' + noise for non-targets, with effects a and b of the speakers, all
Gaussian and of variance 1 together: the figures of the population are known in closed form, those of the Cllr by
numerical integration. `benchmarks/metrics.py` runs these as sections of its own.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from curvox.metrics import (
    DEFAULT_POINTS,
    Interval,
    OperatingPoint,
    bayes_threshold,
    bootstrap_speakers,
    compare_systems,
)


@dataclass(frozen=True)
class Model:
    """A population: speakers and trials of one draw, distance of the classes, share of speakers in the variance.

    The log-likelihood ratio of a score is known; the scores are that times ``scale`` plus ``shift``.
    """

    name: str
    speakers: int
    trials: int
    targets: float
    distance: float
    share: float
    scale: float = 1.0
    shift: float = 0.0
    rates: tuple[float, ...] = (0.01,)


MODELS = (
    Model("calibrated", 100, 8000, 0.5, 3.3, 0.4),
    Model("badly calibrated", 300, 12_000, 0.5, 4.0, 0.4, scale=0.5, shift=-1.0),
    Model("few speakers", 40, 6000, 0.5, 2.6, 0.5, rates=(0.05,)),
)
VERY_FEW = (
    Model("ten speakers", 10, 3000, 0.5, 2.6, 0.5, rates=(0.05,)),
    Model("twenty speakers", 20, 4000, 0.5, 2.6, 0.5, rates=(0.05,)),
)
# Every table has seeds of its own, so that what was tuned on one is not measured on the same draws in another.
COVERAGE_SEED, COMPARISON_SEED, FEW_SEED, THRESHOLD_SEED = 1000, 5000, 20_000, 30_000
KEYS_OF_FEW = ("eer", "auc", "cllr", "min_cllr", "min_dcf:0.05", "act_dcf:0.05")


def draw(model: Model, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores of new speakers, labels, and the speakers of both sides."""
    labels = rng.random(model.trials) < model.targets
    enrolment = rng.integers(0, model.speakers, model.trials)
    other = (enrolment + rng.integers(1, model.speakers, model.trials)) % model.speakers
    test = np.where(labels, enrolment, other)
    of_targets, of_others = rng.normal(size=(2, model.speakers)) * np.sqrt([[model.share], [model.share / 2]])
    effect = np.where(labels, model.distance + of_targets[enrolment], of_others[enrolment] + of_others[test])
    place = effect + rng.normal(size=model.trials) * np.sqrt(1 - model.share)
    llrs = model.distance * (place - model.distance / 2)
    return model.scale * llrs + model.shift, labels, enrolment, test


def population(model: Model, points: Sequence[OperatingPoint], rates: Sequence[float]) -> dict[str, float]:
    """The figures of all speakers there could be."""
    m = model.distance

    def bits(scale: float, shift: float) -> float:
        def cost(z: float) -> float:
            miss = np.logaddexp(0, -(scale * (m * m / 2 + m * z) + shift))
            both = miss + np.logaddexp(0, scale * (m * z - m * m / 2) + shift)
            return float(both * norm.pdf(z))

        return quad(cost, -12, 12)[0] / 2 / np.log(2)

    def cost(point: OperatingPoint, threshold: float) -> float:
        far, frr = rates_at(model, threshold)
        rarer = min(point.p_target, 1 - point.p_target)
        return float((point.p_target * frr + (1 - point.p_target) * far) / rarer)

    found = {"eer": norm.cdf(-m / 2), "eer_hull": norm.cdf(-m / 2), "auc": norm.cdf(m / np.sqrt(2))}
    found |= {"cllr": bits(model.scale, model.shift), "min_cllr": bits(1, 0)}
    for point in points:
        decided = bayes_threshold(point)
        found[f"min_dcf:{point.p_target:g}"] = cost(point, model.scale * decided + model.shift)
        found[f"act_dcf:{point.p_target:g}"] = cost(point, decided)
    for rate in rates:
        found[f"frr_at_far:{rate:g}"] = norm.cdf(norm.isf(rate) - m)
        found[f"far_at_frr:{rate:g}"] = norm.sf(norm.ppf(rate) + m)
    return {key: float(value) for key, value in found.items()}


def rates_at(model: Model, threshold: float) -> tuple[float, float]:
    """False acceptance and false rejection rate of the population at a threshold on the scores."""
    m, place = model.distance, (threshold - model.shift) / model.scale / model.distance
    return float(norm.sf(place + m / 2)), float(norm.cdf(place - m / 2))


def coverage(draws: int, resamples: int) -> list[str]:
    """How often the 95 % intervals hold the figure of the population."""
    lines = ["## Coverage of the 95 % intervals", ""]
    lines += [
        f"Share of {draws} draws whose interval, of {resamples} resamples, holds the figure of the population; the "
        f"goal is 92 to 97 %, and chance alone moves a share by ±{1.96 * (95 * 5 / draws) ** 0.5:.1f}."
    ]
    for model in MODELS:
        lines += ["", _described(model), "", *_coverage_of(model, draws, resamples, COVERAGE_SEED)]
    return lines


def few_speakers(draws: int, resamples: int) -> list[str]:
    """The same with ten and twenty speakers, where `evaluate` warns."""
    lines = [
        "## Coverage with very few speakers",
        "",
        f"Share of {draws} draws whose 95 % interval, of {resamples} resamples, holds the figure of the population.",
    ]
    for model in VERY_FEW:
        lines += ["", _described(model), "", *_coverage_of(model, draws, resamples, FEW_SEED, KEYS_OF_FEW)]
    return lines


def thresholds(draws: int, resamples: int) -> list[str]:
    """How often the intervals of both error rates at found thresholds hold the rates of the population there."""
    lines = [
        "## Coverage of the rates at found thresholds",
        "",
        f"`find_thresholds` on the scores of {draws} draws, {resamples} resamples: share whose 95 % interval holds the "
        "rate that the population has at the very threshold that was found. Columns as above.",
    ]
    for model in MODELS:
        lines += [
            "",
            _described(model),
            "",
            "| threshold | rate | median rate | held, % | interval too low, % | too high, % | median width |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
            *_thresholds_of(model, draws, resamples),
        ]
    return lines


def _described(model: Model) -> str:
    return (
        f"{model.name}: {model.speakers} speakers, {model.trials:,} trials, {model.targets:.0%} targets, "
        f"{model.share:.0%} of the variance from speakers."
    )


def _thresholds_of(model: Model, draws: int, resamples: int) -> list[str]:
    from curvox.scoring import find_thresholds  # brings torch, which no other section has use for

    held: dict[tuple[str, str], list[tuple[float, Interval]]] = {}
    for seed in range(draws):
        scores, labels, enrolment, test = draw(model, np.random.default_rng(THRESHOLD_SEED + seed))
        found = find_thresholds(
            scores,
            labels,
            enrolment_speakers=enrolment,
            test_speakers=test,
            fars=(0.01, 0.05),
            frrs=(0.01, 0.05),
            points=DEFAULT_POINTS,
            resamples=resamples,
            seed=seed,
        )
        for one in found:
            far, frr = rates_at(model, one.llr_threshold)
            held.setdefault((one.name, "FAR"), []).append((far, one.far_interval))
            held.setdefault((one.name, "FRR"), []).append((frr, one.frr_interval))
    return [f"| {name} | {rate} | {_held(pairs)} |" for (name, rate), pairs in held.items()]


def _held(pairs: Sequence[tuple[float, Interval]]) -> str:
    """Cells: the median truth, the shares held, missed below and missed above, and the median width."""
    too_low = sum(interval.high < truth for truth, interval in pairs)
    too_high = sum(interval.low > truth for truth, interval in pairs)
    shares = [100 * number / len(pairs) for number in (len(pairs) - too_low - too_high, too_low, too_high)]
    width = statistics.median(interval.high - interval.low for _, interval in pairs)
    cells = " | ".join(f"{share:.1f}" for share in shares)
    return f"{statistics.median(truth for truth, _ in pairs):.4f} | {cells} | {width:.4f}"


def _coverage_of(
    model: Model, draws: int, resamples: int, first_seed: int, keys: Sequence[str] | None = None
) -> list[str]:
    truth = population(model, DEFAULT_POINTS, model.rates)
    wanted = truth if keys is None else {key: truth[key] for key in keys}
    held: dict[str, list[tuple[float, Interval]]] = {key: [] for key in wanted}
    for seed in range(draws):
        llrs, labels, enrolment, test = draw(model, np.random.default_rng(first_seed + seed))
        found = bootstrap_speakers(
            llrs,
            labels,
            enrolment_speakers=enrolment,
            test_speakers=test,
            points=DEFAULT_POINTS,
            rates=model.rates,
            llrs=True,
            resamples=resamples,
            seed=seed,
        )
        for key, value in wanted.items():
            held[key].append((value, found.interval(key)))
    head = ["figure", "population", "held, %", "interval too low, %", "too high, %", "median width"]
    return [
        f"| {' | '.join(head)} |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(f"| {key} | {_held(pairs)} |" for key, pairs in held.items()),
    ]


def comparison(draws: int, resamples: int) -> list[str]:
    """How often two systems of one quality are told apart at p < 0.05, and how often a better one is seen."""
    model = MODELS[0]
    keys = ("eer", "cllr", "min_cllr", "min_dcf:0.01", "min_dcf:0.05")
    lines = [
        "## Paired comparison",
        "",
        f"Share of {draws} draws with p < 0.05, {resamples} resamples, the "
        f'model "{model.name}" with noise of its own in each system.',
        "",
        "| second system | " + " | ".join(keys) + " |",
        "| --- |" + " ---: |" * len(keys),
    ]
    for name, gain in (("as good as the first", 0.0), ("targets 0.3 further from non-targets", 0.3)):
        seen: dict[str, int] = dict.fromkeys(keys, 0)
        for seed in range(draws):
            rng = np.random.default_rng(COMPARISON_SEED + seed)
            common, labels, enrolment, test = draw(model, rng)
            first, second = (common + rng.normal(size=model.trials) for _ in range(2))
            second = second + gain * model.distance * labels
            found = compare_systems(
                first,
                second,
                labels,
                enrolment_speakers=enrolment,
                test_speakers=test,
                keys=keys,
                first_llrs=True,
                second_llrs=True,
                resamples=resamples,
                seed=seed,
            )
            for difference in found:
                seen[difference.key] += difference.p_value < 0.05
        lines.append(f"| {name} | " + " | ".join(f"{100 * seen[key] / draws:.1f} %" for key in keys) + " |")
    return lines

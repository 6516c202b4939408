"""Whether the bench's intervals over speakers and seeds hold what they promise, on populations whose truth is planted.

    python benchmarks/bench_statistics.py [--draws 300] [--resamples 100] [--trials 3000] [--jobs 2] [--save FILE]

The score of a trial is the distance of the classes that its seed reached, plus an effect of each speaker that all seeds
share, plus one of each speaker and seed, plus noise of the trial: all Gaussian, of variance 1 together. The seeds'
distances are Gaussian too, so the EER that seeds reach on average among all speakers is known in closed form. Counted
is how often a nominal 95 % interval of the mean over k seeds holds it, for that of `curvox.bench.statistics` and for
three that are in use: over speakers alone, over the seeds alone by their standard error and Student's quantile, and
the percentiles where seeds and speakers are both drawn with replacement.

A second table does the same ten times as often for a rate that is a mean over speakers, as an error rate at a fixed
threshold is: it is cheap, and all its variances are known. A third counts how often the paired test finds two equal
settings different.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from scipy.stats import norm, t

from curvox.bench.statistics import SeedReplicates, mean_difference, mean_interval, seed_replicates
from curvox.metrics import draw_speakers

WAYS = ("curvox", "speakers alone", "seeds alone", "both drawn again")
FIRST_SEED, PAIRED_SEED, RATES_SEED = 100_000, 200_000, 300_000


@dataclass(frozen=True)
class World:
    """A population: how speakers and seeds vary, and how much of it a bench sees.

    ``shared`` and ``own`` are shares of a score's variance: of speakers as all seeds hear them, and as one seed does.
    ``seeds_vary`` is the standard deviation of the distance of the classes over seeds.
    """

    seeds: int
    shared: float
    own: float
    seeds_vary: float
    speakers: int = 70
    trials: int = 3000
    distance: float = 2.2

    @property
    def eer(self) -> float:
        """The EER that seeds reach on average: the mean of Φ(-distance / 2)."""
        return float(norm.cdf(-self.distance / 2 / np.sqrt(1 + self.seeds_vary**2 / 4)))


THREE = tuple(
    World(3, *shares)
    for shares in (
        (0.4, 0.0, 0.0),
        (0.0, 0.4, 0.0),
        (0.3, 0.1, 0.0),
        (0.3, 0.1, 0.05),
        (0.3, 0.1, 0.15),
        (0.3, 0.1, 0.4),
        (0.1, 0.1, 0.15),
        (0.0, 0.4, 0.15),
    )
)
PAIRED = (World(3, 0.3, 0.1, 0.05), World(3, 0.3, 0.1, 0.15), World(3, 0.0, 0.4, 0.15))
OTHERS = (
    *(World(seeds, 0.3, 0.1, seeds_vary) for seeds in (2, 5) for seeds_vary in (0.05, 0.4)),
    World(3, 0.3, 0.1, 0.15, speakers=20),
    World(3, 0.3, 0.1, 0.15, distance=3.6),
)


@dataclass(frozen=True, eq=False)
class _Trials:
    labels: np.ndarray
    enrolment: np.ndarray
    test: np.ndarray


def trials_of(world: World, rng: np.random.Generator) -> _Trials:
    """A trial list on new speakers."""
    labels = rng.random(world.trials) < 0.3
    enrolment = rng.integers(0, world.speakers, world.trials)
    other = (enrolment + rng.integers(1, world.speakers, world.trials)) % world.speakers
    return _Trials(labels, enrolment, np.where(labels, enrolment, other))


def effects(world: World, share: float, rng: np.random.Generator) -> np.ndarray:
    """(2, S) what speakers add to a target trial, and to each side of a non-target trial."""
    return rng.normal(size=(2, world.speakers)) * np.sqrt([[share], [share / 2]])


def scores_of(world: World, trials: _Trials, shared: np.ndarray, gain: float, rng: np.random.Generator) -> np.ndarray:
    """Scores of one run: a seed of its own, on speakers as all seeds hear them."""
    of_speakers = shared + effects(world, world.own, rng)
    distance = world.distance + gain + world.seeds_vary * rng.normal()
    targets = distance + of_speakers[0][trials.enrolment]
    others = of_speakers[1][trials.enrolment] + of_speakers[1][trials.test]
    noise = rng.normal(size=world.trials) * np.sqrt(1 - world.shared - world.own)
    return np.where(trials.labels, targets, others) + noise


def runs_of(world: World, seed: int, settings: int, resamples: int, gain: float = 0.0) -> list[SeedReplicates]:
    """Settings on one draw of speakers and trials; the last is by ``gain`` better than the others."""
    rng = np.random.default_rng(seed)
    trials, shared = trials_of(world, rng), effects(world, world.shared, rng)
    draws = draw_speakers(trials.labels, trials.enrolment, trials.test, resamples=resamples, seed=seed)
    made = []
    for setting in range(settings):
        better = gain if setting else 0.0
        made.append(seed_replicates(draws, [scores_of(world, trials, shared, better, rng) for _ in range(world.seeds)]))
    return made


def ends_of(found: SeedReplicates, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Both ends of the interval of every way."""
    own = mean_interval(found)
    means = found.values.mean(axis=0)
    reach = 1.96 * means.std()
    of_seeds = float(t.ppf(0.975, found.seeds - 1)) * found.estimates.std(ddof=1) / found.seeds**0.5
    chosen = rng.integers(0, found.seeds, size=(found.seeds, found.values.shape[1]))
    both = np.take_along_axis(found.values, chosen, axis=0).mean(axis=0)
    return {
        WAYS[0]: (own.low, own.high),
        WAYS[1]: (found.mean - reach, found.mean + reach),
        WAYS[2]: (found.mean - of_seeds, found.mean + of_seeds),
        WAYS[3]: (float(np.quantile(both, 0.025)), float(np.quantile(both, 0.975))),
    }


def held(world: World, draws: int, resamples: int) -> dict[str, tuple[float, float]]:
    """Of each way the share of draws whose interval holds the truth, and the median width."""
    ends: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for seed in range(FIRST_SEED, FIRST_SEED + draws):
        (found,) = runs_of(world, seed, 1, resamples)
        for way, both in ends_of(found, np.random.default_rng(seed)).items():
            ends[way].append(both)
    return {way: _held(of, world.eer) for way, of in ends.items()}


def held_of_rates(world: World, draws: int, resamples: int) -> dict[str, tuple[float, float]]:
    """The same as `held`, of a rate of 20 % that is a mean over speakers, with a tenth of the deviations."""
    truth, ends = 0.2, {way: [] for way in WAYS}
    fair = np.full(world.speakers, 1 / world.speakers)
    for seed in range(RATES_SEED, RATES_SEED + draws):
        rng = np.random.default_rng(seed)
        of_speakers = 0.1 * np.sqrt(world.shared) * rng.normal(size=world.speakers)
        of_speakers = of_speakers + 0.1 * np.sqrt(world.own) * rng.normal(size=(world.seeds, world.speakers))
        rates = truth + 0.1 * world.seeds_vary * rng.normal(size=(world.seeds, 1)) + of_speakers
        shares = rng.multinomial(world.speakers, fair, size=resamples) / world.speakers
        found = SeedReplicates(rates.mean(axis=1), rates @ shares.T, world.speakers)
        for way, both in ends_of(found, rng).items():
            ends[way].append(both)
    return {way: _held(of, truth) for way, of in ends.items()}


def _held(ends: list[tuple[float, float]], truth: float) -> tuple[float, float]:
    shares = [low <= truth <= high for low, high in ends]
    return float(np.mean(shares)), float(np.median([high - low for low, high in ends]))


def paired(world: World, draws: int, resamples: int) -> dict[float, tuple[float, float]]:
    """Of each gain how often p is below 0.05, and how often the interval holds the true difference."""
    found: dict[float, tuple[float, float]] = {}
    for gain in (0.0, 0.15):
        better = World(world.seeds, world.shared, world.own, world.seeds_vary, distance=world.distance + gain)
        truth, seen, holds = better.eer - world.eer, 0, 0
        for seed in range(PAIRED_SEED, PAIRED_SEED + draws):
            first, second = runs_of(world, seed, 2, resamples, gain)
            difference = mean_difference(first, second)
            seen += difference.p_value < 0.05
            holds += difference.interval.low <= truth <= difference.interval.high
        found[gain] = seen / draws, holds / draws
    return found


def _described(world: World) -> str:
    return (
        f"{world.seeds} | {world.speakers} | {world.shared:g} | {world.own:g} | {world.seeds_vary:g} | {world.eer:.2%}"
    )


def tables(draws: int, resamples: int, trials: int, jobs: int) -> Iterator[str]:
    """Yield all tables as lines of Markdown."""
    worlds = [replace(world, trials=trials) for world in (*THREE, *OTHERS)]
    many = len(worlds)
    with ProcessPoolExecutor(jobs) as pool:
        rates = pool.map(held_of_rates, worlds, [10 * draws] * many, [resamples] * many)
        single = pool.map(held, worlds, [draws] * many, [resamples] * many)
        tested = [replace(world, trials=trials) for world in PAIRED]
        pairs = pool.map(paired, tested, [draws] * len(tested), [resamples] * len(tested))
        yield from _coverage_lines("The mean over seeds of an EER", worlds, single, draws)
        yield from _coverage_lines(
            "The mean over seeds of a rate of 20 % (the column EER is that of the first table)",
            worlds,
            rates,
            10 * draws,
        )
        yield from (
            "## The paired difference of two means",
            "",
            f"Of {draws} draws: how often p < 0.05 where both settings are equally good (5 % is the goal) and where "
            "the second is better by 0.15 in the distance of the classes, and how often the interval holds the true "
            "difference.",
            "",
            f"| {_HEAD} | equal: p < 0.05 | interval held | better: p < 0.05 | interval held |",
            "| " + " | ".join(["---:"] * 10) + " |",
        )
        for world, of in zip(tested, pairs, strict=True):
            cells = " | ".join(f"{100 * share:.1f} %" for both in of.values() for share in both)
            yield f"| {_described(world)} | {cells} |"


_HEAD = "seeds | speakers | shared | own | seeds vary | EER"


def _coverage_lines(
    title: str, worlds: Sequence[World], found: Iterable[dict[str, tuple[float, float]]], draws: int
) -> Iterator[str]:
    yield from (
        f"## {title}",
        "",
        f"Share of {draws} draws whose nominal 95 % interval holds the truth that was planted (in brackets the median "
        f"width, points). Chance alone moves a share by ±{1.96 * (95 * 5 / draws) ** 0.5:.1f}.",
        "",
        f"| {_HEAD} | {' | '.join(WAYS)} |",
        "| " + " | ".join(["---:"] * (6 + len(WAYS))) + " |",
    )
    for world, of in zip(worlds, found, strict=True):
        cells = " | ".join(f"{100 * share:.1f} % ({100 * width:.1f})" for share, width in of.values())
        yield f"| {_described(world)} | {cells} |"
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    lines = [
        "# Statistics of the bench",
        "",
        f"`python benchmarks/bench_statistics.py --draws {arguments.draws} --resamples {arguments.resamples} "
        f"--trials {arguments.trials}`, {date.today().isoformat()}, Python {platform.python_version()}, NumPy "
        f"{np.__version__}.",
        "",
        "shared, own: shares of a score's variance that belong to speakers as all seeds hear them, and as one seed "
        "does. seeds vary: standard deviation over seeds of the distance of the classes, in standard deviations of a "
        "score.",
        "",
    ]
    print("\n".join(lines))
    for line in tables(arguments.draws, arguments.resamples, arguments.trials, arguments.jobs):
        print(line, flush=True)
        lines.append(line)
    if arguments.save:
        arguments.save.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

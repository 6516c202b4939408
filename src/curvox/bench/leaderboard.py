"""From the runs of a bench to a leaderboard: means over seeds, intervals over speakers and seeds, paired tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curvox.bench.board_records import Leaderboard, PairedTest, SettingFigures
from curvox.bench.cells import DONE, CellState, cells_of, state_of, trials_digest
from curvox.bench.record import COSINE, SCORERS, TEST, RunRecord, Trials, read_trial_lists, trials_of
from curvox.bench.setting_figures import ScoredParts, parts_of, scored_parts, setting_figures
from curvox.bench.spec import Bench
from curvox.bench.statistics import SeedReplicates, holm, mean_difference
from curvox.corpora import Corpus
from curvox.errors import InputError, require_name
from curvox.metrics import equal_error_rate
from curvox.metrics.inputs import check_level

DEV = "dev"
"""The trial list that settings are chosen on."""


@dataclass(frozen=True)
class DevChoice:
    """The setting with the lowest mean EER on the dev trials, and by which scorer."""

    setting: str
    scorer: str
    eer: float


def leaderboard(
    results: BenchResults,
    *,
    list: str = TEST,
    scorer: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
) -> Leaderboard:
    """Rank the settings of a bench by their mean EER over seeds on one trial list.

    All settings are resampled on the same draws of speakers. What the intervals and p-values are made of stands in
    `curvox.bench.statistics`. Every setting is tested against the rival of the bench by the same scorer; where the
    bench names none, the rival is the best on the dev trials, so that no test trial chooses it. The
    bench may ask for further tests. p is corrected by Holm's method over all tests by one scorer; where either setting
    has one seed alone there is no p, for it would not count what another seed gives.

    Args:
        results: the finished runs.
        list: name of the trial list.
        scorer: "cosine" or "distance"; both if None, each a row of its own.
        resamples: of the speakers, at least 2.
        seed: of the resamples.
        level: of the intervals.
        progress: is told how many settings are done, and how many there are.

    Raises:
        InputError: no finished run, a list or scorer that the runs do not have, or trials of a single speaker.
    """
    level = check_level(level)
    by_setting = _by_setting(results)
    trials = _trials(results, list)
    scorers = SCORERS if scorer is None else (scorer,)
    parts = parts_of(trials, resamples, seed)
    replicates: dict[tuple[str, str], SeedReplicates] = {}
    rows: dict[tuple[str, str], SettingFigures] = {}
    for done, (setting, records) in enumerate(by_setting.items()):
        if progress is not None:
            progress(done, len(by_setting))
        of = results.bench.setting(setting)
        before: ScoredParts | None = None
        for name in scorers:
            found = scored_parts(parts, [record.scores(list, name) for record in records], before)
            dev_eer = None if DEV not in results.trials else _mean_eer(results, records, DEV, name)
            rows[setting, name] = setting_figures(of, records, name, parts, found, dev_eer=dev_eer, level=level)
            replicates[setting, name] = found.pooled
            before = found
    if progress is not None:
        progress(len(by_setting), len(by_setting))
    rival, why_not = _rival(results, by_setting, scorers)
    return Leaderboard(
        bench=results.bench.name,
        list=list,
        rows=tuple(sorted(rows.values(), key=lambda row: (row.eer, row.setting, row.scorer))),
        tests=_tests(replicates, by_setting, scorers, _wanted(results.bench, rival, by_setting), level),
        rival=rival,
        why_no_tests=why_not,
        resamples=resamples,
        redrawn=parts.pooled.redrawn,
        seed=seed,
        level=level,
        trials=len(trials),
        targets=int(trials.labels.sum()),
        speakers=parts.pooled.speakers,
        missing=results.missing,
    )


def best_on_dev(
    results: BenchResults, *, among: Sequence[str] | None = None, scorer: str | None = COSINE, list: str = DEV
) -> DevChoice:
    """Return the setting with the lowest mean EER over its seeds on the dev trials; no test trial is looked at.

    Args:
        results: the finished runs.
        among: names of the settings to choose from; all that have runs if None.
        scorer: "cosine" or "distance"; the better of both, for each setting, if None.
        list: name of the trial list.

    Raises:
        InputError: no finished run, or a list or scorer that the runs do not have.
        UnknownNameError: a setting of ``among`` that has no run.
    """
    by_setting = _by_setting(results)
    for name in among or ():
        require_name(name, by_setting, "setting with a finished run")
    means = []
    for setting in (name for name in by_setting if among is None or name in among):
        for name in SCORERS if scorer is None else (scorer,):
            means.append(DevChoice(setting, name, _mean_eer(results, by_setting[setting], list, name)))
    return min(means, key=lambda choice: (choice.eer, choice.setting, choice.scorer))


def _mean_eer(results: BenchResults, records: Sequence[RunRecord], list: str, scorer: str) -> float:
    labels = _trials(results, list).labels
    return float(np.mean([equal_error_rate(record.scores(list, scorer), labels).value for record in records]))


def _by_setting(results: BenchResults) -> dict[str, list[RunRecord]]:
    """Return the records of each setting in the order of the bench, those of a setting by rising seed."""
    found: dict[str, list[RunRecord]] = {}
    for setting in results.bench.settings:
        own = [record for record in results.records if record.setting == setting.name]
        if own:
            found[setting.name] = sorted(own, key=lambda record: record.seed)
    if not found:
        raise InputError(
            f"no run of the bench {results.bench.name} is trained and evaluated yet; "
            "run `curvox bench` on its file until some are"
        )
    return found


def _trials(results: BenchResults, list: str) -> Trials:
    require_name(list, results.trials, f"trial list of the bench {results.bench.name}")
    return results.trials[list]


def _rival(
    results: BenchResults, by_setting: Mapping[str, Sequence[RunRecord]], scorers: Sequence[str]
) -> tuple[str | None, str]:
    """Return the rival and ""; or None and why there is none."""
    named = results.bench.rival
    if named is not None and named not in by_setting:
        return None, f"the rival {named} has no finished run yet"
    if len(by_setting) < 2:
        return None, "there are runs of one setting alone"
    if named is not None:
        return named, ""
    if DEV not in results.trials:
        return None, f"the bench names no rival, and has no list {DEV} on which one could be chosen"
    return best_on_dev(results, scorer=COSINE if COSINE in scorers else scorers[0]).setting, ""


def _wanted(bench: Bench, rival: str | None, trained: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return what is tested, as (first, second), of settings that have runs; the first is subtracted."""
    pairs = [(rival, setting.name) for setting in bench.settings if rival is not None and setting.name != rival]
    pairs += [(other, setting) for setting, others in bench.against.items() for other in others]
    known = set(trained)
    # Two settings are tested once, in whichever direction they come first.
    once: dict[frozenset[str], tuple[str, str]] = {}
    for pair in pairs:
        if known.issuperset(pair):
            once.setdefault(frozenset(pair), pair)
    return tuple(once.values())


def _tests(
    replicates: Mapping[tuple[str, str], SeedReplicates],
    by_setting: Mapping[str, Sequence[RunRecord]],
    scorers: Sequence[str],
    wanted: Sequence[tuple[str, str]],
    level: float,
) -> tuple[PairedTest, ...]:
    tests: list[PairedTest] = []
    for scorer in scorers:
        found = [
            (first, second, mean_difference(replicates[first, scorer], replicates[second, scorer], level))
            for first, second in wanted
        ]
        counts = [(len(by_setting[first]), len(by_setting[second])) for first, second, _ in found]
        # One seed does not tell what another one would have given, so there is nothing to test by.
        told = [row for row, seeds in enumerate(counts) if min(seeds) > 1]
        corrected = dict(zip(told, holm([found[row][2].p_value for row in told]), strict=True))
        for row, (first, second, difference) in enumerate(found):
            tests.append(PairedTest(first, second, scorer, difference, corrected.get(row), counts[row]))
    return tuple(sorted(tests, key=lambda test: (test.eer.difference, test.second, test.scorer, test.first)))


# What came out of a bench so far: the records of its finished runs, and the names of the others.


@dataclass(frozen=True, eq=False)
class BenchResults:
    """The runs of a bench that are trained and evaluated.

    Attributes:
        bench: what was asked for.
        records: of the finished runs, in the order of the cells: all settings of the first seed first.
        trials: every trial list of the bench, by its name.
        missing: the cells without a record, as ``name (why)``.
    """

    bench: Bench
    records: tuple[RunRecord, ...]
    trials: Mapping[str, Trials]
    missing: tuple[str, ...]


def read_results(bench: Bench, runs_folder: str | Path, corpus: Corpus) -> BenchResults:
    """Read the records of a bench from ``runs_folder``, which holds the folder of the bench.

    A run that is not trained or not evaluated, that was trained by another recipe, or evaluated on other trials, is
    named in ``missing`` and never mixed in.

    Raises:
        InputError: a trial list of the bench is missing or does not fit the corpus.
    """
    lists = read_trial_lists(bench.trials, corpus)
    digest = trials_digest(bench.levels, corpus, lists)
    states = [state_of(cell, bench, Path(runs_folder), digest) for cell in cells_of(bench)]
    return BenchResults(
        bench=bench,
        records=tuple(state.record for state in states if state.status == DONE and state.record is not None),
        trials={name: trials_of(trials, corpus) for name, trials in lists.items()},
        missing=tuple(_words(state) for state in states if state.status != DONE),
    )


def _words(state: CellState) -> str:
    return f"{state.cell.name} ({state.why or state.status})"

"""From the runs of a bench to a leaderboard: means over seeds, intervals over speakers and seeds, paired tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curvox.bench.board_records import GroupFigures, Leaderboard, PairedTest, SettingFigures, TreeMean, best_on_dev
from curvox.bench.cells import BenchResults
from curvox.bench.record import COSINE, SCORERS, TEST, RunRecord, Trials
from curvox.bench.spec import Bench, Setting
from curvox.bench.statistics import (
    SeedReplicates,
    holm,
    mean_difference,
    mean_interval,
    mean_of_measures,
    seed_replicates,
)
from curvox.errors import InputError, require_name
from curvox.losses import create_loss
from curvox.metrics import DEFAULT_POINTS, SpeakerDraws, check_level, detection_figures, draw_speakers, equal_error_rate

DEV = "dev"
"""The trial list that settings are chosen on."""


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
    bench names none, the rival is the best on the dev trials, so that no test trial chooses it. The bench may ask for
    further tests. p is corrected by Holm's method over all tests by one scorer; where either setting has one seed alone
    there is no p, for it would not count what another seed gives.

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
    pooled, corpora = draw_speakers(*_sides(trials), resamples=resamples, seed=seed), _corpora(trials, resamples, seed)
    replicates: dict[tuple[str, str], SeedReplicates] = {}
    rows: dict[tuple[str, str], SettingFigures] = {}
    for done, (setting, records) in enumerate(by_setting.items()):
        if progress is not None:
            progress(done, len(by_setting))
        of = results.bench.setting(setting)
        found: _Scored | None = None
        for name in scorers:
            found = _scored(pooled, corpora, [record.scores(list, name) for record in records], found)
            dev_eer = None if DEV not in results.trials else _mean_eer(results, records, DEV, name)
            figures = _setting_figures(of, records, found, level)
            rows[setting, name] = replace(figures, scorer=name, dev_eer=dev_eer)
            replicates[setting, name] = found.pooled
    if progress is not None:
        progress(len(by_setting), len(by_setting))
    rival, why_not = _rival(results, by_setting, rows.values())
    return Leaderboard(
        bench=results.bench.name,
        list=list,
        rows=tuple(sorted(rows.values(), key=lambda row: (row.eer, row.setting, row.scorer))),
        tests=_tests(replicates, by_setting, scorers, _wanted(results.bench, rival, by_setting), level),
        rival=rival,
        why_no_tests=why_not,
        resamples=resamples,
        redrawn=pooled.redrawn,
        seed=seed,
        level=level,
        trials=len(trials),
        targets=int(trials.labels.sum()),
        speakers=pooled.speakers,
        missing=results.missing,
    )


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
    results: BenchResults, by_setting: Mapping[str, Sequence[RunRecord]], rows: Iterable[SettingFigures]
) -> tuple[str | None, str]:
    """Return the rival and ""; or None and why there is none. It is chosen by the cosine where that is a scorer."""
    named = results.bench.rival
    if named is not None and named not in by_setting:
        return None, f"the rival {named} has no finished run yet"
    if len(by_setting) < 2:
        return None, "there are runs of one setting alone"
    if named is not None:
        return named, ""
    by_cosine = [row for row in rows if row.scorer == COSINE]
    best = best_on_dev(by_cosine or rows)
    if best is None:
        return None, f"the bench names no rival, and has no list {DEV} on which one could be chosen"
    return best.setting, ""


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


# The row of a setting: its EER pooled and corpus by corpus, and means over its seeds of all else.


@dataclass(frozen=True, eq=False)
class _Corpus:
    """The trials of one corpus: which of the list they are, their draws, and what is known before any is scored."""

    mask: NDArray[np.bool_]
    draws: SpeakerDraws | None
    figures: GroupFigures


@dataclass(frozen=True, eq=False)
class _Scored:
    """What a setting's runs reach by one scorer: their scores, the EER pooled and corpus by corpus, mean costs."""

    scores: tuple[NDArray[np.float64], ...]
    pooled: SeedReplicates
    groups: tuple[tuple[GroupFigures, SeedReplicates | None], ...]
    min_dcf: Mapping[str, float]


def _sides(trials: Trials, mask: NDArray[np.bool_] | None = None) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return labels and the speakers of both sides, of the trials that ``mask`` marks."""
    columns = trials.labels, trials.enrolment_speakers, trials.test_speakers
    labels, enrolment, test = columns if mask is None else (column[mask] for column in columns)
    return labels, enrolment, test


def _corpora(trials: Trials, resamples: int, seed: int) -> list[_Corpus]:
    """Draw the speakers of each corpus, where there are several; one whose trials are all of a class has no draws."""
    names = np.unique(trials.corpora).tolist()
    found = []
    for name in names if len(names) > 1 else ():
        mask = trials.corpora == name
        labels, *sides = _sides(trials, mask)
        draws, why = None, None
        if labels.all() or not labels.any():
            why = f"no {'non-target' if labels.all() else 'target'} trials"
        else:
            draws = draw_speakers(labels, *sides, resamples=resamples, seed=seed)
        speakers = np.unique(np.concatenate(sides)).size
        found.append(_Corpus(mask, draws, GroupFigures(name, len(labels), int(labels.sum()), speakers, why_none=why)))
    return found


def _scored(
    pooled: SpeakerDraws, corpora: Sequence[_Corpus], scores: Sequence[NDArray[np.float64]], before: _Scored | None
) -> _Scored:
    """Return what runs reach by their scores, (T,) each; ``before`` itself where its scores are the same.

    That is so on the sphere, where the distance orders trials as the cosine does.
    """
    if before is not None and np.array_equal(before.scores, scores):
        return before
    replicates = seed_replicates(pooled, scores)
    groups = [
        (of.figures, None if of.draws is None else seed_replicates(of.draws, [row[of.mask] for row in scores]))
        for of in corpora
    ]
    return _Scored(tuple(scores), replicates, tuple(groups), _costs(scores, pooled.labels))


def _setting_figures(setting: Setting, records: Sequence[RunRecord], found: _Scored, level: float) -> SettingFigures:
    """Return the row of a setting, of its records by rising seed; whose scorer it is stands there later."""
    eers = found.pooled.estimates
    return SettingFigures(
        setting=setting.name,
        title=setting.title,
        space=space_of(setting.tree["loss"]),
        scorer="",
        seeds=tuple(record.seed for record in records),
        eer=found.pooled.mean,
        interval=mean_interval(found.pooled, level),
        eers=tuple(eers.tolist()),
        spread=float(eers.std(ddof=1)) if eers.size > 1 else None,
        min_dcf=found.min_dcf,
        groups=tuple(_group(figures, replicates, level) for figures, replicates in found.groups),
        tree=_tree(records, level),
        seconds=float(np.mean([record.seconds for record in records])),
        steps=float(np.mean([record.steps for record in records])),
        parameters=records[0].parameters,
        best_epochs=tuple(record.best_epoch for record in records),
        vitals=_means([record.vitals for record in records]),
        findings=_findings(records),
        learnt=_means([record.learnt for record in records]),
    )


def space_of(loss: str | Mapping[str, Any]) -> str:
    """Return the table name of the space in which a loss of a recipe compares embeddings."""
    described: Mapping[str, Any] = {"name": loss} if isinstance(loss, str) else loss
    space, parts = described.get("space"), described.get("parts")
    if space is not None:
        return space if isinstance(space, str) else str(space["name"])
    if parts:
        named = [part for part in parts if part["name"] == described.get("space_of")]
        chosen = named[0] if named else max(parts, key=lambda part: part["weight"])
        return space_of({key: value for key, value in chosen.items() if key != "weight"})
    # The default space depends neither on sizes nor on the levels of a tree, which come from a corpus.
    rest = {key: value for key, value in described.items() if key not in ("levels", "level_weights")}
    return str(create_loss(rest, dim=16, speakers=4).space.describe()["name"])


def _group(figures: GroupFigures, found: SeedReplicates | None, level: float) -> GroupFigures:
    if found is None:
        return figures
    return replace(figures, eer=found.mean, interval=mean_interval(found, level), eers=tuple(found.estimates.tolist()))


def _costs(scores: Sequence[NDArray[np.float64]], labels: NDArray[np.bool_]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for row in scores:
        for figure in detection_figures(row, labels, points=DEFAULT_POINTS, rates=()):
            if figure.key.startswith("min_dcf:"):
                sums[figure.key] = sums.get(figure.key, 0.0) + figure.value / len(scores)
    return sums


def _means(mappings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(key for mapping in mappings for key in mapping)
    return {key: float(np.mean([mapping[key] for mapping in mappings if key in mapping])) for key in keys}


def _findings(records: Sequence[RunRecord]) -> tuple[tuple[str, int], ...]:
    names = dict.fromkeys(finding for record in records for finding in record.findings)
    return tuple((name, sum(name in record.findings for record in records)) for name in names)


def _tree(records: Sequence[RunRecord], level: float) -> tuple[TreeMean, ...]:
    trees = [record.tree for record in records if record.tree is not None]
    kinds = dict.fromkeys((measure.key, measure.level) for tree in trees for measure in tree.measures)
    means = []
    for key, of_level in kinds:
        measures = [measure for tree in trees if (measure := tree.measure(key, of_level)) is not None]
        known = [measure for measure in measures if measure.value is not None]
        values = tuple(float(measure.value) for measure in known if measure.value is not None)
        chances = [measure.chance for measure in known if measure.chance is not None]
        means.append(
            TreeMean(
                key=key,
                title=measures[0].title,
                level=of_level,
                value=float(np.mean(values)) if values else None,
                values=values,
                interval=mean_of_measures(values, [measure.interval for measure in known], level) if values else None,
                chance=float(np.mean(chances)) if chances else None,
                better=measures[0].better,
                why_none=None if values else measures[0].why_none,
            )
        )
    return tuple(means)

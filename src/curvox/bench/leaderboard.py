"""From the runs of a bench to a leaderboard: means over seeds, intervals over speakers and seeds, paired tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curvox.bench.board_records import GroupFigures, Leaderboard, PairedTest, SettingFigures, TreeMean
from curvox.bench.draws import SpeakerDraws, draw_speakers
from curvox.bench.record import COSINE, SCORERS, RunRecord
from curvox.bench.statistics import (
    MeanDifference,
    SeedReplicates,
    holm,
    mean_difference,
    mean_interval,
    mean_of_measures,
    seed_replicates,
)
from curvox.bench.trials import TEST
from curvox.errors import InputError, require_name
from curvox.metrics import DEFAULT_POINTS, detection_figures, equal_error_rate
from curvox.metrics.inputs import check_level

if TYPE_CHECKING:
    from curvox.bench.results import BenchResults
    from curvox.bench.trials import Trials

DEV = "dev"
"""The trial list that settings are chosen on."""


@dataclass(frozen=True)
class DevChoice:
    """The setting with the lowest mean EER on the dev trials, and by which scorer."""

    setting: str
    scorer: str
    eer: float


@dataclass(frozen=True, eq=False)
class _Part:
    """The trials of one corpus: which they are, their draws, and why there are none."""

    name: str
    mask: NDArray[np.bool_]
    labels: NDArray[np.bool_]
    speakers: int
    draws: SpeakerDraws | None
    why_none: str | None


def leaderboard(
    results: BenchResults,
    *,
    list: str = TEST,
    scorer: str | None = None,
    pairs: Sequence[tuple[str, str]] = (),
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
) -> Leaderboard:
    """Rank the settings of a bench by their mean EER over seeds on one trial list.

    All settings are resampled on the same draws of speakers. What the intervals and p-values are made of stands in
    `curvox.bench.statistics`. Every setting is tested against the rival of the bench by the same scorer; where the
    bench names none, the rival is the best on the dev trials, so that no test trial chooses it. p is corrected by
    Holm's method over all tests by one scorer.

    Args:
        results: the finished runs.
        list: name of the trial list.
        scorer: "cosine" or "distance"; both if None, each a row of its own.
        pairs: further tests, as (first, second): names of settings, of which the first is subtracted.
        resamples: of the speakers, at least 2.
        seed: of the resamples.
        level: of the intervals.
        progress: is told how many of the score lists are done, and how many there are.

    Raises:
        InputError: no finished run, a list or scorer that the runs do not have, or trials of a single speaker.
        UnknownNameError: a pair of settings that have no run.
    """
    by_setting = _by_setting(results)
    trials = _trials(results, list)
    scorers = SCORERS if scorer is None else (scorer,)
    draws = draw_speakers(
        trials.labels, trials.enrolment_speakers, trials.test_speakers, resamples=resamples, seed=seed
    )
    parts = _parts(trials, resamples, seed)
    replicates: dict[tuple[str, str], SeedReplicates] = {}
    rows: dict[tuple[str, str], SettingFigures] = {}
    done = 0
    for name in scorers:
        for setting, records in by_setting.items():
            scores = [record.scores(list, name) for record in records]
            found = seed_replicates(draws, scores)
            replicates[setting, name] = found
            groups = tuple(_group(part, scores, check_level(level)) for part in parts)
            rows[setting, name] = _row(results, records, name, found, scores, trials.labels, groups, level)
            done += 1
            if progress is not None:
                progress(done, len(scorers) * len(by_setting))
    rival, why_not = _rival(results, by_setting, scorers)
    return Leaderboard(
        bench=results.bench.name,
        list=list,
        rows=tuple(sorted(rows.values(), key=lambda row: (row.eer, row.setting, row.scorer))),
        tests=_tests(replicates, by_setting, scorers, rival, pairs, level),
        rival=rival,
        why_no_tests=why_not,
        resamples=resamples,
        redrawn=draws.redrawn,
        seed=seed,
        level=level,
        trials=len(trials),
        targets=int(trials.labels.sum()),
        speakers=draws.speakers,
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
    labels = _trials(results, list).labels
    for name in among or ():
        require_name(name, by_setting, "setting with a finished run")
    means = []
    for setting in (name for name in by_setting if among is None or name in among):
        for name in SCORERS if scorer is None else (scorer,):
            eers = [equal_error_rate(record.scores(list, name), labels).value for record in by_setting[setting]]
            means.append(DevChoice(setting, name, float(np.mean(eers))))
    return min(means, key=lambda choice: (choice.eer, choice.setting, choice.scorer))


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


def _parts(trials: Trials, resamples: int, seed: int) -> tuple[_Part, ...]:
    """Return the trials corpus by corpus; none where there is only one corpus."""
    names = np.unique(trials.corpora)
    if names.size < 2:
        return ()
    parts = []
    for name in names.tolist():
        mask = trials.corpora == name
        labels, sides = trials.labels[mask], (trials.enrolment_speakers[mask], trials.test_speakers[mask])
        speakers = np.unique(np.concatenate(sides)).size
        draws, why = None, None
        if labels.all() or not labels.any():
            why = f"no {'non-target' if labels.all() else 'target'} trials"
        else:
            draws = draw_speakers(labels, *sides, resamples=resamples, seed=seed)
        parts.append(_Part(name, mask, labels, int(speakers), draws, why))
    return tuple(parts)


def _group(part: _Part, scores: Sequence[NDArray[np.float64]], level: float) -> GroupFigures:
    counts = (part.name, part.labels.size, int(part.labels.sum()), part.speakers)
    if part.draws is None:
        return GroupFigures(*counts, why_none=part.why_none)
    found = seed_replicates(part.draws, [row[part.mask] for row in scores])
    eers = tuple(found.estimates.tolist())
    return GroupFigures(*counts, eer=found.mean, interval=mean_interval(found, level), eers=eers)


def _row(
    results: BenchResults,
    records: Sequence[RunRecord],
    scorer: str,
    found: SeedReplicates,
    scores: Sequence[NDArray[np.float64]],
    labels: NDArray[np.bool_],
    groups: tuple[GroupFigures, ...],
    level: float,
) -> SettingFigures:
    first = records[0]
    return SettingFigures(
        setting=first.setting,
        title=first.title,
        space=space_of(results, first.setting),
        scorer=scorer,
        seeds=tuple(record.seed for record in records),
        eer=found.mean,
        interval=mean_interval(found, level),
        eers=tuple(found.estimates.tolist()),
        spread=float(found.estimates.std(ddof=1)) if found.seeds > 1 else None,
        min_dcf=_costs(scores, labels),
        groups=groups,
        tree=_tree(records, level),
        seconds=float(np.mean([record.seconds for record in records])),
        steps=float(np.mean([record.steps for record in records])),
        parameters=first.parameters,
        best_epochs=tuple(record.best_epoch for record in records),
        vitals=_means([record.vitals for record in records]),
        findings=_findings(records),
        learnt=_means([record.learnt for record in records]),
    )


def space_of(results: BenchResults, setting: str) -> str:
    """Return the table name of the space in which the embeddings of a setting are compared."""
    from curvox.losses.description import create_loss  # brings torch

    # The space does not depend on how many numbers and speakers there are.
    space = create_loss(results.bench.setting(setting).tree["loss"], dim=16, speakers=4).space
    return str(space.describe()["name"])


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


def _rival(
    results: BenchResults, by_setting: Mapping[str, Sequence[RunRecord]], scorers: Sequence[str]
) -> tuple[str | None, str]:
    """Return the rival and ""; or None and why there is none."""
    named = results.bench.rival
    if named is not None:
        return (named, "") if named in by_setting else (None, f"the rival {named} has no finished run yet")
    if len(by_setting) < 2:
        return None, "there are runs of one setting alone"
    if DEV not in results.trials:
        return None, f"the bench names no rival, and has no list {DEV} on which one could be chosen"
    return best_on_dev(results, scorer=COSINE if COSINE in scorers else scorers[0]).setting, ""


def _tests(
    replicates: Mapping[tuple[str, str], SeedReplicates],
    by_setting: Mapping[str, Sequence[RunRecord]],
    scorers: Sequence[str],
    rival: str | None,
    pairs: Sequence[tuple[str, str]],
    level: float,
) -> tuple[PairedTest, ...]:
    for name in (name for pair in pairs for name in pair):
        require_name(name, by_setting, "setting with a finished run")
    against = [(rival, setting) for setting in by_setting if rival is not None and setting != rival]
    wanted = dict.fromkeys([*against, *pairs])
    tests: list[PairedTest] = []
    for scorer in scorers:
        found = [
            (first, second, mean_difference(replicates[first, scorer], replicates[second, scorer], level))
            for first, second in wanted
        ]
        corrected = holm([difference.p_value for _, _, difference in found])
        for (first, second, difference), p_corrected in zip(found, corrected, strict=True):
            seeds = len(by_setting[first]), len(by_setting[second])
            tests.append(_test(first, second, scorer, difference, p_corrected, seeds))
    return tuple(sorted(tests, key=lambda test: (test.difference, test.second, test.scorer, test.first)))


def _test(
    first: str, second: str, scorer: str, difference: MeanDifference, p_corrected: float, seeds: tuple[int, int]
) -> PairedTest:
    return PairedTest(
        first=first,
        second=second,
        scorer=scorer,
        first_eer=difference.first,
        second_eer=difference.second,
        difference=difference.difference,
        interval=difference.interval,
        p_value=difference.p_value,
        p_corrected=p_corrected,
        relative=difference.relative,
        relative_interval=difference.relative_interval,
        seeds=seeds,
    )

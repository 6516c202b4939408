"""The figures of one setting: its EER pooled and corpus by corpus, and means over seeds of all else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curvox.bench.board_records import GroupFigures, SettingFigures, TreeMean
from curvox.bench.record import RunRecord
from curvox.bench.statistics import SeedReplicates, mean_interval, mean_of_measures, seed_replicates
from curvox.metrics import DEFAULT_POINTS, SpeakerDraws, detection_figures, draw_speakers

if TYPE_CHECKING:
    from curvox.bench.record import Trials
    from curvox.bench.spec import Setting


@dataclass(frozen=True, eq=False)
class GroupTrials:
    """The trials of one corpus: which of the list they are, and their draws, or why there are none."""

    name: str
    mask: NDArray[np.bool_]
    targets: int
    speakers: int
    draws: SpeakerDraws | None
    why_none: str | None


@dataclass(frozen=True, eq=False)
class TrialParts:
    """The draws of all trials of a list, and its corpora; none where there is only one."""

    pooled: SpeakerDraws
    groups: tuple[GroupTrials, ...]


@dataclass(frozen=True, eq=False)
class ScoredParts:
    """What a setting's runs reach by one scorer: their scores, and the EER with replicates, pooled and by corpus."""

    scores: tuple[NDArray[np.float64], ...]
    pooled: SeedReplicates
    groups: tuple[SeedReplicates | None, ...]
    min_dcf: Mapping[str, float]


def parts_of(trials: Trials, resamples: int, seed: int) -> TrialParts:
    """Draw the speakers of a trial list, and those of each corpus in it.

    Raises:
        InputError: what `draw_speakers` refuses; a corpus of one class only is no error.
    """
    sides = trials.enrolment_speakers, trials.test_speakers
    pooled = draw_speakers(trials.labels, *sides, resamples=resamples, seed=seed)
    names = np.unique(trials.corpora).tolist()
    groups = []
    for name in names if len(names) > 1 else ():
        mask = trials.corpora == name
        labels, own = trials.labels[mask], [side[mask] for side in sides]
        draws, why = None, None
        if labels.all() or not labels.any():
            why = f"no {'non-target' if labels.all() else 'target'} trials"
        else:
            draws = draw_speakers(labels, *own, resamples=resamples, seed=seed)
        speakers = np.unique(np.concatenate(own)).size
        groups.append(GroupTrials(name, mask, int(labels.sum()), int(speakers), draws, why))
    return TrialParts(pooled, tuple(groups))


def scored_parts(
    parts: TrialParts, scores: Sequence[NDArray[np.float64]], before: ScoredParts | None = None
) -> ScoredParts:
    """Return what runs reach by their scores, (T,) each; ``before`` itself where its scores are the same.

    That is so on the sphere, where the distance orders trials as the cosine does.
    """
    if before is not None and np.array_equal(before.scores, scores):
        return before
    pooled = seed_replicates(parts.pooled, scores)
    groups = [
        None if group.draws is None else seed_replicates(group.draws, [row[group.mask] for row in scores])
        for group in parts.groups
    ]
    return ScoredParts(tuple(scores), pooled, tuple(groups), _costs(scores, parts.pooled.labels))


def setting_figures(
    setting: Setting,
    records: Sequence[RunRecord],
    scorer: str,
    parts: TrialParts,
    found: ScoredParts,
    *,
    dev_eer: float | None,
    level: float,
) -> SettingFigures:
    """Return the row of a setting by one scorer, of its records by rising seed."""
    first, eers = records[0], found.pooled.estimates
    return SettingFigures(
        setting=setting.name,
        title=setting.title,
        space=space_of(setting.tree["loss"]),
        scorer=scorer,
        seeds=tuple(record.seed for record in records),
        eer=found.pooled.mean,
        interval=mean_interval(found.pooled, level),
        eers=tuple(eers.tolist()),
        spread=float(eers.std(ddof=1)) if eers.size > 1 else None,
        min_dcf=found.min_dcf,
        dev_eer=dev_eer,
        groups=tuple(_group(of, reps, level) for of, reps in zip(parts.groups, found.groups, strict=True)),
        tree=_tree(records, level),
        seconds=float(np.mean([record.seconds for record in records])),
        steps=float(np.mean([record.steps for record in records])),
        parameters=first.parameters,
        best_epochs=tuple(record.best_epoch for record in records),
        vitals=_means([record.vitals for record in records]),
        findings=_findings(records),
        learnt=_means([record.learnt for record in records]),
    )


def space_of(loss: str | Mapping[str, Any]) -> str:
    """Return the table name of the space in which a loss of a recipe compares embeddings."""
    from curvox.losses import create_loss  # brings torch

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


def _group(group: GroupTrials, found: SeedReplicates | None, level: float) -> GroupFigures:
    counts = (group.name, int(group.mask.sum()), group.targets, group.speakers)
    if found is None:
        return GroupFigures(*counts, why_none=group.why_none)
    eers = tuple(found.estimates.tolist())
    return GroupFigures(*counts, eer=found.mean, interval=mean_interval(found, level), eers=eers)


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

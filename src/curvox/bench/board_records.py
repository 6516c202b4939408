"""What a leaderboard holds: the figures of every setting, and the tests of settings against each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from curvox.metrics import Difference, Interval
from curvox.records import to_plain


@dataclass(frozen=True)
class GroupFigures:
    """The trials of one corpus.

    Attributes:
        name: of the corpus.
        trials: how many there are.
        targets: how many of them are target trials.
        speakers: how many speakers they name.
        eer: mean over the seeds; None where there is none.
        interval: of ``eer``, over the speakers of this group and the seeds.
        eers: of each seed.
        why_none: why there is no figure, or no interval.
    """

    name: str
    trials: int
    targets: int
    speakers: int
    eer: float | None = None
    interval: Interval | None = None
    eers: tuple[float, ...] = ()
    why_none: str | None = None


@dataclass(frozen=True)
class TreeMean:
    """A measure of the label tree, as mean over the seeds.

    Attributes:
        key: of the measure, as in `curvox.hierarchy.Measure`.
        title: of the measure.
        level: which level of the tree; None for the whole tree.
        value: the mean over the seeds that have it; None where none has.
        values: of each seed that has it.
        interval: of the mean, over speakers and seeds, erring to the wide side.
        chance: what shuffled labels give, as mean over the seeds.
        better: "higher", "lower", or None where neither is.
        why_none: why there is no value.
    """

    key: str
    title: str
    level: str | None
    value: float | None
    values: tuple[float, ...] = ()
    interval: Interval | None = None
    chance: float | None = None
    better: str | None = None
    why_none: str | None = None


@dataclass(frozen=True)
class SettingFigures:
    """One setting by one scorer: a row of the leaderboard.

    Attributes:
        setting: name in the bench.
        title: for people.
        space: table name of the space that its embeddings are compared in, such as "poincare_ball".
        scorer: "cosine" or "distance".
        seeds: that were trained and evaluated, rising.
        eer: mean over the seeds.
        interval: of ``eer``, over speakers and seeds; over speakers alone where there is one seed.
        eers: of each seed.
        spread: standard deviation over the seeds; None of one seed.
        min_dcf: lowest detection costs as means over the seeds, by their keys, such as "min_dcf:0.01".
        dev_eer: mean EER over the seeds on the dev trials, by the same scorer; None if the bench has none.
        groups: the same EER corpus by corpus; empty where all trials are of one.
        tree: measures of the label tree; empty where they were not taken.
        seconds: of a training, mean over the seeds.
        steps: of the optimiser in a run, mean over the seeds.
        parameters: of the embedder.
        best_epochs: of each seed, from 1; 0 for the mean of the last epochs.
        vitals: last vital signs, means over the seeds that have them.
        findings: of the doctor beside the training, each with the number of seeds it was found in.
        learnt: scalars learnt beside the encoder, means over the seeds that have them.
    """

    setting: str
    title: str
    space: str
    scorer: str
    seeds: tuple[int, ...]
    eer: float
    interval: Interval
    eers: tuple[float, ...]
    spread: float | None
    min_dcf: Mapping[str, float]
    dev_eer: float | None = None
    groups: tuple[GroupFigures, ...] = ()
    tree: tuple[TreeMean, ...] = ()
    seconds: float = 0.0
    steps: float = 0.0
    parameters: int = 0
    best_epochs: tuple[int, ...] = ()
    vitals: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[tuple[str, int], ...] = ()
    learnt: Mapping[str, float] = field(default_factory=dict)

    def group(self, name: str) -> GroupFigures | None:
        """Return the figures of a corpus, None if it has none."""
        return next((group for group in self.groups if group.name == name), None)

    def measure(self, key: str, level: str | None = None) -> TreeMean | None:
        """Return a measure of the tree, None if it was not taken."""
        return next((mean for mean in self.tree if (mean.key, mean.level) == (key, level)), None)


def best_on_dev(rows: Iterable[SettingFigures]) -> SettingFigures | None:
    """Return the row of the lowest mean EER on the dev trials, None where there are none."""
    known = [(row.dev_eer, row.setting, row) for row in rows if row.dev_eer is not None]
    return min(known, key=lambda one: one[:2])[2] if known else None


@dataclass(frozen=True)
class PairedTest:
    """Two settings by one scorer on the same trials.

    Attributes:
        first: name of the setting that is subtracted, most often the rival.
        second: name of the other.
        scorer: of both.
        eer: the mean EER of both, and its difference, second less first; below 0 the second is better. Interval and p
            are over speakers and seeds, of this test alone; the seed of a side that has one alone is not counted.
        p_corrected: its p by Holm's correction over all tests of the leaderboard by this scorer; None where a side has
            one seed, which does not tell what another one would have given.
        seeds: how many seeds of the first and of the second stand behind it.
    """

    first: str
    second: str
    scorer: str
    eer: Difference
    p_corrected: float | None
    seeds: tuple[int, int]

    @property
    def p_value(self) -> float | None:
        """The p-value of this test alone; None where a side has one seed."""
        return None if self.p_corrected is None else self.eer.p_value

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        eer = to_plain(self.eer)
        return {
            "first": self.first,
            "second": self.second,
            "scorer": self.scorer,
            "first_eer": eer["first"],
            "second_eer": eer["second"],
            "difference": eer["difference"],
            "interval": eer["interval"],
            "p_value": self.p_value,
            "p_corrected": self.p_corrected,
            "relative": eer["relative"],
            "relative_interval": eer["relative_interval"],
            "seeds": list(self.seeds),
        }


@dataclass(frozen=True)
class Leaderboard:
    """Settings ranked by their mean EER on one trial list.

    Attributes:
        bench: name of the bench.
        list: name of the trial list.
        rows: a setting by a scorer each, the lowest mean EER first.
        tests: paired tests, of all settings against the rival, and those that the bench asks for.
        rival: the setting that the others are tested against; None where there is none.
        why_no_tests: why there are no tests against a rival.
        resamples: of the speakers, behind intervals and p.
        redrawn: how many of them lacked a class and were drawn again.
        seed: of the resamples.
        level: of the intervals.
        trials: how many there are in the list.
        targets: how many of them are target trials.
        speakers: how many speakers they name.
        missing: runs of the bench without a record, as ``name (why)``.
    """

    bench: str
    list: str
    rows: tuple[SettingFigures, ...]
    tests: tuple[PairedTest, ...]
    rival: str | None
    why_no_tests: str
    resamples: int
    redrawn: int
    seed: int
    level: float
    trials: int
    targets: int
    speakers: int
    missing: tuple[str, ...]

    @property
    def scorers(self) -> tuple[str, ...]:
        """The scorers that rows have."""
        return tuple(sorted({row.scorer for row in self.rows}))

    def by(self, scorer: str) -> tuple[SettingFigures, ...]:
        """Return the rows of one scorer, the lowest mean EER first."""
        return tuple(row for row in self.rows if row.scorer == scorer)

    def best_on_dev(self, scorer: str) -> SettingFigures | None:
        """Return what a scorer chooses on the dev trials, see `curvox.bench.board_records.best_on_dev`."""
        return best_on_dev(self.by(scorer))

    def row(self, setting: str, scorer: str) -> SettingFigures | None:
        """Return the figures of a setting by a scorer, None if there are none."""
        return next((row for row in self.rows if (row.setting, row.scorer) == (setting, scorer)), None)

    def test(self, second: str, scorer: str, first: str | None = None) -> PairedTest | None:
        """Return the test of a setting against another, the rival if none is named; None if it was not made."""
        against = self.rival if first is None else first
        wanted = (against, second, scorer)
        return next((test for test in self.tests if (test.first, test.second, test.scorer) == wanted), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for strict JSON: no NaN, no infinity, lists for tuples."""
        return {**to_plain(self), "tests": [test.to_dict() for test in self.tests]}

"""From outcomes to the tables: what counts, shares with intervals, on what was left out and on the rest."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sabotage import wilson

from mutants.asking import NOISE, Outcome, Verdict, limit_of
from mutants.operators import OPERATORS, left_out
from mutants.sound import SOUND

Rows = list[list[str]]

TRAINS = 0.85
"""Share of the dev EER of a network at random below which the mean of a sound loss must lie."""

USELESS = 0.5
"""Share of what the sound loss gains that a mutant must have lost to be useless."""

GOALS = {
    "right first cause": "≥ 90 %",
    "right cause among the findings": "",
    "failure in a sound loss": "≤ 2 %",
    "warning first in a sound one": "≤ 10 %",
    '"healthy" of a mutant that counts': "",
    '"healthy" of a useless mutant': "≤ 5 %",
    "remedy brings the EER back": "≥ 80 %",
}


@dataclass(frozen=True)
class Results:
    """All outcomes, and what the EERs say of them.

    Attributes:
        untrained: dev EER of a network at random.
        sound: sound losses that train, by name.
        unsound: those that do not here; nothing counts that was made of them.
        mutants: of the sound ones.
    """

    untrained: float
    sound: Mapping[str, Outcome]
    unsound: tuple[Outcome, ...]
    mutants: tuple[Outcome, ...]

    def limit(self, mutant: Outcome) -> float:
        """The EER up to which a mutant is equivalent."""
        return limit_of(self.sound[mutant.sound].eers, NOISE)

    def counts(self, mutant: Outcome) -> bool:
        """It trains, or ends in numbers that are none, and is worse than its sound loss."""
        return not self.refused(mutant) and mutant.eer > self.limit(mutant)

    def refused(self, mutant: Outcome) -> bool:
        """It ends in an error of the loss or of torch, which its user is told anyway."""
        return mutant.died != "" and not mutant.died.startswith("not finite")

    def useless(self, mutant: Outcome) -> bool:
        """It has lost half of what its sound loss gains."""
        sound = self.sound[mutant.sound].eer
        return self.counts(mutant) and mutant.eer > sound + USELESS * (self.untrained - sound)


def trains(loss: Outcome, untrained: float) -> bool:
    """A sound loss is sound here: its embeddings are clearly better than those of a network at random."""
    return loss.eer < TRAINS * untrained and not loss.died


def results_of(outcomes: Iterable[Outcome], untrained: float) -> Results:
    """Sort outcomes."""
    outcomes = tuple(outcomes)
    losses = [outcome for outcome in outcomes if not outcome.operator]
    trained = {o.name: o for o in losses if trains(o, untrained)}
    mutants = tuple(o for o in outcomes if o.operator and o.sound in trained)
    return Results(untrained, trained, tuple(o for o in losses if o.name not in trained), mutants)


PARTS: dict[str, Callable[[Outcome], bool]] = {
    "for thresholds": lambda o: not _family_out(o) and not _operator_out(o),
    "families left out": lambda o: _family_out(o),
    "operators left out": lambda o: _operator_out(o),
    "both left out": lambda o: _family_out(o) and _operator_out(o),
    "all": lambda o: True,
}
"""What the shares are of. A sound loss has no operator: it is left out with its family."""


def _family_out(outcome: Outcome) -> bool:
    return left_out(SOUND[outcome.sound].family)


def _operator_out(outcome: Outcome) -> bool:
    return bool(outcome.operator) and left_out(outcome.operator)


def said(outcome: Outcome, asked: str) -> tuple[Verdict, ...]:
    """The verdicts that count, asked by a batch or by a run; none of a batch for what only a run shows."""
    if asked == "run":
        return outcome.run
    return () if outcome.operator and OPERATORS[outcome.operator].run_only else outcome.batch


def right(outcome: Outcome, verdict: Verdict) -> bool:
    """The first cause names what the operator did."""
    return verdict.first in OPERATORS[outcome.operator].causes


def found(outcome: Outcome, verdict: Verdict) -> bool:
    """Some finding does."""
    return any(cause in OPERATORS[outcome.operator].causes for cause in (verdict.first, *dict(verdict.others)))


def shares(results: Results, asked: str) -> Rows:
    """One row for each goal, one column for each part."""
    rows: Rows = []
    for goal, wanted in GOALS.items():
        cells = [_share(*_counted(results, goal, asked, PARTS[part])) for part in PARTS]
        rows.append([goal, wanted, *cells])
    return rows


def _counted(results: Results, goal: str, asked: str, kept: Callable[[Outcome], bool]) -> tuple[int, int]:
    sound = [v for o in results.sound.values() if kept(o) for v in said(o, asked)]
    pairs = [(o, v) for o in results.mutants if kept(o) and results.counts(o) for v in said(o, asked)]
    useless = [v for o, v in pairs if results.useless(o)]
    tried = [o for o in results.mutants if kept(o) and results.counts(o) and o.remedied]
    mended = [o for o in tried if statistics.mean(o.remedied) <= results.limit(o)]
    return {
        "right first cause": (sum(right(o, v) for o, v in pairs), len(pairs)),
        "right cause among the findings": (sum(found(o, v) for o, v in pairs), len(pairs)),
        "failure in a sound loss": (sum(v.severity in ("failure", "error") for v in sound), len(sound)),
        "warning first in a sound one": (sum(v.severity == "warning" for v in sound), len(sound)),
        '"healthy" of a mutant that counts': (sum(v.first == "healthy" for _, v in pairs), len(pairs)),
        '"healthy" of a useless mutant': (sum(v.first == "healthy" for v in useless), len(useless)),
        "remedy brings the EER back": (len(mended), len(tried)) if asked == "run" else (0, 0),
    }[goal]


def _share(hits: int, cases: int) -> str:
    if not cases:
        return "-"
    low, high = wilson(hits, cases)
    return f"{100 * hits / cases:.0f} % [{100 * low:.0f}, {100 * high:.0f}], {hits} of {cases}"


def by_operator(results: Results) -> Rows:
    """What became of each operator's mutants, and what the doctor says of those that count."""
    rows: Rows = []
    for name, operator in OPERATORS.items():
        own = [o for o in results.mutants if o.operator == name]
        if not own:
            continue
        rows.append(
            [f"{name}{' *' if left_out(name) else ''}", ", ".join(sorted(operator.causes)), *_row(results, own)]
        )
    return rows


def by_family(results: Results) -> Rows:
    """The same by family, with its sound losses before it."""
    rows: Rows = []
    for family in sorted({sound.family for sound in SOUND.values()}):
        sound = [o for o in results.sound.values() if SOUND[o.sound].family == family]
        verdicts = [v for o in sound for v in o.run]
        wrong = sum(v.severity in ("failure", "error") for v in verdicts)
        warned = sum(v.severity == "warning" for v in verdicts)
        own = [o for o in results.mutants if SOUND[o.sound].family == family]
        head = [f"{family}{' *' if left_out(family) else ''}", str(len(sound)), f"{wrong}, {warned} of {len(verdicts)}"]
        rows.append([*head, *_row(results, own)])
    return rows


def _row(results: Results, own: Sequence[Outcome]) -> list[str]:
    counted = [o for o in own if results.counts(o)]
    batch = [(o, v) for o in counted for v in said(o, "batch")]
    run = [(o, v) for o in counted for v in said(o, "run")]
    instead = Counter(v.first for o, v in run if not right(o, v))
    return [
        str(len(own)),
        str(len(own) - len(counted) - sum(results.refused(o) for o in own)),
        str(sum(results.useless(o) for o in own)),
        f"{sum(right(o, v) for o, v in batch)} of {len(batch)}",
        f"{sum(right(o, v) for o, v in run)} of {len(run)}",
        ", ".join(f"{cause} {times}" for cause, times in instead.most_common(5)),
    ]


def false_alarms(results: Results) -> Rows:
    """Sound losses that were told a failure or a warning, most often first."""
    told: dict[str, Counter[str]] = {}
    for outcome in results.sound.values():
        for asked in ("batch", "run"):
            for verdict in said(outcome, asked):
                if verdict.severity in ("failure", "warning", "error"):
                    key = f"{verdict.first} ({verdict.severity}, {asked})"
                    told.setdefault(key, Counter())[outcome.name] += 1
    ordered = sorted(told.items(), key=lambda item: (-len(item[1]), item[0]))
    return [[key, str(len(c)), str(sum(c.values())), ", ".join(f"{n} {k}" for n, k in c.items())] for key, c in ordered]


def misses(results: Results, asked: str) -> Rows:
    """What was said instead of what, most often first, with one case and its evidence."""
    kinds: dict[tuple[str, str], list[tuple[Outcome, Verdict]]] = {}
    for outcome in results.mutants:
        if results.counts(outcome):
            for verdict in said(outcome, asked):
                if not right(outcome, verdict):
                    kinds.setdefault((verdict.first, outcome.operator), []).append((outcome, verdict))
    rows: Rows = []
    for (cause, operator), cases in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])):
        names = Counter(outcome.sound for outcome, _ in cases)
        rows.append([cause, operator, str(len(cases)), ", ".join(names), cases[0][1].evidence[:240]])
    return rows


def spread_of_seeds(results: Results) -> float:
    """The pooled standard deviation of the dev EER between seeds of a sound loss."""
    return statistics.mean(statistics.variance(o.eers) for o in results.sound.values()) ** 0.5

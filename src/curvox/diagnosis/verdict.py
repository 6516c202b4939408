"""The diagnosis: what is a consequence of what, what comes first, and how it reads in a terminal and in JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from textwrap import wrap
from typing import Any, Literal

from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.findings import SEVERITIES, Checked, Evidence, Finding, NotChecked, merged
from curvox.errors import InputError
from curvox.records import NUMBERS, from_plain, to_plain

WIDTH = 100
_LABEL = 12
_INDENT = "  "
_RECIPE = "recipe"
FORMAT = "curvox diagnosis"
VERSION = 1

_AGAIN = "make it again with curvox diagnose --overwrite"
_EXPLAINED = ("title", "mechanism", "remedy", "recipe", "page")

_RANK = {name: rank for rank, name in enumerate(CAUSES)}


@dataclass(frozen=True)
class Diagnosis:
    """Findings, the likeliest first cause in front; "healthy" is the only one where nothing else was found.

    Attributes:
        findings: the worst first; of one severity, causes before what they explain.
        checked: the causes that were looked for.
        not_checked: those that were not, and why.
        vitals: vital signs of the batch or of the end of the run, by name.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    not_checked: tuple[NotChecked, ...] = ()
    vitals: dict[str, float] = field(default_factory=dict)

    @property
    def first(self) -> Finding:
        """The first cause."""
        return self.findings[0]

    @property
    def healthy(self) -> bool:
        """Nothing worse than a note was found."""
        return all(finding.severity in ("note", "healthy") for finding in self.findings)

    def found(self, cause: str) -> Finding | None:
        """The finding of this cause, if there is one."""
        return next((finding for finding in self.findings if finding.cause == cause), None)

    def __str__(self) -> str:
        return summary(self)


def diagnosis_of(parts: Iterable[Checked], *, vitals: Mapping[str, float] | None = None) -> Diagnosis:
    """Order the findings of all checks.

    A finding that another one explains, as bad as itself or worse, is marked as its consequence and comes behind all
    that stand for themselves and are as bad. One cause that several checks found is one finding with the evidence of
    all of them.

    Raises:
        InputError: nothing could be checked.
    """
    whole = merged(parts)
    if not whole.causes:
        reasons = "; ".join(dict.fromkeys(gap.why for gap in whole.not_checked))
        raise InputError(f"nothing could be checked: {reasons or 'there is nothing to look at'}")
    findings = _explained(_joined(whole.findings))
    ordered = sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), bool(f.because_of), _RANK[f.cause]))
    if all(finding.severity == "note" for finding in ordered):
        looked = Evidence("causes looked for", float(len(whole.causes)), "none of them found")
        ordered.insert(0, Finding("healthy", "healthy", (looked,)))
    return Diagnosis(tuple(ordered), whole.causes, whole.not_checked, dict(vitals or {}))


def _joined(findings: Iterable[Finding]) -> list[Finding]:
    """One finding a cause: the worst severity, the evidence of all."""
    by_cause: dict[str, Finding] = {}
    for new in findings:
        old = by_cause.get(new.cause)
        if old is None:
            by_cause[new.cause] = new
            continue
        worst, other = sorted((old, new), key=lambda f: SEVERITIES.index(f.severity))
        more = tuple(e for e in other.evidence if e not in worst.evidence)
        by_cause[new.cause] = replace(worst, evidence=worst.evidence + more, where=worst.where or other.where)
    return list(by_cause.values())


def _explained(findings: list[Finding]) -> list[Finding]:
    def explains(cause: Finding, effect: Finding) -> bool:
        as_bad = SEVERITIES.index(cause.severity) <= SEVERITIES.index(effect.severity)
        # Of two that explain each other, the one further up the table is the cause.
        back = cause.cause in CAUSES[effect.cause].explains and _RANK[effect.cause] < _RANK[cause.cause]
        return effect.cause in CAUSES[cause.cause].explains and as_bad and not back

    ranked = sorted(findings, key=lambda f: _RANK[f.cause])
    return [
        replace(effect, because_of=next((c.cause for c in ranked if c is not effect and explains(c, effect)), ""))
        for effect in findings
    ]


@dataclass(frozen=True)
class Explained:
    """A finding that stands for itself, and the findings that follow from it, directly or through one another."""

    finding: Finding
    consequences: tuple[Finding, ...]


def summary(diagnosis: Diagnosis, *, width: int = WIDTH) -> str:
    """Return a diagnosis as plain text: the first cause, every finding, what was and was not looked for.

    Prose is folded to ``width`` columns; recipe lines are not, since they are there to be copied.
    """
    blocks = [[("", headline(diagnosis))]]
    blocks += [list(_finding(part)) for part in explained(diagnosis) if part.finding.cause != "healthy"]
    blocks.append(list(_looked_for(diagnosis)))
    return "\n\n".join("\n".join(_folded(lead, text, width) for lead, text in block) for block in blocks)


def headline(diagnosis: Diagnosis) -> str:
    """Return the diagnosis in one sentence."""
    first = diagnosis.first
    if first.cause == "healthy":
        return f"healthy: none of the {len(diagnosis.checked)} causes looked for was found to do harm"
    return f"first cause: {title_of(first.cause)} ({first.cause}), {first.severity}"


def title_of(cause: str) -> str:
    """Return a cause in a few words."""
    return CAUSES[cause].title if cause in CAUSES else cause.capitalize()


def explained(diagnosis: Diagnosis) -> tuple[Explained, ...]:
    """Return the findings in their order, each consequence under the finding that it goes back to in the end."""
    by_cause = {finding.cause: finding for finding in diagnosis.findings}
    roots = {finding.cause: _root(finding, by_cause) for finding in diagnosis.findings}
    return tuple(
        Explained(finding, tuple(f for f in diagnosis.findings if f is not finding and roots[f.cause] == finding.cause))
        for finding in diagnosis.findings
        if roots[finding.cause] == finding.cause
    )


def counts(diagnosis: Diagnosis) -> str:
    """Return how many findings there are of each severity: "1 failure, 2 warnings"."""
    found = {severity: sum(f.severity == severity for f in diagnosis.findings) for severity in SEVERITIES[:-1]}
    return ", ".join(f"{n} {severity}{'s' if n > 1 else ''}" for severity, n in found.items() if n) or "no finding"


def measured(evidence: Evidence) -> str:
    """Return the number of a piece of evidence with its unit: a share of 0.25 in "%" is "25 %"."""
    return quantity(evidence.value, evidence.unit)


def quantity(value: float, unit: str = "") -> str:
    """Return a number with three digits that count, and its unit; a fraction in per cent where that is the unit."""
    text = _number(100.0 * value if unit == "%" else value)
    return f"{text} {unit}".rstrip()


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    if value == round(value) and abs(value) < 1e7:
        return f"{round(value):,}"
    if 1e3 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _root(finding: Finding, by_cause: Mapping[str, Finding]) -> str:
    """The cause that a finding goes back to; findings that explain each other in a ring stand for themselves."""
    seen = [finding.cause]
    while (cause := by_cause[seen[-1]].because_of) in by_cause:
        if cause in seen:
            return finding.cause
        seen.append(cause)
    return seen[-1]


def _finding(part: Explained) -> Iterator[tuple[str, str]]:
    """What stands before each line of a finding, and the line."""
    finding, cause = part.finding, CAUSES.get(part.finding.cause)
    yield "", f"{finding.severity}: {title_of(finding.cause)} ({finding.cause})"
    for i, evidence in enumerate(finding.evidence):
        yield _label("" if i else "measured"), f"{evidence.measure}: {measured(evidence)}; healthy: {evidence.healthy}"
    if finding.where:
        yield _label("where"), finding.where
    if cause is not None:
        yield _label("why"), cause.mechanism
        yield _label("remedy"), cause.remedy
        if cause.recipe:
            yield _label(_RECIPE), cause.recipe
        yield _label("page"), cause.page
    for i, effect in enumerate(part.consequences):
        first = effect.evidence[0]
        yield (
            _label("" if i else "explains"),
            f"{title_of(effect.cause)} ({effect.cause}, {effect.severity}): {first.measure} {measured(first)}, healthy "
            f"{first.healthy}",
        )


def _looked_for(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    found = {finding.cause for finding in diagnosis.findings}
    rest = ", ".join(cause for cause in diagnosis.checked if cause not in found)
    lead = f"looked for {len(diagnosis.checked)} causes"
    yield "", f"{lead}; not found: {rest}" if rest else f"{lead}, and found all of them"
    if diagnosis.not_checked:
        yield "", f"not checked, {len(diagnosis.not_checked)}:"
    reasons: dict[str, list[str]] = {}
    for gap in diagnosis.not_checked:
        reasons.setdefault(gap.why, []).append(gap.cause)
    for why, causes in reasons.items():
        yield _INDENT, f"{why}: {', '.join(causes)}"


def _label(name: str) -> str:
    return f"{_INDENT}{name:<{_LABEL}}"


def _folded(lead: str, text: str, width: int) -> str:
    """Fold text behind what leads it; a name that is longer than a line stays whole."""
    if lead == _label(_RECIPE):
        return lead + text
    rest = " " * len(lead) if len(lead) > _LABEL else f"{lead}{_INDENT}"
    lines = wrap(
        text, width, initial_indent=lead, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines) or lead.rstrip()


@dataclass(frozen=True)
class _Head:
    format: Literal["curvox diagnosis"]
    version: Literal[1]


def diagnosis_tree(diagnosis: Diagnosis, *, name: str = "") -> dict[str, Any]:
    """Return a diagnosis as plain values.

    Titles, mechanism, remedy and page of each cause stand beside the findings for readers that have no curvox;
    `diagnosis_from_tree` leaves them out. NaN and infinity are the words "NaN", "Infinity" and "-Infinity".

    Args:
        diagnosis: what was found.
        name: whose it is, such as the run's.
    """
    tree = to_plain(diagnosis, words=NUMBERS)
    for finding in tree["findings"]:
        cause = CAUSES.get(finding["cause"])
        if cause is not None:
            finding["explained"] = {name: getattr(cause, name) for name in _EXPLAINED}
    about = {"name": name, "healthy": diagnosis.healthy, "first_cause": diagnosis.first.cause}
    return {"format": FORMAT, "version": VERSION, **about, **tree}


def diagnosis_from_tree(tree: Mapping[str, Any]) -> Diagnosis:
    """Return the diagnosis that `diagnosis_tree` turned into plain values.

    Raises:
        InputError: something else, or of another version; the message says what was met.
    """
    from_plain(_Head, tree, what="a diagnosis", again=_AGAIN, others=True)
    found = from_plain(Diagnosis, tree, what="a whole diagnosis", again=_AGAIN, words=NUMBERS, others=True)
    causes = {*found.checked, *(gap.cause for gap in found.not_checked)}
    causes |= {name for finding in found.findings for name in (finding.cause, finding.because_of)} - {"healthy", ""}
    for cause in sorted(causes - CAUSES.keys()):
        raise InputError(f"this curvox knows no cause {cause!r}; another version wrote the diagnosis")
    if not found.findings:
        raise InputError('a diagnosis has at least one finding, "healthy" where nothing else was found; got none')
    return found

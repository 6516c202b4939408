"""From the results of the checks to a diagnosis: what is a consequence of what, and what comes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.findings import SEVERITIES, Checked, Diagnosis, Evidence, Finding, merged
from curvox.errors import InputError

_RANK = {name: rank for rank, name in enumerate(CAUSES)}


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
        ordered.insert(0, _healthy(whole.causes))
    return Diagnosis(tuple(ordered), whole.causes, whole.not_checked, dict(vitals or {}))


def _healthy(causes: tuple[str, ...]) -> Finding:
    looked = Evidence("causes looked for", float(len(causes)), "none of them found")
    return Finding("healthy", "healthy", (looked,))


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

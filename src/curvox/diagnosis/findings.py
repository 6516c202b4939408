"""What a diagnosis consists of: measured evidence, findings of named causes, and what was and was not looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["failure", "warning", "note", "healthy"]

SEVERITIES: tuple[Severity, ...] = ("failure", "warning", "note", "healthy")
"""From the worst on. A failure keeps a loss from giving useful embeddings, a warning costs accuracy or may yet, a note
is to be known and nothing to repair."""


@dataclass(frozen=True)
class Evidence:
    """One measured number beside what a healthy run has.

    Attributes:
        measure: what was measured, in words, such as "cosine of the gradients of both labels".
        value: the number.
        healthy: what a healthy run has, in words, such as "below 0.9".
        unit: of the value: "", "%", "dB", "rad"; a share is given as a fraction and shown in per cent with unit "%".
        vital: name of the vital sign whose curve shows it, "" where there is none.
    """

    measure: str
    value: float
    healthy: str
    unit: str = ""
    vital: str = ""


@dataclass(frozen=True)
class Finding:
    """A cause that was found.

    Attributes:
        cause: its name in `curvox.diagnosis.CAUSES`, or "healthy".
        severity: how bad it is here.
        evidence: the numbers, at least one.
        where: what it is about, such as a layer, recordings or speakers; "" for the whole.
        because_of: the cause that explains this one, where that was found too; "" where it stands for itself.
    """

    cause: str
    severity: Severity
    evidence: tuple[Evidence, ...]
    where: str = ""
    because_of: str = ""


@dataclass(frozen=True)
class NotChecked:
    """A cause that could not be looked for, and why."""

    cause: str
    why: str


@dataclass(frozen=True)
class Checked:
    """What one check brings back: the causes it looked for, those it found, those it could not look for."""

    causes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()

    @classmethod
    def impossible(cls, why: str, *causes: str) -> Checked:
        """None of ``causes`` could be looked for."""
        return cls((), (), tuple(NotChecked(cause, why) for cause in causes))


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
        from curvox.diagnosis.text import summary

        return summary(self)


def merged(parts: Iterable[Checked]) -> Checked:
    """Put several checks together; a cause that one of them could look for is not listed as not checked."""
    parts = tuple(parts)
    causes = tuple(dict.fromkeys(cause for part in parts for cause in part.causes))
    missing = {gap.cause: gap for part in parts for gap in part.not_checked if gap.cause not in causes}
    return Checked(causes, tuple(f for part in parts for f in part.findings), tuple(missing.values()))

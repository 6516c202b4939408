"""What a diagnosis is made of: causes, measured evidence, findings, and what was and was not looked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["failure", "warning", "note", "healthy"]

SEVERITIES: tuple[Severity, ...] = ("failure", "warning", "note", "healthy")
"""From the worst on. A failure keeps a loss from giving useful embeddings, a warning costs accuracy or may yet, a note
is to be known and nothing to repair."""

GROUPS = {
    "numbers": "Numbers that are none",
    "loss": "What the loss does",
    "training": "How it is trained",
    "data": "What it is trained on",
    "space": "Hyperbolic space",
    "embeddings": "What became of the embeddings",
}
"""Kinds of causes, by the name that stands in `Cause.group`."""


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
class Cause:
    """Why a loss fails to give useful embeddings.

    Attributes:
        name: stable, for scripts.
        title: a few words for people.
        group: the kind of cause, one of `GROUPS`.
        mechanism: two sentences.
        remedy: something to do.
        recipe: the line of a recipe that does it, "" where there is none.
        explains: causes that follow from this one, which are then shown as its consequences.
    """

    name: str
    title: str
    group: str
    mechanism: str
    remedy: str
    recipe: str = ""
    explains: tuple[str, ...] = ()

    @property
    def page(self) -> str:
        """Where the documentation explains it."""
        return f"docs/findings.md#{self.name}"

    def finding(self, severity: Severity, *evidence: Evidence, where: str = "") -> Finding:
        """It was found."""
        return Finding(self.name, severity, evidence, where)

    def judged(self, severity: Severity | None, *evidence: Evidence, where: str = "") -> Checked:
        """It was looked for, alone: found with a ``severity``, as `graded` has it, and absent with None."""
        return Checked((self.name,), () if severity is None else (self.finding(severity, *evidence, where=where),))

    def absent(self) -> Checked:
        """It was looked for, alone, and not found."""
        return self.judged(None)

    def unknown(self, why: str) -> Checked:
        """It could not be looked for."""
        return Checked.impossible(why, self.name)


def graded(*, failure: bool = False, warning: bool = False, note: bool = False) -> Severity | None:
    """Return the worst severity that holds, None where none does."""
    return "failure" if failure else "warning" if warning else "note" if note else None


def merged(parts: Iterable[Checked]) -> Checked:
    """Put several checks together; a cause that one of them could look for is not listed as not checked."""
    parts = tuple(parts)
    causes = tuple(dict.fromkeys(cause for part in parts for cause in part.causes))
    missing = {gap.cause: gap for part in parts for gap in part.not_checked if gap.cause not in causes}
    return Checked(causes, tuple(f for part in parts for f in part.findings), tuple(missing.values()))


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names in one line, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

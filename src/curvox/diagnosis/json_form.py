"""A diagnosis as JSON holds it, and back: strict JSON, in which numbers that are none are words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.verdict import Diagnosis
from curvox.errors import InputError
from curvox.records import NUMBERS, from_plain, to_plain

FORMAT = "curvox diagnosis"
VERSION = 1

_AGAIN = "make it again with curvox diagnose --overwrite"
_EXPLAINED = ("title", "mechanism", "remedy", "recipe", "page")


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

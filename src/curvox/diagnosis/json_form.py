"""A diagnosis as JSON holds it, and back: strict JSON, in which numbers that are none are words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.findings import SEVERITIES, Diagnosis, Evidence, Finding, NotChecked
from curvox.errors import InputError

FORMAT = "curvox diagnosis"
VERSION = 1

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def diagnosis_tree(diagnosis: Diagnosis, *, name: str = "") -> dict[str, Any]:
    """Return a diagnosis as plain values.

    Titles, mechanism, remedy and page of each cause stand beside the findings for readers that have no curvox;
    `diagnosis_from_tree` leaves them out. NaN and infinity are the words "NaN", "Infinity" and "-Infinity".

    Args:
        diagnosis: what was found.
        name: whose it is, such as the run's.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "healthy": diagnosis.healthy,
        "first_cause": diagnosis.first.cause,
        "findings": [_finding_tree(finding) for finding in diagnosis.findings],
        "checked": list(diagnosis.checked),
        "not_checked": [{"cause": gap.cause, "why": gap.why} for gap in diagnosis.not_checked],
        "vitals": {vital: _number_tree(value) for vital, value in diagnosis.vitals.items()},
    }


def diagnosis_from_tree(tree: Mapping[str, Any]) -> Diagnosis:
    """Return the diagnosis that `diagnosis_tree` turned into plain values.

    Raises:
        InputError: something else, or of another version; the message says what was met.
    """
    if not isinstance(tree, Mapping) or tree.get("format") != FORMAT:
        raise InputError(f'not a diagnosis: expected a mapping with "format": "{FORMAT}"')
    if tree.get("version") != VERSION:
        raise InputError(
            f"this is a diagnosis of version {tree.get('version')!r}, this curvox reads version {VERSION}; "
            "make it again with curvox diagnose --overwrite"
        )
    try:
        findings = tuple(_finding_from(values) for values in tree["findings"])
        not_checked = tuple(NotChecked(_known(gap["cause"]), str(gap["why"])) for gap in tree["not_checked"])
        checked = tuple(_known(cause) for cause in tree["checked"])
        vitals = {str(vital): _number_from(value) for vital, value in tree["vitals"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"not a whole diagnosis: a part has not the expected form ({error!r})") from error
    if not findings:
        raise InputError('a diagnosis has at least one finding, "healthy" where nothing else was found; got none')
    return Diagnosis(findings, checked, not_checked, vitals)


def _finding_tree(finding: Finding) -> dict[str, Any]:
    evidence = [
        {
            "measure": part.measure,
            "value": _number_tree(part.value),
            "healthy": part.healthy,
            "unit": part.unit,
            "vital": part.vital,
        }
        for part in finding.evidence
    ]
    tree: dict[str, Any] = {
        "cause": finding.cause,
        "severity": finding.severity,
        "evidence": evidence,
        "where": finding.where,
        "because_of": finding.because_of,
    }
    cause = CAUSES.get(finding.cause)
    if cause is not None:
        tree["explained"] = {
            "title": cause.title,
            "mechanism": cause.mechanism,
            "remedy": cause.remedy,
            "recipe": cause.recipe,
            "page": cause.page,
        }
    return tree


def _finding_from(values: Mapping[str, Any]) -> Finding:
    severity = values["severity"]
    if severity not in SEVERITIES:
        raise InputError(f"a severity is one of {', '.join(SEVERITIES)}, got {severity!r}")
    evidence = tuple(
        Evidence(
            str(part["measure"]),
            _number_from(part["value"]),
            str(part["healthy"]),
            unit=str(part["unit"]),
            vital=str(part["vital"]),
        )
        for part in values["evidence"]
    )
    cause = values["cause"] if values["cause"] == "healthy" else _known(values["cause"])
    because_of = values["because_of"] and _known(values["because_of"])
    return Finding(cause, severity, evidence, where=str(values["where"]), because_of=because_of)


def _known(cause: Any) -> str:
    if cause not in CAUSES:
        raise InputError(f"this curvox knows no cause {cause!r}; another version wrote the diagnosis")
    return str(cause)


def _number_tree(value: float) -> float | str:
    value = float(value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _number_from(value: Any) -> float:
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"expected a number, or one of {', '.join(_WORDS)}, got {value!r}")
    return float(value)

"""The loss doctor: what a loss does to embeddings, what that means, and what to do about it.

``diagnose`` looks at a batch and any loss; ``diagnose_run`` at what was measured of a whole run. Probes measure,
checks judge, `CAUSES` is the table of what they know. ``thresholds`` holds every number they judge by.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curvox.diagnosis.adapters import SIGNATURES, BatchLoss, adapt
    from curvox.diagnosis.batch import diagnose
    from curvox.diagnosis.cause import Cause
    from curvox.diagnosis.causes import CAUSES, cause_of
    from curvox.diagnosis.corpus_examination import CorpusExamination, examination_dict, examine_corpus
    from curvox.diagnosis.findings import Checked, Diagnosis, Evidence, Finding, NotChecked
    from curvox.diagnosis.observation import (
        Death,
        EmbeddedSet,
        EpochVitals,
        ParameterProbe,
        RecordingFacts,
        RunObservation,
        StepProbe,
        VitalHistory,
    )
    from curvox.diagnosis.run import diagnose_run
    from curvox.diagnosis.vitals import VITALS, Vital

_ROOM = "curvox.diagnosis"
_HOMES = {
    "CAUSES": "causes",
    "SIGNATURES": "adapters",
    "VITALS": "vitals",
    "BatchLoss": "adapters",
    "Cause": "cause",
    "Checked": "findings",
    "CorpusExamination": "corpus_examination",
    "Death": "observation",
    "Diagnosis": "findings",
    "EmbeddedSet": "observation",
    "EpochVitals": "observation",
    "Evidence": "findings",
    "Finding": "findings",
    "NotChecked": "findings",
    "ParameterProbe": "observation",
    "RecordingFacts": "observation",
    "RunObservation": "observation",
    "StepProbe": "observation",
    "Vital": "vitals",
    "VitalHistory": "observation",
    "adapt": "adapters",
    "cause_of": "causes",
    "diagnose": "batch",
    "diagnose_run": "run",
    "examination_dict": "corpus_examination",
    "examine_corpus": "corpus_examination",
}

__all__ = [
    "CAUSES",
    "SIGNATURES",
    "VITALS",
    "BatchLoss",
    "Cause",
    "Checked",
    "CorpusExamination",
    "Death",
    "Diagnosis",
    "EmbeddedSet",
    "EpochVitals",
    "Evidence",
    "Finding",
    "NotChecked",
    "ParameterProbe",
    "RecordingFacts",
    "RunObservation",
    "StepProbe",
    "Vital",
    "VitalHistory",
    "adapt",
    "cause_of",
    "diagnose",
    "diagnose_run",
    "examination_dict",
    "examine_corpus",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{_ROOM}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

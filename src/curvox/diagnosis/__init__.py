"""The loss doctor: what a loss does to embeddings, what that means, and what to do about it.

``diagnose`` looks at a batch and any loss; ``diagnose_run`` at what was measured of a whole run. Probes measure, causes
judge; `CAUSES` is the table of what they know.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.findings import GROUPS, Cause, Evidence, Finding, NotChecked
from curvox.diagnosis.observation import (
    VITALS,
    Death,
    EmbeddedSet,
    EpochVitals,
    Origin,
    RecordingFacts,
    RunObservation,
    StepProbe,
    VitalHistory,
)
from curvox.diagnosis.verdict import (
    Diagnosis,
    Explained,
    counts,
    diagnosis_from_tree,
    diagnosis_tree,
    explained,
    headline,
    measured,
    quantity,
    summary,
    title_of,
)

if TYPE_CHECKING:
    from curvox.diagnosis.adapters import SIGNATURES, BatchLoss, adapt
    from curvox.diagnosis.corpus import CorpusExamination, examination_dict, examine_corpus
    from curvox.diagnosis.corpus.figures import CorpusFigures, CorpusHistogram, SplitBalance
    from curvox.diagnosis.corpus.problems import BADNESS, KINDS, CorpusProblem
    from curvox.diagnosis.diagnosing import LiveWatch, diagnose, diagnose_run
    from curvox.diagnosis.pictures import DistanceHistogram, RadiusHistogram, distance_histogram, radius_histogram
    from curvox.diagnosis.probes.embeddings import (
        alignment,
        effective_rank,
        radius_quantiles,
        same_and_different_distances,
        uniformity,
    )
    from curvox.diagnosis.probes.origin import find_origin
    from curvox.diagnosis.probes.step import probe_step

# What measures brings torch with it, which reading a diagnosis does not need.
_WITH_TORCH = {
    "adapters": ("SIGNATURES", "BatchLoss", "adapt"),
    "corpus": ("CorpusExamination", "examination_dict", "examine_corpus"),
    "corpus.figures": ("CorpusFigures", "CorpusHistogram", "SplitBalance"),
    "corpus.problems": ("BADNESS", "KINDS", "CorpusProblem"),
    "diagnosing": ("LiveWatch", "diagnose", "diagnose_run"),
    "pictures": ("DistanceHistogram", "RadiusHistogram", "distance_histogram", "radius_histogram"),
    "probes.embeddings": (
        "alignment", "effective_rank", "radius_quantiles", "same_and_different_distances", "uniformity",
    ),
    "probes.origin": ("find_origin",),
    "probes.step": ("probe_step",),
}  # fmt: skip

__all__ = [
    "BADNESS", "CAUSES", "GROUPS", "KINDS", "SIGNATURES", "VITALS", "BatchLoss", "Cause", "CorpusExamination",
    "CorpusFigures", "CorpusHistogram", "CorpusProblem", "Death", "Diagnosis", "DistanceHistogram", "EmbeddedSet",
    "EpochVitals", "Evidence", "Explained", "Finding", "LiveWatch", "NotChecked", "Origin", "RadiusHistogram",
    "RecordingFacts", "RunObservation", "SplitBalance", "StepProbe", "VitalHistory", "adapt", "alignment", "counts",
    "diagnose", "diagnose_run", "diagnosis_from_tree", "diagnosis_tree", "distance_histogram", "effective_rank",
    "examination_dict", "examine_corpus", "explained", "find_origin", "headline", "measured", "probe_step", "quantity",
    "radius_histogram", "radius_quantiles", "same_and_different_distances", "summary", "title_of", "uniformity",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _WITH_TORCH.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

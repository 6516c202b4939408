"""Diagnoses and observations made by hand."""

from __future__ import annotations

import math

import numpy as np
import torch

from curvox.diagnosis import (
    CAUSES,
    VITALS,
    Diagnosis,
    EmbeddedSet,
    EpochVitals,
    Evidence,
    Finding,
    NotChecked,
    RunObservation,
    VitalHistory,
)
from curvox.diagnosis.findings import Checked
from curvox.diagnosis.verdict import diagnosis_of
from curvox.geometry import AbstractSpace, Hypersphere

NO_LOGS = "the run has no logs"


def sick() -> Diagnosis:
    """A blind loss with two consequences, a warning of its own, a note, and causes that could not be looked for."""
    findings = (
        Finding(
            "label_blind",
            "failure",
            (
                Evidence("cosine of the gradients of both labels", 1.0, "below 0.9"),
                Evidence("share of the gradient that hangs on the label", 0.0031, "above 20 %", "%"),
            ),
        ),
        Finding("collapse", "failure", (Evidence("effective rank", 1.02, "above 8", vital="effective_rank"),)),
        Finding("dimensional_collapse", "warning", (Evidence("share of one direction", 0.97, "below 50 %", "%"),)),
        Finding(
            "speaker_imbalance",
            "warning",
            (Evidence("recordings of the largest speaker", 12345.0, "below 500"),),
            where="speakers a & b",
        ),
        Finding("margin_ramp", "note", (Evidence("margin scale", math.nan, "rising", vital="margin_scale"),)),
    )
    checked = Checked((*(f.cause for f in findings), "hubness", "never_active"), findings)
    gaps = (NotChecked("overfitting", NO_LOGS), NotChecked("learning_rate_too_high", NO_LOGS))
    other = NotChecked("concentration", "needs at least 32 recordings, got 8")
    vitals = {"effective_rank": 1.02, "dev_eer": 0.5, "gradient_norm": math.inf}
    return diagnosis_of([checked, Checked((), (), (*gaps, other))], vitals=vitals)


def healthy(*, note: bool = False) -> Diagnosis:
    found = (Finding("margin_ramp", "note", (Evidence("margin scale", 0.4, "rising", vital="margin_scale"),)),)
    return diagnosis_of([Checked(("collapse", "margin_ramp", "label_blind"), found if note else ())])


def everything() -> Diagnosis:
    """Each cause of the table found, all at once."""
    findings = tuple(Finding(cause, "failure", (Evidence("a number", 1.5, "less"),)) for cause in CAUSES)
    return diagnosis_of([Checked(tuple(CAUSES), findings)])


def history(*, steps: int = 40, without: tuple[str, ...] = ()) -> VitalHistory:
    """A run whose embeddings become one: every vital sign, some of them not at every step."""
    time = np.linspace(0.0, 1.0, steps)
    signs = {
        "loss": 0.3 + 0.7 * np.exp(-6 * time),
        "effective_rank": 1 + 20 * np.exp(-5 * time),
        "alignment": 0.8 * np.exp(-4 * time),
        "uniformity": -2.5 * np.exp(-4 * time),
        "same_distance": np.exp(-4 * time),
        "different_distance": 1.2 * np.exp(-4 * time),
        "active_share": 1 - 0.5 * time,
        "top_item_share": 0.05 + 0.1 * time,
        "gradient_norm": 10 ** (1 - 4 * time),
        "first_layer_share": 0.2 - 0.1 * time,
        "update_ratio": 10 ** (-2 - 2 * time),
        "learning_rate": 1e-3 * (1 - 0.9 * time),
        "margin_scale": np.minimum(1.0, 3 * time),
        "radius_low": 0.2 + 0.7 * time,
        "radius_mid": 0.3 + 0.65 * time,
        "radius_high": 0.5 + 0.49 * time,
    }
    assert {"dev_eer", *signs} == set(VITALS)
    signs["effective_rank"][1::2] = np.nan
    kept = {name: values for name, values in signs.items() if name not in without}
    epochs = tuple(EpochVitals(e, 1.0 / e, None if "dev_eer" in without else 0.2 + 0.05 * e) for e in range(1, 5))
    return VitalHistory(np.arange(10, 10 * steps + 1, 10), kept, epochs, 100, 1000)


def embedded(space: AbstractSpace | None = None, *, speakers: int = 12, recordings: int = 6) -> EmbeddedSet:
    """Embeddings around a centre for each speaker."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(speakers).repeat_interleave(recordings)
    raw = torch.randn(speakers, 16, generator=generator)[labels]
    return EmbeddedSet(raw + 0.5 * torch.randn(len(labels), 16, generator=generator), labels, space or Hypersphere())


def observation(space: AbstractSpace | None = None) -> RunObservation:
    return RunObservation("x", train=embedded(space), history=history())

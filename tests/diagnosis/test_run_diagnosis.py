"""A run's diagnosis is that of its parts, and says what was missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from curvox.diagnosis import Death, EmbeddedSet, EpochVitals, RunObservation, VitalHistory, diagnose_run
from curvox.errors import InputError
from curvox.geometry import Hypersphere


def _embedded(spread: float) -> EmbeddedSet:
    generator = torch.Generator().manual_seed(2)
    speakers = torch.arange(96) // 6
    centres = torch.randn(16, 24, generator=generator)
    raw = centres[speakers] + spread * torch.randn(96, 24, generator=generator)
    return EmbeddedSet(raw, speakers, Hypersphere())


def test_run_without_any_part__is_refused() -> None:
    with pytest.raises(InputError, match="no checkpoint yet"):
        diagnose_run(RunObservation("x", missing={"train": "no checkpoint yet"}))


def test_missing_parts__are_listed_with_their_reason() -> None:
    found = diagnose_run(RunObservation("x", train=_embedded(0.3), missing={"recordings": "the corpus is gone"}))
    assert found.first.cause == "healthy"
    assert {gap.why for gap in found.not_checked if gap.cause == "silent_recordings"} == {"the corpus is gone"}
    assert "label_blind" in {gap.cause for gap in found.not_checked}


def test_dead_run__is_named_by_its_death() -> None:
    death = Death("loss", 12, "aten.log in loss", False, ("a", "b"), "the loss is NaN")
    first = diagnose_run(RunObservation("x", death=death)).first
    assert first.cause == "not_finite"
    assert "log" in first.where


def test_vitals__are_the_last_that_are_numbers() -> None:
    signs = {"loss": np.array([3.0, 2.0, np.nan]), "effective_rank": np.full(3, np.nan)}
    history = VitalHistory(np.array([10, 20, 30]), signs, (EpochVitals(1, 2.5, 0.3),), 30, 30)
    found = diagnose_run(RunObservation("x", train=_embedded(0.3), history=history))
    assert found.vitals == {"loss": 2.0}

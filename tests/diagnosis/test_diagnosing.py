"""The doctor on one batch: every loss of the table is sound, every specimen is named; and on a run, part by part."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from curvox.diagnosis import Death, EmbeddedSet, EpochVitals, RunObservation, VitalHistory, diagnose, diagnose_run
from curvox.diagnosis.probes.softmax import Softmax, softmaxes_of
from curvox.errors import InputError
from curvox.geometry import Hypersphere
from curvox.losses import LOSSES, AMSoftmax, Triplet, create_loss
from curvox.testing.specimens import GaussianKLAsGiven, HingeAsGiven

DIM, SPEAKERS = 24, torch.arange(32) // 2
RAW = torch.randn(32, DIM, generator=torch.Generator().manual_seed(4))
WHOLE = [name for name in LOSSES if name not in ("combined", "metric_learning")]
BALL = {"name": "poincare_ball"}


def _euclid(x: Tensor, y: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x - y + 1e-9, dim=-1)


def _chord(x: Tensor, y: Tensor) -> Tensor:
    return _euclid(F.normalize(x, dim=-1), F.normalize(y, dim=-1))


def _hinge(same: Tensor, distance: Tensor, margin: float) -> Tensor:
    return torch.where(same > 0.5, distance, (margin - distance).relu())


def _in_batch(x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(10.0 * F.normalize(x) @ F.normalize(y).T, torch.arange(len(x)))


@pytest.mark.parametrize("name", WHOLE)
def test_losses_of_the_table__are_no_failures(name: str) -> None:
    found = diagnose(create_loss(name, dim=DIM, speakers=64), RAW, SPEAKERS)
    assert not [finding for finding in found.findings if finding.severity == "failure"]


@pytest.mark.parametrize(
    "description",
    [
        {"name": "triplet", "mining": "hardest", "space": {"name": "euclidean"}},
        {"name": "contrastive_hinge", "space": BALL},
        {"name": "gaussian_kl", "space": {"name": "euclidean"}},
        {"name": "gaussian_kl", "learn_variance": True},
        {"name": "prototypical", "space": BALL},
        {"name": "ham_softmax", "space": {**BALL, "lift": {"name": "exp_map"}}},
    ],
    ids=str,
)
def test_losses_in_other_spaces__are_no_failures(description: dict[str, object]) -> None:
    found = diagnose(create_loss(description, dim=DIM, speakers=64), RAW, SPEAKERS)
    assert not [finding for finding in found.findings if finding.severity == "failure"]


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0])
def test_symmetric_divergence__is_label_blind(sigma: float) -> None:
    assert diagnose(GaussianKLAsGiven(DIM, sigma=sigma), RAW, SPEAKERS).first.cause == "label_blind"


@pytest.mark.parametrize("margin", [0.3, 1.0, 5.0])
def test_hinge_as_given__is_never_satisfied(margin: float) -> None:
    assert diagnose(HingeAsGiven(DIM, margin=margin), RAW, SPEAKERS).first.cause == "never_satisfied"


@pytest.mark.parametrize("mining", ["all", "semi_hard", "hardest"])
def test_triplets_of_one_point__are_a_collapse(mining: str) -> None:
    point = RAW[:1] + 1e-7 * torch.randn(32, DIM, generator=torch.Generator().manual_seed(5))
    assert diagnose(Triplet(DIM, mining=mining), point, SPEAKERS).first.cause == "collapse"


CASES = {
    "wrong_direction": [
        (lambda x, y, same: _hinge(1 - same, _chord(x, y), 1.0), "pairs, same"),
        (lambda x, y, same: _hinge(same, _chord(x, y), 1.0), "pairs, different"),
        (lambda a, p, n: (_euclid(a, n) - _euclid(a, p) + 1.0).relu(), "triplets"),
    ],
    "margin_out_of_reach": [
        (lambda x, y, same: _hinge(same, torch.sigmoid(_euclid(x, y)) - 0.5, 2.0), "pairs, same"),
        (lambda x, y, same: _hinge(same, _chord(x, y), 2.5), "pairs, same"),
    ],
    "never_active": [(lambda x, y, same: (1e-4 - _euclid(x, y)).relu() * (1 - same), "pairs, same")],
    "gradient_multiplied": [(lambda x, y, same: 1e6 * _hinge(same, _chord(x, y), 1.0), "pairs, same")],
    "not_finite": [(lambda x, y, same: _hinge(same, torch.log(-_chord(x, y)), 1.0), "pairs, same")],
}


@pytest.mark.parametrize(("cause", "loss", "takes"), [(c, *case) for c, cases in CASES.items() for case in cases])
def test_losses_of_users__are_told_by_their_fault(cause: str, loss, takes: str) -> None:
    found = diagnose(loss, RAW, SPEAKERS, takes=takes)
    assert (found.first.cause, found.first.severity) == (cause, "failure"), str(found)


@pytest.mark.parametrize(
    ("loss", "takes"),
    [
        (torch.nn.TripletMarginLoss(margin=1.0), "triplets"),
        (torch.nn.CosineEmbeddingLoss(margin=0.3), "pairs, sign"),
        (lambda x, y, same: _hinge(same, _chord(x, y), 0.8), "pairs, same"),
        (_in_batch, "pairs without labels"),
    ],
)  # fmt: skip
def test_sound_losses_of_users__are_no_failures(loss, takes: str) -> None:
    found = diagnose(loss, RAW, SPEAKERS, takes=takes)
    assert not [finding for finding in found.findings if finding.severity == "failure"], str(found)


@pytest.mark.parametrize(
    ("scale", "cause"), [(0.5, "scale_too_small"), (2.0, "scale_too_small"), (2000.0, "scale_too_large")]
)
@pytest.mark.parametrize("name", ["am_softmax", "aam_softmax", "h_softmax"])
def test_scales__are_judged_by_the_number_of_speakers(name: str, scale: float, cause: str) -> None:
    loss = create_loss({"name": name, "scale": scale}, dim=DIM, speakers=500)
    assert diagnose(loss, RAW, SPEAKERS).first.cause == cause


def test_surest_probability__is_that_of_a_softmax_over_a_simplex() -> None:
    (softmax,) = softmaxes_of(AMSoftmax(DIM, 10, scale=4.0, margin=0.0), RAW)
    logits = torch.full((10,), -4.0 / 9.0)
    logits[0] = 4.0
    assert softmax.surest == pytest.approx(float(logits.softmax(0)[0]), rel=1e-6)
    assert Softmax(softmax.scale_for(0.9), 10, softmax.gap, softmax.used).surest == pytest.approx(0.9)


def test_batch_without_a_pair__is_named() -> None:
    assert diagnose(Triplet(DIM), RAW, torch.arange(32)).first.cause == "no_positives"


def test_embeddings_with_nan__are_named_with_their_rows() -> None:
    bad = RAW.clone()
    bad[7, 2] = math.nan
    first = diagnose(Triplet(DIM), bad, SPEAKERS).first
    assert first.cause == "not_finite"
    assert "7" in first.where


def test_trained_and_solved_batch__is_not_called_inactive() -> None:
    centres = 10.0 * torch.eye(16, DIM)
    found = diagnose(Triplet(DIM), centres[SPEAKERS] + 0.01 * RAW, SPEAKERS)
    assert found.found("never_active") is None


@pytest.mark.parametrize(
    ("raw", "speakers", "says"),
    [
        (RAW[:3], SPEAKERS[:3], "at least 4"),
        (RAW, torch.zeros(32, dtype=torch.int64), "of 1"),
        (RAW, SPEAKERS.float(), "whole numbers"),
        (RAW, SPEAKERS[:5], "whole numbers"),
        (RAW[0], SPEAKERS, "floating-point"),
    ],
)
def test_what_cannot_be_judged__is_refused(raw: Tensor, speakers: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        diagnose(Triplet(DIM), raw, speakers)


def test_loss__is_left_as_it_was() -> None:
    loss = AMSoftmax(DIM, 64)
    loss.set_margin_scale(0.25)
    before = loss.centres.detach().clone()
    diagnose(loss, RAW, SPEAKERS)
    assert torch.equal(loss.centres, before)
    assert loss.centres.grad is None
    assert loss.margin_scale == 0.25


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

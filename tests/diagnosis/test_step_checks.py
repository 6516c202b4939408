"""What one training step shows: healthy ones nothing; numbers that are lost, in which operation."""

from __future__ import annotations

import pytest
import torch
from tiny_steps import found, severities, tiny_encoder, training
from torch import Tensor, nn

from curvox.diagnosis.checks import step_checks

LOSSES = (
    "softmax", "am_softmax", "aam_softmax", "ram_softmax", "h_softmax", "ham_softmax", "sphereface2", "triplet",
    "contrastive_hinge", "gaussian_kl", "prototypical", "angular_prototypical", "ge2e", "supervised_contrastive",
)  # fmt: skip
LOOKED_FOR = {
    "not_finite", "half_precision_overflow", "frozen_parameters", "unused_parameters", "centres_never_move",
    "learning_rate_too_high", "learning_rate_too_low", "exploding_gradient", "vanishing_gradient", "few_items_rule",
    "no_positives",
}  # fmt: skip


@pytest.mark.parametrize(("seed", "loss"), list(enumerate(LOSSES)))
def test_step_checks__healthy_steps_show_nothing(loss: str, seed: int):
    setup = training(seed, loss=loss)
    for steps in (0, 6):
        checked = step_checks(setup.run(steps, seed).probe(batches_with_positives=1.0), setup.loss)
        assert severities(checked) == {}
        assert set(checked.causes) | {gap.cause for gap in checked.not_checked} == LOOKED_FOR


@pytest.mark.parametrize(("optimizer", "rate"), [(torch.optim.SGD, 0.02), (torch.optim.AdamW, 5e-3)])
def test_step_checks__other_optimisers_are_healthy_too(optimizer: type[torch.optim.Optimizer], rate: float):
    for steps in (0, 20):
        assert found(training(3, optimizer=optimizer, learning_rate=rate).run(steps)) == {}


class Loud(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 3e5 * x / (1.0 + x.abs())


@pytest.mark.parametrize(
    ("precision", "severity"), [("16-mixed", "failure"), ("bf16-mixed", "note"), ("32-true", "note")]
)
def test_half_precision_overflow__goes_by_the_precision(precision: str, severity: str):
    layers = list(tiny_encoder())
    layers.insert(3, nn.Sequential(Loud(), nn.BatchNorm1d(24)))
    setup = training(0, encoder=nn.Sequential(*layers)).run(3)
    assert found(setup, precision=precision) == {"half_precision_overflow": severity}


def test_half_precision_overflow__in_the_numbers_themselves():
    class Half(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (1e5 * x).half().float() / 1e5

    setup = training(0, encoder=nn.Sequential(*tiny_encoder(), Half()))
    checked = step_checks(setup.probe(), setup.loss)
    assert severities(checked) == {"half_precision_overflow": "failure"}
    assert "encoder.7" in checked.findings[0].where


@pytest.mark.parametrize("seed", range(3))
def test_not_finite__names_operation_and_recordings(seed: int):
    class Spread(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / x.std(1, keepdim=True).where(torch.arange(len(x))[:, None] != 5, 0.0) * 0.0

    setup = training(seed, encoder=nn.Sequential(tiny_encoder(), Spread()))
    checked = step_checks(setup.probe(items=tuple(f"r{row}" for row in range(32))), setup.loss)
    assert severities(checked) == {"not_finite": "failure"}
    assert checked.findings[0].where == "aten.div in encoder.1: r5"
    assert {gap.cause for gap in checked.not_checked} == LOOKED_FOR - {"not_finite", "half_precision_overflow"}

"""Gradients that do not arrive, that explode, that come from a few recordings; batches without a pair."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_steps import DIM, SPEAKERS, checked, found, severities, tiny_encoder, training, voices, why_not, with_layer
from torch import Tensor, nn

from curvox.diagnosis import StepProbe
from curvox.diagnosis.causes.gradients import layer_influence
from curvox.diagnosis.diagnosing import step_checks
from curvox.losses import create_loss


class GradientTimes(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x + (1.0 - self.factor) * x.detach()


class Saturated(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(40.0 + 0.1 * x)


@pytest.mark.parametrize("place", [1, 3, 6])
def test_vanishing_gradient__is_found_wherever_it_is_lost(place: int):
    causes = found(training(place, encoder=with_layer(place, GradientTimes(1e-7))).run(5))
    assert causes.pop("vanishing_gradient") == "failure"
    assert causes.keys() <= {"frozen_parameters"}  # steps so short may be rounded away, as the threads fall


def test_vanishing_gradient__in_a_saturated_layer():
    setup = training(0, encoder=nn.Sequential(*tiny_encoder(), Saturated(), nn.Linear(DIM, DIM)))
    finding = next(f for f in checked(setup).findings if f.cause == "vanishing_gradient")
    assert (finding.severity, finding.where) == ("failure", "between encoder.6.weight and encoder.8.weight")


def test_vanishing_gradient__not_in_forty_normalised_layers():
    torch.manual_seed(0)
    layers = [part for _ in range(40) for part in (nn.Linear(12, 12), nn.BatchNorm1d(12), nn.ReLU())]
    assert "vanishing_gradient" not in found(training(0, encoder=nn.Sequential(*layers, nn.Linear(12, DIM))))


def test_layer_influence__of_the_last_layer_is_at_most_one():
    """Of z = W h, the norm of the gradient is that of the sum of g hᵀ; Cauchy and Schwarz do the rest."""
    setup = training(6, encoder=nn.Sequential(nn.Linear(12, DIM, bias=False)))
    probe = setup.probe()
    (parameter, influence), *_ = layer_influence(probe)
    x, _ = voices(999)
    weight = setup.encoder.get_parameter("0.weight").detach()
    expected = (probe.gradient.T @ x).norm() * weight.norm() / (probe.gradient.norm() * (x @ weight.T).norm())
    assert parameter.name == "encoder.0.weight"
    assert influence == pytest.approx(float(expected), rel=1e-4)


class Growing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(3.0 * torch.linalg.qr(torch.randn(24, 24))[0])

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(40):
            x = torch.tanh(x @ self.weight.T)
        return x


@pytest.mark.parametrize("seed", range(2))
def test_exploding_gradient__in_a_chaotic_recurrence(seed: int):
    torch.manual_seed(seed)
    shown = found(training(seed, encoder=with_layer(6, Growing())))
    assert shown.pop("exploding_gradient") == "failure"
    assert set(shown.items()) <= {("learning_rate_too_high", "warning")}  # it follows from this


class FirstCounts(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.inner, self.factor = create_loss("am_softmax", dim=DIM, speakers=SPEAKERS), factor

    def forward(self, embeddings: Tensor, speakers: Tensor) -> Tensor:
        costs = self.inner(embeddings, speakers).per_item
        return costs.mean() + (self.factor - 1.0) * costs[0] / len(costs)


def test_few_items_rule__names_the_recording():
    setup = training(0)
    setup.loss = FirstCounts(1000.0)
    setup.optimizer = torch.optim.Adam([*setup.encoder.parameters(), *setup.loss.parameters()], lr=2e-3)
    names = tuple(f"recording {row}" for row in range(32))
    finding = next(f for f in checked(setup, initial=None, items=names).findings if f.cause == "few_items_rule")
    assert (finding.severity, finding.where) == ("failure", "recording 0")


def influences(probe: StepProbe, *shares: float) -> StepProbe:
    """A step whose gradient is shared out like this, the rest of it evenly."""
    rest = (1.0 - sum(shares)) / (len(probe.raw) - len(shares))
    return replace(probe, item_influence=torch.tensor([*shares, *[rest] * (len(probe.raw) - len(shares))]))


def test_few_items_rule__goes_by_share_and_reach():
    probe = training(0).probe()
    probe = replace(probe, raw=0.5 * nn.functional.normalize(probe.raw))
    far = replace(probe, raw=6.0 * probe.raw)
    assert severities(step_checks(influences(probe, 0.5))) == {}
    for step, share, severity in ((probe, 0.95, None), (far, 0.95, "warning"), (far, 0.5, None)):
        assert severities(step_checks(influences(step, share))).get("few_items_rule") == severity
    few = step_checks(replace(probe, item_influence=probe.item_influence[:8]))
    assert "16" in why_not(few, "few_items_rule")


@pytest.mark.parametrize(
    ("loss", "share", "severity"),
    [("triplet", 0.2, "failure"), ("triplet", 0.8, "warning"), ("triplet", 1.0, None), ("am_softmax", 0.0, None)],
)
def test_no_positives__only_where_recordings_are_compared(loss: str, share: float, severity: str | None):
    assert found(training(0, loss=loss), batches_with_positives=share).get("no_positives") == severity


def test_no_positives__of_a_loss_that_does_not_say():
    class Pairs(nn.Module):
        whole_batch = False  # which is also what a loss has that says nothing

        def forward(self, embeddings: Tensor, speakers: Tensor) -> Tensor:
            return torch.cdist(embeddings, embeddings).square().mean()

    probe = training(0).probe(batches_with_positives=0.1)
    assert severities(step_checks(probe, Pairs())) == {"no_positives": "failure"}
    own = replace(probe, batches_with_positives=None, speakers=torch.arange(32))
    assert severities(step_checks(own, Pairs())) == {"no_positives": "warning"}
    assert why_not(step_checks(probe), "no_positives")

"""Weights that do not move, that nothing depends on, centres that stay where they were drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_steps import DIM, SPEAKERS, checked, found, severities, tiny_encoder, training, with_layer
from torch import Tensor, nn

from curvox.diagnosis.diagnosing import step_checks
from curvox.losses import create_loss


def hold(*layers: str) -> Callable[[nn.Module, nn.Module], None]:
    def change(encoder: nn.Module, loss: nn.Module) -> None:
        for layer in layers:
            encoder.get_submodule(layer).requires_grad_(False)

    return change


@pytest.mark.parametrize(("layers", "severity"), [(("0", "3"), "failure"), (("",), "failure"), (("1",), "warning")])
def test_frozen_parameters__severity_goes_by_their_share(layers: tuple[str, ...], severity: str):
    assert found(training(1, change=hold(*layers)).run(4)) == {"frozen_parameters": severity}


def test_frozen_parameters__are_those_left_out_of_the_optimiser_or_that_did_not_move():
    """At last the probe is given an optimiser of everything, as an observer would build it; the run had another one."""
    setup = training()
    last = [*setup.encoder.get_submodule("6").parameters(), *setup.loss.parameters()]
    setup.optimizer = torch.optim.Adam(last, lr=2e-3)
    assert found(setup.run(5)) == {"frozen_parameters": "failure"}
    everything = [*setup.encoder.parameters(), *setup.loss.parameters()]
    setup.optimizer = torch.optim.Adam(everything, lr=2e-3)
    few = [*setup.encoder.get_submodule("1").parameters()]
    assert found(setup).get("frozen_parameters") is None  # most of it stood still: that alone may be a rate too low
    setup.optimizer = torch.optim.Adam([p for p in everything if all(p is not f for f in few)], lr=2e-3)
    setup.run(5)
    setup.optimizer = torch.optim.Adam(everything, lr=2e-3)
    assert found(setup)["frozen_parameters"] == "warning"


class Detached(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach()


def test_frozen_parameters__behind_a_detach():
    assert found(training(2, encoder=with_layer(6, Detached())).run(4)) == {"frozen_parameters": "failure"}


class WithIdle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = tiny_encoder(), nn.Linear(12, 40)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


def test_unused_parameters__a_layer_that_nothing_goes_through():
    shown = checked(training(0, encoder=WithIdle()).run(4))
    assert severities(shown) == {"unused_parameters": "warning"}
    assert shown.findings[0].where == "encoder.idle.weight, encoder.idle.bias"


def test_unused_parameters__biases_without_effect_are_no_finding():
    """Batch normalisation takes every bias before it away: its gradient is rounding, and it is used all the same."""
    setup = training(4)
    probe = setup.probe()
    biases = {p.name: p.gradient_norm for p in probe.parameters if p.name in ("encoder.0.bias", "encoder.3.bias")}
    assert all(norm is not None and norm < 1e-4 for norm in biases.values())
    assert severities(step_checks(probe, setup.loss)) == {}


@pytest.mark.parametrize("how", ["held", "left out", "rate of zero", "detached"])
@pytest.mark.parametrize("loss", ["am_softmax", "ham_softmax"])
def test_centres_never_move__however_it_comes(how: str, loss: str):
    setup = training(1, loss=loss, change=(lambda _, own: own.requires_grad_(False)) if how == "held" else None)
    if how == "left out":
        setup.optimizer = torch.optim.Adam(setup.encoder.parameters(), lr=2e-3)
    if how == "rate of zero":
        setup.optimizer.param_groups[1]["lr"] = 0.0
    if how == "detached":
        setup.loss = DetachedCentres(loss)
        setup.initial |= {f"loss.{n}": p.detach().clone() for n, p in setup.loss.named_parameters()}
    assert found(setup.run(4)) == {"centres_never_move": "failure"}


class DetachedCentres(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.inner = create_loss(name, dim=DIM, speakers=SPEAKERS)

    def forward(self, embeddings: Tensor, speakers: Tensor) -> Any:
        centres = {n: p.detach() for n, p in self.inner.named_parameters()}
        return torch.func.functional_call(self.inner, centres, (embeddings, speakers))

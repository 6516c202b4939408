"""One training step measured: against plain torch, and without a trace."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from tiny_steps import SPEAKERS, Training, tiny_encoder, training, voices
from torch import Tensor, nn

from curvox.diagnosis.probes.step import probe_step
from curvox.errors import InputError


def everything(setup: Training) -> dict[str, Tensor]:
    """All numbers of a training, by name."""
    state: dict[str, Tensor] = {}
    for part, module in (("encoder", setup.encoder), ("loss", setup.loss)):
        state |= {f"{part}.{name}": tensor.clone() for name, tensor in module.state_dict().items()}
    for place, (_, values) in enumerate(setup.optimizer.state.items()):
        state |= {f"{place}.{name}": torch.as_tensor(value).clone() for name, value in values.items()}
    return state


def test_probe__leaves_no_trace():
    setup = training(encoder=nn.Sequential(*tiny_encoder(), nn.Dropout(0.2))).run(5)
    setup.encoder.get_submodule("1").eval()
    setup.encoder.get_parameter("0.weight").requires_grad_(False)
    before, chance = everything(setup), torch.get_rng_state()
    gradients = [(p, p.grad) for p in setup.encoder.parameters()]
    kept = [None if gradient is None else gradient.clone() for _, gradient in gradients]
    modes = [module.training for module in setup.encoder.modules()]
    required = [p.requires_grad for p in setup.encoder.parameters()]
    rates = [group["lr"] for group in setup.optimizer.param_groups]
    setup.probe()
    after = everything(setup)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(p.grad is gradient for p, gradient in gradients)
    for (_, gradient), copied in zip(gradients, kept, strict=True):
        assert (gradient is None) == (copied is None)
        assert gradient is None or copied is None or torch.equal(gradient, copied)
    assert [module.training for module in setup.encoder.modules()] == modes
    assert [p.requires_grad for p in setup.encoder.parameters()] == required
    assert [group["lr"] for group in setup.optimizer.param_groups] == rates
    assert torch.equal(torch.get_rng_state(), chance)


@pytest.mark.parametrize("loss", ["am_softmax", "triplet", "ham_softmax"])
def test_probe__gradients_are_those_of_autograd(loss: str):
    setup = training(1, loss=loss).run(3)
    probe = setup.probe()
    x, speakers = voices(999)
    raw = setup.encoder(x)
    raw.retain_grad()
    value = setup.loss(raw, speakers).value
    setup.optimizer.zero_grad()
    value.backward()
    assert raw.grad is not None
    assert probe.value == pytest.approx(value.item())
    torch.testing.assert_close(probe.raw, raw.detach())
    torch.testing.assert_close(probe.gradient, raw.grad)
    torch.testing.assert_close(probe.item_influence, raw.grad.square().sum(1).sqrt())
    named = {f"encoder.{n}": p for n, p in setup.encoder.named_parameters()}
    named |= {f"loss.{n}": p for n, p in setup.loss.named_parameters()}
    assert [p.name for p in probe.parameters] == list(named)
    for found in probe.parameters:
        parameter = named[found.name]
        assert parameter.grad is not None
        assert found.gradient_norm == pytest.approx(float(parameter.grad.double().norm()), rel=1e-4, abs=1e-9)
        assert found.weight_norm == pytest.approx(float(parameter.detach().norm()), rel=1e-5)
        assert found.elements == parameter.numel()
        start = setup.initial[found.name]
        change = float((parameter.detach() - start).norm()) / (float(start.norm()) or math.sqrt(start.numel()))
        assert found.moved == pytest.approx(change, rel=1e-4)
        assert found.trains


@pytest.mark.parametrize(("optimizer", "steps"), [(torch.optim.Adam, 4), (torch.optim.SGD, 0)])
def test_probe__response_is_the_loss_after_a_step_of_the_optimiser(optimizer: type[torch.optim.Optimizer], steps: int):
    setup = training(2, optimizer=optimizer, learning_rate=0.01).run(steps)
    probe = setup.probe()
    x, speakers = voices(999)
    for multiple in (0.1, 1.0, 10.0):
        other = copy.deepcopy(setup)
        for group in other.optimizer.param_groups:
            group["lr"] = 0.01 * multiple
        other.optimizer.zero_grad()
        other.loss(other.encoder(x), speakers).value.backward()
        other.optimizer.step()
        value = other.loss(other.encoder(x), speakers).value.item()
        assert probe.response[multiple] == pytest.approx(value, rel=1e-4)


def test_probe__the_rate_given_counts_not_where_the_schedule_has_got_to():
    setup = training(3)
    usual = setup.probe().response
    for group in setup.optimizer.param_groups:
        group["lr"] *= 0.01
    assert setup.probe().response == pytest.approx(usual)


def test_probe__clipping_shortens_the_step_of_sgd():
    setup = training(3, optimizer=torch.optim.SGD, learning_rate=0.01)
    falls = [setup.probe().value - setup.probe(clip_gradient_norm=limit).response[0.1] for limit in (1e-3, 1e9)]
    assert 0 < falls[0] < 0.1 * falls[1]


def test_probe__tells_what_is_detached_from_what_is_unused():
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last, self.idle = nn.Linear(12, 16), nn.Linear(16, 8), nn.Linear(12, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.first(x).relu().detach())

    parameters = {p.name: p for p in training(encoder=Cut()).probe().parameters}
    assert parameters["encoder.first.weight"].detached
    assert parameters["encoder.first.weight"].gradient_norm == 0.0
    assert not parameters["encoder.idle.weight"].detached
    assert parameters["encoder.idle.weight"].gradient_norm is None
    assert not parameters["encoder.last.weight"].detached


def test_probe__says_who_trains():
    def hold(encoder: nn.Module, loss: nn.Module) -> None:
        encoder.get_submodule("0").requires_grad_(False)

    setup = training(change=hold)
    trains = {p.name: p.trains for p in setup.probe().parameters}
    assert [name for name, does in trains.items() if not does] == ["encoder.0.weight", "encoder.0.bias"]
    trains = {p.name: p.trains for p in setup.probe(trained=["encoder.6.weight"]).parameters}
    assert [name for name, does in trains.items() if does] == ["encoder.6.weight"]


def test_probe__largest_activation_is_that_of_the_layers():
    setup = training(4)
    probe = setup.probe()
    x, _ = voices(999)
    largest = 0.0
    with torch.no_grad():
        for layer in setup.encoder.children():
            x = layer(x)
            largest = max(largest, float(x.abs().max()))
    assert probe.dtype_maximum is not None
    assert largest <= probe.dtype_maximum < 30 * largest


def test_probe__what_is_not_finite_has_an_origin():
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sqrt()

    probe = training(encoder=nn.Sequential(nn.Linear(12, 8), Root())).probe()
    assert probe.origin is not None
    assert (probe.origin.operation, probe.origin.module) == ("aten.sqrt", "encoder.1")
    assert probe.response == {}


def test_probe__refuses_what_is_no_batch_and_leaves_no_trace_of_it():
    setup = training()
    before, (x, speakers) = everything(setup), voices(0)
    for rows, labels, says in ((5, speakers, r"embeddings \(32, D\)"), (32, torch.full((32,), SPEAKERS), "speakers")):
        with pytest.raises(InputError, match=says):
            probe_step(
                lambda rows=rows: setup.encoder(x[:rows]), setup.encoder, setup.loss, labels,
                lambda: setup.optimizer, learning_rate=0.1,
            )  # fmt: skip
    with pytest.raises(InputError, match="learning_rate"):
        setup.probe(learning_rate=0.0)
    with pytest.raises(InputError, match="initial weights"):
        setup.probe(initial={"encoder.0.weight": torch.zeros(3)})
    after = everything(setup)
    assert all(torch.equal(after[name], before[name]) for name in before)

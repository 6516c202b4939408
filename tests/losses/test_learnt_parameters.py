"""What a loss with centres learns besides them: scale, curvature, the gain of a lift."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from builders import draw_batch

from curvox.geometry import PoincareBall, create_space
from curvox.losses import AbstractLoss, create_loss
from curvox.losses.centres.centres import LearntScale

BATCH = draw_batch(seed=1, dtype=torch.float64)
_BALL = {"name": "poincare_ball", "c": 1.5}
LEARNT: dict[str, tuple[dict[str, Any], list[str]]] = {
    "am, scale": ({"name": "am_softmax", "learn_scale": True}, ["scaling.raw_scale"]),
    "aam, scale, top 1": ({"name": "aam_softmax", "learn_scale": True, "top_k": 1}, ["scaling.raw_scale"]),
    "ram, scale": ({"name": "ram_softmax", "scale": 4.0, "learn_scale": True}, ["scaling.raw_scale"]),
    "h, scale": ({"name": "h_softmax", "scale": 5.0, "learn_scale": True}, ["scaling.raw_scale"]),
    "ham, c": ({"name": "ham_softmax", "space": {**_BALL, "lift": "soft_clip", "learn_c": True}}, ["space.raw_c"]),
    "ham, c, clip": (
        {"name": "ham_softmax", "space": {**_BALL, "lift": {"name": "clip", "radius": 0.6}, "learn_c": True}},
        ["space.raw_c"],
    ),
    "ham, gain": ({"name": "ham_softmax", "space": {**_BALL, "lift": "exp_map"}}, ["space.lift.raw_gain"]),
    "h, all of them": (
        {
            "name": "h_softmax",
            "scale": 5.0,
            "learn_scale": True,
            "space": {**_BALL, "lift": "exp_map", "learn_c": True},
        },
        ["scaling.raw_scale", "space.lift.raw_gain", "space.raw_c"],
    ),
}
every_loss = pytest.mark.parametrize("name", LEARNT)


def build(name: str, *, seed: int = 0) -> AbstractLoss:
    """In float64, with centres apart."""
    torch.manual_seed(seed)
    loss = create_loss(LEARNT[name][0], dim=6, speakers=4).double()
    torch.nn.init.normal_(loss.get_parameter("centres"), std=0.5)
    return loss


def value(loss: AbstractLoss) -> float:
    with torch.no_grad():
        return loss(*BATCH).value.item()


@every_loss
def test_learnt__numbers_are_those_named(name: str) -> None:
    loss = build(name)
    assert sorted(set(dict(loss.named_parameters())) - {"centres"}) == LEARNT[name][1]


@pytest.mark.parametrize("memory_bytes", [2**29, 0], ids=["kept", "computed again"])
@every_loss
def test_learnt__gradients_equal_finite_differences(name: str, memory_bytes: int) -> None:
    loss = build(name)
    loss.memory_bytes = memory_bytes  # pyright: ignore
    for start in (0.0, 0.4):
        for parameter_name in LEARNT[name][1]:
            parameter, step = loss.get_parameter(parameter_name), 1e-5
            with torch.no_grad():
                parameter.add_(start)
            loss.zero_grad()
            loss(*BATCH).value.backward()
            assert parameter.grad is not None
            ends = []
            for move in (step, -2 * step):
                with torch.no_grad():
                    parameter.add_(move)
                ends.append(value(loss))
            with torch.no_grad():
                parameter.add_(step)
            assert parameter.grad.item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-8)
            assert parameter.grad.item() != 0.0


@every_loss
def test_learnt__numbers_start_as_the_fixed_ones(name: str) -> None:
    description = dict(LEARNT[name][0])
    description.pop("learn_scale", None)
    if "space" in description:
        description["space"] = {key: value for key, value in description["space"].items() if key != "learn_c"}
    loss, fixed = build(name), create_loss(description, dim=6, speakers=4).double()
    fixed.load_state_dict({key: part for key, part in loss.state_dict().items() if key in fixed.state_dict()})
    assert value(loss) == pytest.approx(value(fixed), rel=1e-9)


@pytest.mark.parametrize("raw", [-1e4, -20.0, -1.0, 0.3, 20.0, 1e4])
@every_loss
def test_learnt__numbers_stay_within_ten_times(name: str, raw: float) -> None:
    loss = build(name)
    with torch.no_grad():
        for parameter_name in set(LEARNT[name][1]) - {"space.lift.raw_gain"}:
            loss.get_parameter(parameter_name).fill_(raw)
    scaling, space = loss.scaling, loss.space
    assert isinstance(scaling, LearntScale)
    with torch.no_grad():
        shares = [float(scaling.now()) / scaling.start]
        shares += [float(space.c) / space.initial_c] if isinstance(space, PoincareBall) else []
    assert all(0.1 - 1e-12 <= share <= 10.0 + 1e-12 for share in shares), shares
    output = loss(*BATCH)
    output.value.backward()
    assert torch.isfinite(output.value)
    assert all(torch.isfinite(p.grad).all() for p in loss.parameters() if p.grad is not None)


@every_loss
def test_learnt__numbers_move_in_training_and_are_saved(name: str) -> None:
    loss = build(name)
    optimiser = torch.optim.SGD(loss.parameters(), lr=0.01)
    for _ in range(3):
        optimiser.zero_grad()
        loss(*BATCH).value.backward()
        optimiser.step()
    twin, fresh = build(name, seed=1), build(name)
    twin.load_state_dict(loss.state_dict())
    assert value(twin) == value(loss)
    for parameter_name in LEARNT[name][1]:
        assert torch.equal(twin.get_parameter(parameter_name), loss.get_parameter(parameter_name))
        assert not torch.equal(fresh.get_parameter(parameter_name), loss.get_parameter(parameter_name))
    space = create_space(loss.space.describe()).double()
    space.load_state_dict(loss.space.state_dict())
    points = BATCH[0]
    torch.testing.assert_close(space.project(points), loss.space.project(points), rtol=0, atol=0)


def test_learnt_scale__is_in_the_log_as_it_is_in_force() -> None:
    loss = build("am, scale")
    with torch.no_grad():
        loss.get_parameter("scaling.raw_scale").fill_(math.atanh(math.log10(2.0)))
    shown = loss(*BATCH).parts["scale"]
    assert shown.item() == pytest.approx(60.0)
    assert not shown.requires_grad
    fixed = create_loss({"name": "am_softmax", "scale": 60.0}, dim=6, speakers=4).double()
    fixed.load_state_dict({"centres": loss.state_dict()["centres"]})
    assert value(loss) == pytest.approx(value(fixed), rel=1e-12)


@every_loss
def test_learnt__numbers_in_half_precision_are_used_as_they_stand(name: str) -> None:
    """A module in bfloat16 has rounded parameters; what is computed from them is not rounded again."""
    loss = build(name)
    with torch.no_grad():
        for parameter_name in LEARNT[name][1]:
            loss.get_parameter(parameter_name).add_(0.3)
        for parameter in loss.parameters():
            parameter.copy_(parameter.bfloat16())
    embeddings, speakers = BATCH
    embeddings = embeddings.bfloat16()
    expected = loss(embeddings, speakers).value.item()
    found = loss.bfloat16()(embeddings, speakers).value
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected, rel=1e-4)

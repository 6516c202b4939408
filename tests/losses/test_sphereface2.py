"""SphereFace2 against its formula, the balance it starts from, its refusals, and the sum behind its rivals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import Euclidean
from curvox.losses import SphereFace2, create_loss
from curvox.losses.centres.sphereface2 import sum_of_softplus
from curvox.testing.loss_contract import check_gradients

SETTINGS = [
    {"scale": 8.0},
    {"scale": 30.0, "margin": 0.4, "exponent": 1.0},
    {"scale": 5.0, "margin": 0.0, "balance": 0.3, "exponent": 2.5},
]


def random_case(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    embeddings, centres = (torch.randn(n, 6, generator=draw, dtype=torch.float64) for n in (7, 5))
    return embeddings, centres, torch.randint(5, (7,), generator=draw)


def with_centres(loss: SphereFace2, centres: Tensor, bias: float) -> SphereFace2:
    loss = loss.double()
    with torch.no_grad():
        loss.centres.copy_(centres)
        loss.bias.fill_(bias)
    return loss


@pytest.mark.parametrize("bias", [-3.0, 0.0, 11.0])
@pytest.mark.parametrize("options", SETTINGS)
def test_sphereface2__equals_a_slow_loop(options: dict[str, Any], bias: float) -> None:
    o = {"scale": 32.0, "margin": 0.2, "balance": 0.7, "exponent": 3.0} | options
    s, share = o["scale"], o["balance"]

    def adjusted(z: np.ndarray, w: np.ndarray) -> float:
        cosine = float(z @ w / np.linalg.norm(z) / np.linalg.norm(w))
        return 2 * ((cosine + 1) / 2) ** o["exponent"] - 1

    embeddings, centres, speakers = random_case(1)
    expected = []
    for z, y in zip(embeddings.numpy(), speakers.tolist(), strict=True):
        total = 0.0
        for j, w in enumerate(centres.numpy()):
            if j == y:
                total += share / s * math.log(1 + math.exp(-s * (adjusted(z, w) - o["margin"]) - bias))
            else:
                total += (1 - share) / s * math.log(1 + math.exp(s * (adjusted(z, w) + o["margin"]) + bias))
        expected.append(total)
    loss = with_centres(SphereFace2(6, 5, **options), centres, bias)
    found = loss(embeddings, speakers)
    np.testing.assert_allclose(found.per_item.detach().numpy(), expected, rtol=1e-10)
    assert found.parts["bias"].item() == bias


@pytest.mark.parametrize("options", SETTINGS)
def test_sphereface2__has_the_gradients_of_finite_differences(options: dict[str, Any]) -> None:
    check_gradients(lambda dim, speakers: SphereFace2(dim, speakers, **options))


def gradient_by_bias(loss: SphereFace2, embeddings: Tensor, speakers: Tensor) -> tuple[float, float]:
    """The gradient by b, and the size that its two sides have before they cancel."""
    loss.zero_grad()
    loss(embeddings, speakers).value.backward()
    assert loss.bias.grad is not None
    zero = 2 * 0.5**loss.exponent - 1
    side = torch.sigmoid(-loss.scale * (zero - loss.margin) - loss.bias).item() * loss.balance / loss.scale
    return loss.bias.grad.item(), side


@pytest.mark.parametrize("options", [{}, *SETTINGS, {"balance": 0.999}, {"balance": 0.5}, {"balance": 0.01}])
@pytest.mark.parametrize("speakers", [2, 3, 4, 10, 3000, 1_000_000])
def test_bias__starts_where_own_and_rivals_pull_equally(speakers: int, options: dict[str, Any]) -> None:
    """On embeddings at right angles to every centre."""
    loss = SphereFace2(2, speakers, **options)
    with torch.no_grad():
        loss.centres.copy_(torch.tensor([0.0, 1.0]))
    pull, side = gradient_by_bias(loss, torch.tensor([[1.0, 0.0]]), torch.tensor([speakers - 1]))
    assert side > 0
    assert abs(pull) < 2e-3 * side


@pytest.mark.parametrize("balance", [0.3, 0.5, 0.7, 0.999])
@pytest.mark.parametrize(("scale", "margin"), [(1e4, 0.2), (1e3, 0.8), (1e-3, 0.2), (300.0, 1.0)])
@pytest.mark.parametrize("speakers", [2, 3, 1000])
def test_bias__is_a_number_for_every_setting(speakers: int, scale: float, margin: float, balance: float) -> None:
    loss = SphereFace2(6, speakers, scale=scale, margin=margin, balance=balance)
    zero = 2 * 0.5**3 - 1
    weight = balance / (1 - balance) / (speakers - 1)
    # where the sigmoids are far out, equal pulls are b between -s(g + m) and -s(g - m), shifted by the weight
    b = loss.bias.item() + scale * zero
    slack = abs(math.log(weight)) + 1e-6 * scale
    assert -scale * margin - slack <= b <= scale * margin + slack


def test_bias__does_not_depend_on_the_margin_where_both_sides_weigh_the_same() -> None:
    """Two speakers with a balance of one half are a symmetric problem: b = -s g(0)."""
    for scale, margin in [(32.0, 0.0), (32.0, 0.2), (1e4, 0.4)]:
        loss = SphereFace2(6, 2, balance=0.5, scale=scale, margin=margin)
        assert loss.bias.item() == pytest.approx(-scale * (2 * 0.5**3 - 1), rel=1e-6)


def values_over(margins: list[float], build: Callable[[float], SphereFace2]) -> list[float]:
    embeddings, centres, speakers = random_case(2)
    return [with_centres(build(m), centres, 2.0)(embeddings, speakers).value.item() for m in margins]


def test_sphereface2__grows_with_the_margin() -> None:
    values = values_over([0.0, 0.1, 0.2, 0.5, 1.0], lambda m: SphereFace2(6, 5, margin=m))
    assert all(earlier < later for earlier, later in itertools.pairwise(values)), values
    scheduled = SphereFace2(6, 5, margin=0.5)
    scheduled.set_margin_scale(0.4)
    assert values_over([0.5], lambda _: scheduled)[0] == pytest.approx(values[2], rel=1e-12)


def test_sphereface2__survives_logits_past_overflow() -> None:
    """log(1 + exp(x)) overflows past 88 in float32; softplus is x there."""
    loss = SphereFace2(6, 5, scale=1e4)
    embeddings, centres, speakers = (part.float() if part.is_floating_point() else part for part in random_case(3))
    with torch.no_grad():
        loss.centres.copy_(centres)
        loss.bias.fill_(1e5)
    leaf = embeddings.requires_grad_()
    value = loss(leaf, speakers).value
    value.backward()
    assert value.item() == pytest.approx(0.3 * 4 * 1e5 / 1e4, rel=0.5)
    assert torch.isfinite(leaf.grad).all()  # pyright: ignore
    assert loss.bias.grad.item() == pytest.approx(0.3 * 4 / 1e4, rel=1e-5)  # pyright: ignore


def test_sphereface2__does_not_tie_rivals_together() -> None:
    """Moving one rival changes its own gradient alone: no sum over speakers couples the centres."""
    embeddings, centres, _ = random_case(4)
    gradients = []
    for moved in (0.0, 3.0):
        loss = with_centres(SphereFace2(6, 5, scale=4.0), centres, 0.5)
        with torch.no_grad():
            loss.centres[4] += moved
        loss(embeddings, torch.zeros(7, dtype=torch.long)).value.backward()
        gradients.append(loss.centres.grad)
    torch.testing.assert_close(gradients[0][:4], gradients[1][:4], rtol=1e-12, atol=1e-14)
    assert not torch.allclose(gradients[0][4], gradients[1][4])


def test_sphereface2__refuses_numbers_outside_their_meaning() -> None:
    for options, name in [
        ({"balance": 0.0}, "balance"),
        ({"balance": 1.0}, "balance"),
        ({"balance": float("nan")}, "balance"),
        ({"exponent": 0.5}, "exponent"),
        ({"exponent": float("inf")}, "exponent"),
        ({"margin": -0.1}, "margin"),
        ({"scale": 0.0}, "scale"),
    ]:
        with pytest.raises(InputError, match=name):
            create_loss({"name": "sphereface2", **options}, dim=6, speakers=4)
    with pytest.raises(InputError, match="Hypersphere"):
        SphereFace2(6, 4, space=Euclidean())


@pytest.mark.parametrize("width", [1, 2, 3, 7, 8, 9, 64, 1001])
@pytest.mark.parametrize("size", [0.01, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("shift", [0.0, -40.0, 40.0])
def test_sum_of_softplus__is_exact_to_rounding_at_any_width_and_size(width: int, size: float, shift: float) -> None:
    x = size * torch.randn(5, width, generator=torch.Generator().manual_seed(width)) + shift
    exact = torch.logaddexp(x.double(), torch.zeros(())).sum(1)
    assert torch.allclose(sum_of_softplus(x, torch.empty_like(x)).double(), exact, rtol=2e-6, atol=0.0)


def test_sum_of_softplus__of_minus_infinity_adds_nothing_and_leaves_the_input() -> None:
    x = torch.tensor([[float("-inf"), 0.5, float("-inf")]])
    before = x.clone()
    assert torch.allclose(sum_of_softplus(x, torch.empty_like(x)), torch.nn.functional.softplus(torch.tensor([0.5])))
    assert torch.equal(x, before)

"""Centres on the ball: plain parameters, or points that geoopt's optimisers keep there; both train."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from curvox.errors import InputError, MissingExtraError, UnknownNameError
from curvox.geometry import Clip, ExpMap, PoincareBall, Published, SoftClip
from curvox.losses import HAMSoftmax, HSoftmax, create_loss

LIFTS: dict[str, Callable[[], Any]] = {"published": Published, "soft_clip": SoftClip, "exp_map": ExpMap}
SPEAKERS, DIM = 5, 4


def riemannian_adam(parameters: Any, lr: float) -> torch.optim.Optimizer:
    import geoopt

    return geoopt.optim.RiemannianAdam(parameters, lr=lr)


def plain_adam(parameters: Any, lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=lr)


def toy() -> tuple[Tensor, Tensor]:
    """Five speakers, six embeddings each, of the size that batch normalisation gives."""
    generator = torch.Generator().manual_seed(0)
    speakers = torch.arange(30) % SPEAKERS
    middles = 2.0 * torch.nn.functional.normalize(torch.randn(SPEAKERS, DIM, generator=generator))
    return middles[speakers] + 0.1 * torch.randn(30, DIM, generator=generator), speakers


def trained(
    loss: HAMSoftmax, optimiser: Callable[[Any, float], torch.optim.Optimizer], *, lr: float = 0.1, steps: int = 60
) -> list[float]:
    """Values over the training of the centres, and of whatever the space learns; embeddings stay as they are."""
    embeddings, speakers = toy()
    steps_of, values = optimiser(loss.parameters(), lr), []
    for _ in range(steps):
        steps_of.zero_grad()
        value = loss(embeddings, speakers).value
        value.backward()
        steps_of.step()
        values.append(value.item())
        assert torch.isfinite(loss.centres).all()
        if loss.centre_lift is not loss.space.lift:
            assert loss.centres.detach().norm(dim=-1).max() < 1.0
    return values


@pytest.mark.parametrize("centre_std", [1e-3, 0.05])
@pytest.mark.parametrize("lift", LIFTS)
@pytest.mark.parametrize(("centres", "optimiser"), [("plain", plain_adam), ("riemannian", riemannian_adam)])
def test_centres__train_both_ways(
    centres: str, optimiser: Callable[[Any, float], torch.optim.Optimizer], lift: str, centre_std: float
) -> None:
    torch.manual_seed(0)
    space = PoincareBall(lift=LIFTS[lift]())
    loss = HAMSoftmax(DIM, SPEAKERS, scale=10.0, centre_std=centre_std, centres=centres, space=space)
    values = trained(loss, optimiser)
    assert values[0] > 1.0
    assert values[-1] < 0.05, values[::10]
    embeddings, speakers = toy()
    points, middles = loss.space.project(embeddings), loss.centre_lift(loss.centres, c=loss.space.c)
    nearest = loss.space.pairwise_distance(points, middles).argmin(1)
    assert torch.equal(nearest, speakers)


@pytest.mark.parametrize("lift", LIFTS)
def test_riemannian_centres__may_also_be_trained_by_a_plain_optimiser(lift: str) -> None:
    """It knows of no ball: what it puts beyond the rim counts as just inside, and stays finite."""
    torch.manual_seed(0)
    loss = HAMSoftmax(DIM, SPEAKERS, scale=10.0, centres="riemannian", space=PoincareBall(lift=LIFTS[lift]()))
    embeddings, speakers = toy()
    optimiser = plain_adam(loss.parameters(), 0.05)
    values = []
    for _ in range(60):
        optimiser.zero_grad()
        value = loss(embeddings, speakers).value
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < 0.1 < values[0]
    assert loss.centre_lift(loss.centres, c=1.0).norm(dim=-1).max() < 1.0


@pytest.mark.parametrize("c", [0.1, 1.0, 4.0])
def test_riemannian_centres__start_as_the_plain_ones_and_are_points_of_the_same_ball(c: float) -> None:
    import geoopt

    losses = []
    for centres in ("plain", "riemannian"):
        torch.manual_seed(3)
        losses.append(HAMSoftmax(6, 4, centres=centres, space=PoincareBall(c=c, lift=Clip())))
    plain, bound = losses
    assert isinstance(bound.centres, geoopt.ManifoldParameter)
    assert bound.centres.manifold.c.item() == pytest.approx(c)  # pyright: ignore
    torch.testing.assert_close(plain.centres.data, bound.centres.data)
    generator = torch.Generator().manual_seed(0)
    embeddings, speakers = torch.randn(8, 6, generator=generator), torch.arange(8) % 4
    torch.testing.assert_close(plain(embeddings, speakers).value, bound(embeddings, speakers).value)


def test_riemannian_centres__are_not_lifted_a_second_time() -> None:
    """They are points, also where the embeddings' lift would move them."""
    torch.manual_seed(0)
    loss = HSoftmax(6, 4, centres="riemannian", space=PoincareBall(lift=SoftClip())).double()
    with torch.no_grad():
        loss.centres.mul_(100.0)
    embeddings, speakers = torch.randn(8, 6, dtype=torch.float64), torch.arange(8) % 4
    points = loss.space.project(embeddings)
    logits = -30.0 * loss.space.pairwise_distance(points, loss.centres.detach())
    expected = torch.nn.functional.cross_entropy(logits, speakers)
    assert loss(embeddings, speakers).value.item() == pytest.approx(expected.item(), rel=1e-9)


def test_riemannian_centres__one_that_was_rounded_onto_the_rim_counts_as_inside() -> None:
    loss = HAMSoftmax(6, 4, centres="riemannian")
    with torch.no_grad():
        loss.centres.copy_(
            torch.nn.functional.normalize(torch.randn(4, 6)) * torch.tensor([1.0, 1.5, 1.0, 0.99])[:, None]
        )
    embeddings = torch.randn(8, 6, requires_grad=True)
    value = loss(embeddings, torch.arange(8) % 4).value
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(loss.centres.grad).all()  # pyright: ignore


def test_riemannian_centres__are_saved_as_plain_numbers() -> None:
    loss = HAMSoftmax(6, 4, centres="riemannian")
    state = loss.state_dict()
    assert set(state) == {"centres"}
    twin = HAMSoftmax(6, 4, centres="riemannian")
    twin.load_state_dict(state)
    assert torch.equal(twin.centres.data, loss.centres.data)
    assert type(twin.centres) is type(loss.centres)


def test_constructor__refuses_riemannian_centres_where_the_curvature_is_learnt() -> None:
    space = PoincareBall(lift=SoftClip(), learn_c=True)
    with pytest.raises(InputError, match="fixed curvature"):
        HAMSoftmax(6, 4, centres="riemannian", space=space)


def test_constructor__names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "geoopt", None)
    with pytest.raises(MissingExtraError, match=r"curvox\[riemannian\]"):
        HAMSoftmax(6, 4, centres="riemannian")
    assert HAMSoftmax(6, 4).centres.shape == (4, 6)


@pytest.mark.parametrize("wrong", ["riemanian", ""])
def test_constructor__refuses_other_kinds_of_centres(wrong: Any) -> None:
    with pytest.raises(UnknownNameError, match="riemannian"):
        create_loss({"name": "ham_softmax", "centres": wrong}, dim=6, speakers=4)


@pytest.mark.parametrize("wrong", [0.0, -1e-3, float("nan")])
def test_constructor__refuses_a_spread_that_is_none(wrong: Any) -> None:
    with pytest.raises(InputError, match="centre_std"):
        create_loss({"name": "h_softmax", "centre_std": wrong}, dim=6, speakers=4)

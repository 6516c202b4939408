"""Each sabotaged loss does what it is called."""

from __future__ import annotations

import pytest
import torch
from builders import draw_speakers
from sabotage import case_of
from sabotage.broken_losses import (
    OwnPairLoss,
    OwnTripletLoss,
    Reweighted,
    Terms,
    arc_of_one,
    blind_cosine,
    blind_jeffreys,
    cosine_out_of_reach,
    half_precision,
    hinge,
    hinge_with_a_rest,
    logarithm_of_zero,
    root_at_zero,
    ruled_by_the_worst,
    sigmoid_out_of_reach,
    similarity_as_distance,
    times,
)
from torch import Tensor

from curvox.geometry import Euclidean, Hypersphere
from curvox.losses import AbstractLoss, ContrastiveHinge

SPEAKERS = torch.arange(8).repeat_interleave(2)


def gradient(loss: AbstractLoss, raw: Tensor, speakers: Tensor = SPEAKERS) -> Tensor:
    raw = raw.clone().requires_grad_(True)
    (found,) = torch.autograd.grad(loss(raw, speakers).value, raw)
    return found


def distances_after_a_step(loss: AbstractLoss) -> tuple[float, float]:
    """Change of the mean same-speaker and different-speaker distance by a short step against the gradient."""
    raw = draw_speakers()
    slope = gradient(loss, raw)
    moved = raw - 1e-3 * slope / slope.norm()
    same = SPEAKERS[:, None] == SPEAKERS[None]
    close, apart = same & ~torch.eye(16, dtype=torch.bool), ~same
    before, after = (loss.space.pairwise_distance(*[loss.space.project(z)] * 2) for z in (raw, moved))
    return tuple(float((after - before)[kind].mean()) for kind in (close, apart))  # pyright: ignore


@pytest.mark.parametrize("terms", [blind_cosine, blind_jeffreys])
def test_label_blind__gradient_is_the_same_for_any_labels(terms: Terms) -> None:
    loss = OwnPairLoss(16, terms, space=Euclidean(), balanced=False)
    other = torch.arange(16) % 4
    raw = draw_speakers()
    torch.testing.assert_close(gradient(loss, raw), gradient(loss, raw, other), rtol=1e-4, atol=1e-6)
    mixed = OwnPairLoss(16, terms, space=Euclidean(), balanced=True)  # weighs the two kinds differently: it sees them
    assert not torch.allclose(gradient(mixed, raw), gradient(mixed, raw, other), rtol=0.1)


WRONG = {
    "labels turned": lambda: OwnPairLoss(16, hinge(0.3, 1.2, flipped=True), space=Hypersphere()),
    "climbed": lambda: Reweighted(ContrastiveHinge(16), times(-1.0)),
    "triplet turned": lambda: OwnTripletLoss(16, sign=-1.0, margin=0.3),
    "similarity as distance": lambda: OwnPairLoss(16, similarity_as_distance, space=Hypersphere()),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_direction__takes_speakers_apart_and_brings_others_together(name: str) -> None:
    close, apart = distances_after_a_step(WRONG[name]())
    assert close > 0
    assert apart < 0


def test_right_direction__is_that_of_the_same_losses_unturned() -> None:
    for loss in (OwnPairLoss(16, hinge(0.3, 2.5), space=Hypersphere()), OwnTripletLoss(16, sign=1.0, margin=0.9)):
        close, apart = distances_after_a_step(loss)
        assert close < 0 < apart


def test_never_satisfied__a_solved_batch_costs_the_margin() -> None:
    solved = torch.eye(16)[SPEAKERS]
    loss = OwnPairLoss(16, hinge_with_a_rest(0.8), space=Hypersphere())
    assert float(loss(solved, SPEAKERS).value) == pytest.approx(0.8, abs=1e-5)


@pytest.mark.parametrize(
    ("terms", "left"), [(cosine_out_of_reach(3.0), 1.0), (sigmoid_out_of_reach(2.0), 1.0)]
)  # pairs as far apart as they can be
def test_margin_out_of_reach__the_farthest_pair_still_costs(terms: Terms, left: float) -> None:
    opposite = torch.tensor([[1e4, 0.0], [-1e4, 0.0]])
    same = torch.eye(2, dtype=torch.bool)
    assert float(terms(Euclidean(), opposite, same)[0, 1]) == pytest.approx(left, abs=1e-3)


@pytest.mark.parametrize(
    "kind", ["margins wide apart/voices/1", "flat margins/openvoices/2", "margin subtracted/voices/1"]
)
def test_never_active__has_neither_value_nor_gradient(kind: str) -> None:
    make = case_of(f"never_active/{kind}").make_loss
    assert make is not None
    loss = make(16, 8)
    assert float(loss(draw_speakers(), SPEAKERS).value) == 0.0
    assert not gradient(loss, draw_speakers()).any()


def test_gradient_multiplied__is_the_plain_gradient_times_the_factor() -> None:
    make = case_of("gradient_multiplied/am times 10,000/voices/2").make_loss
    assert make is not None
    loss = make(16, 8)
    plain = loss.get_submodule("inner")
    assert isinstance(plain, AbstractLoss)
    raw = draw_speakers()
    torch.testing.assert_close(gradient(loss, raw), 1e4 * gradient(plain, raw), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("terms", "space", "forward"),
    [(root_at_zero, Euclidean, False), (logarithm_of_zero, Euclidean, True), (arc_of_one, Hypersphere, False)],
)
def test_not_finite__value_or_gradient_is_nan(terms: Terms, space: type[Euclidean], forward: bool) -> None:
    raw = draw_speakers().requires_grad_(True)
    value = OwnPairLoss(16, terms, space=space())(raw, SPEAKERS).value
    if forward:
        assert value.isnan()
    (slope,) = torch.autograd.grad(value, raw)
    assert slope.isnan().any()


def test_half_precision__overflows_where_single_does_not() -> None:
    loss = OwnPairLoss(16, half_precision(60.0), space=Euclidean())
    assert not loss(3.0 * draw_speakers(), SPEAKERS).value.isfinite()
    assert loss(0.01 * draw_speakers(), SPEAKERS).value.isfinite()


def test_few_items_rule__most_weight_is_on_the_worst() -> None:
    costs = torch.linspace(1.0, 2.0, 16)
    changed = ruled_by_the_worst(200.0)(costs)
    assert changed.max() / changed.sum() > 0.99
    assert changed.argmax() == costs.argmax()

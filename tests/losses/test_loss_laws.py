"""What losses with centres promise beyond the contract: margins, limits, precision, refusals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from builders import draw_batch
from loss_variants import VARIANTS, factory_of

from curvox.errors import InputError
from curvox.geometry import AbstractLift, Clip, Euclidean, ExpMap, Hypersphere, PoincareBall, Published, SoftClip
from curvox.losses import (
    LOSSES,
    AAMSoftmax,
    AbstractLoss,
    AMSoftmax,
    HAMSoftmax,
    HSoftmax,
    RAMSoftmax,
    Softmax,
)

MARGINS = ("am_softmax", "aam_softmax", "ram_softmax", "ham_softmax")


def test_margin_losses__agree_when_the_margin_is_off() -> None:
    embeddings, speakers = draw_batch()
    for first, second in [
        (AMSoftmax(6, 4), AAMSoftmax(6, 4)),
        (HAMSoftmax(6, 4), HSoftmax(6, 4, space=PoincareBall(lift=Published(3.0)))),
    ]:
        second.load_state_dict(first.state_dict())
        first.set_margin_scale(0.0)
        second.set_margin_scale(0.0)
        torch.testing.assert_close(first(embeddings, speakers).value, second(embeddings, speakers).value)


@pytest.mark.parametrize("cls", [AMSoftmax, AAMSoftmax, RAMSoftmax, HAMSoftmax])
def test_loss__grows_with_the_margin(cls: Callable[..., AbstractLoss]) -> None:
    embeddings, speakers = draw_batch()
    torch.manual_seed(0)
    state = cls(6, 4).state_dict()
    values = []
    for margin in (0.0, 0.1, 0.2, 0.5, 1.0):
        loss = cls(6, 4, margin=margin)
        loss.load_state_dict(state)
        values.append(loss(embeddings, speakers).value.item())
    assert all(earlier < later for earlier, later in itertools.pairwise(values)), values


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5, 1.5, 3.0])
def test_aam_softmax__target_falls_without_a_jump_from_zero_to_pi(margin: float) -> None:
    loss = AAMSoftmax(2, 2, margin=margin)
    angles = torch.linspace(0, math.pi, 4001, dtype=torch.float64)
    similarities = loss.target_similarity(angles)
    steps = similarities.diff()
    assert (steps <= 1e-12).all()
    assert steps.abs().max() < 2 * math.pi / 4000
    torch.testing.assert_close(similarities[0].item(), math.cos(margin))


def test_aam_softmax__refuses_margins_that_are_no_angle() -> None:
    with pytest.raises(InputError, match="radians"):
        AAMSoftmax(6, 4, margin=20.0)
    loss = AAMSoftmax(6, 4, margin=0.5)
    with pytest.raises(InputError, match=r"6\.28"):
        loss.set_margin_scale(6.5)
    assert loss.margin_scale == 1.0


def test_aam_softmax__gradient_is_bounded_up_to_alignment() -> None:
    """With sin from sqrt(1 - cos^2) the gradient would be infinite at zero angle."""
    loss = AAMSoftmax(2, 2)
    with torch.no_grad():
        loss.centres.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    for turn in (0.0, 1e-20, 1e-12, 1e-7, 1e-4, 1e-2):
        z = torch.tensor([[math.cos(turn), math.sin(turn)]], requires_grad=True)
        loss(z, torch.tensor([0])).value.backward()
        assert z.grad is not None
        assert z.grad.abs().max() < 60, turn


def test_ram_softmax__of_a_solved_batch_is_log_n_with_no_gradient() -> None:
    loss = RAMSoftmax(4, 4)
    with torch.no_grad():
        loss.centres.copy_(torch.eye(4))
    z = torch.eye(4).requires_grad_()
    output = loss(z, torch.arange(4))
    output.value.backward()
    torch.testing.assert_close(output.per_item, torch.full((4,), math.log(4)))
    assert z.grad is not None
    assert z.grad.abs().max() == 0


@pytest.mark.parametrize("name", ["softmax", "sphereface2", *MARGINS, "h_softmax"])
def test_loss__survives_a_scale_past_overflow(name: str) -> None:
    """exp(88) overflows float32; scales of 1e4 must not."""
    loss = LOSSES.load(name)(6, 4, scale=1e4)
    output = loss(*draw_batch())
    output.value.backward()
    assert torch.isfinite(output.value)
    assert torch.isfinite(loss.centres.grad).all()


@pytest.mark.parametrize("length", [0.0, 1e-25, 1e-18, 1e-15, 1e-13, 1e-12, 1e-6, 1e3, 1e9, 1e15])
@pytest.mark.parametrize("name", [*MARGINS, "sphereface2", "h_softmax"])
def test_loss__survives_centres_of_any_length(name: str, length: float) -> None:
    torch.manual_seed(0)
    loss = LOSSES.load(name)(6, 4)
    with torch.no_grad():
        loss.centres.copy_(length * torch.nn.functional.normalize(torch.randn(4, 6)))
    output = loss(*draw_batch())
    output.value.backward()
    assert torch.isfinite(output.value)
    assert torch.isfinite(loss.centres.grad).all()


@pytest.mark.parametrize("memory_bytes", [2**29, 0])
@pytest.mark.parametrize("name", ["softmax", "sphereface2", *MARGINS, "h_softmax"])
def test_loss__takes_embeddings_however_they_lie_in_memory(name: str, memory_bytes: int) -> None:
    loss = LOSSES.load(name)(6, 4)
    loss.memory_bytes = memory_bytes
    embeddings, speakers = draw_batch()
    expected = gradient(loss, embeddings.clone(), speakers)
    for other in (
        embeddings.T.contiguous().T,
        torch.stack([embeddings, embeddings], 1)[:, 1],
        torch.cat([embeddings, embeddings], 1)[:, 6:],
        embeddings.flip(0).flip(0),
    ):
        torch.testing.assert_close(gradient(loss, other, speakers), expected, rtol=1e-5, atol=1e-6)
    doubled = speakers.repeat_interleave(2)[::2]
    assert not doubled.is_contiguous()
    torch.testing.assert_close(gradient(loss, embeddings, doubled), expected, rtol=0, atol=0)


def gradient(loss: AbstractLoss, embeddings: torch.Tensor, speakers: torch.Tensor) -> torch.Tensor:
    leaf = embeddings.detach().requires_grad_()
    (found,) = torch.autograd.grad(loss(leaf, speakers).value, leaf)
    return found


@pytest.mark.parametrize("name", ["softmax", "sphereface2", *MARGINS, "h_softmax"])
def test_loss__refuses_to_be_differentiated_twice(name: str) -> None:
    """Its rivals have first derivatives only; a penalty on the gradient would miss theirs without a word."""
    loss = LOSSES.load(name)(6, 4)
    embeddings, speakers = draw_batch()
    leaf = embeddings.requires_grad_()
    with pytest.raises(RuntimeError, match="differentia"):
        twice(loss(leaf, speakers).value, leaf)


def twice(value: torch.Tensor, leaf: torch.Tensor) -> None:
    (once,) = torch.autograd.grad(value, leaf, create_graph=True)
    once.square().sum().backward()


@pytest.mark.parametrize("lift", [Clip(), ExpMap(0.3), SoftClip(0.01)])
def test_own_distance__keeps_its_precision_at_the_rim(lift: AbstractLift) -> None:
    """Taken from rounded points the distance to the rim would have lost most of its digits, and 1e-2 of the distance
    with them; the lifts know it from the length of the raw embedding."""
    torch.manual_seed(0)
    loss = HAMSoftmax(192, 50, space=PoincareBall(lift=lift))
    torch.nn.init.normal_(loss.centres)
    speakers = torch.arange(50)
    embeddings = loss.centres.detach() + torch.randn(50, 192)
    single = loss(embeddings, speakers).parts["target_distance"].double()
    double = loss.double()(embeddings.double(), speakers).parts["target_distance"]
    assert double > 5.0
    torch.testing.assert_close(single, double, rtol=0, atol=1e-5)


def test_published_centres__start_next_to_the_origin() -> None:
    torch.manual_seed(0)
    for loss in (HSoftmax(192, 500), HAMSoftmax(192, 500, centre_std=1e-3)):
        assert loss.centres.std().item() == pytest.approx(1e-3, rel=0.05)
        assert loss.centres.mean().abs().item() < 1e-4


def test_ham_centres__start_on_the_rim_of_the_published_ball() -> None:
    loss = HAMSoftmax(192, 500)
    norms = loss.space.project(loss.centres).norm(dim=1)
    assert norms.min().item() == pytest.approx(norms.max().item())
    assert norms.max().item() == pytest.approx(3**-0.5, rel=1e-4)


def test_published_settings__are_the_defaults_but_for_where_centres_start() -> None:
    assert HSoftmax(6, 4).space.describe()["lift"] == {"name": "published", "curvature": 5.0}
    assert HAMSoftmax(6, 4).space.describe()["lift"] == {"name": "published", "curvature": 3.0}
    for loss in (AMSoftmax(6, 4), AAMSoftmax(6, 4), RAMSoftmax(6, 4), HAMSoftmax(6, 4)):
        assert (loss.scaling.now(), loss.margin) == (30.0, 0.2)
    assert isinstance(Softmax(6, 4).space, Hypersphere)


def test_loss__refuses_a_space_in_which_it_has_no_meaning() -> None:
    for cls in (AMSoftmax, AAMSoftmax, RAMSoftmax):
        with pytest.raises(InputError, match="Hypersphere"):
            cls(6, 4, space=PoincareBall())
    for cls in (HSoftmax, HAMSoftmax):
        with pytest.raises(InputError, match="PoincareBall"):
            cls(6, 4, space=Euclidean())
    assert isinstance(Softmax(6, 4, space=Euclidean()).space, Euclidean)


def test_learnable_lift__is_trained_saved_and_part_of_the_space() -> None:
    loss = HAMSoftmax(6, 4, space=PoincareBall(lift=ExpMap(0.3)))
    assert set(loss.state_dict()) == {"centres", "space.lift.raw_gain"}
    assert set(loss.space.state_dict()) == {"lift.raw_gain"}
    loss(*draw_batch()).value.backward()
    assert loss.get_parameter("space.lift.raw_gain").grad != 0


@pytest.mark.parametrize(("value", "cause"), [(float("nan"), "NaN"), (float("inf"), "NaN or inf"), (1e30, "overflow")])
def test_check_inputs__names_the_row_of_a_broken_embedding(value: float, cause: str) -> None:
    embeddings, speakers = draw_batch()
    embeddings[5, 2] = value
    with pytest.raises(InputError, match=cause) as refusal:
        AMSoftmax(6, 4)(embeddings, speakers)
    assert "5" in str(refusal.value)


def test_check_inputs__names_the_row_and_the_range_of_a_wrong_speaker() -> None:
    embeddings, speakers = draw_batch()
    for wrong in (-1, 4):
        broken = speakers.clone()
        broken[6] = wrong
        with pytest.raises(InputError, match=rf"0\.\.3.*got {wrong} in row 6"):
            AMSoftmax(6, 4)(embeddings, broken)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_check_inputs__takes_every_integer_type(dtype: torch.dtype) -> None:
    embeddings, speakers = draw_batch()
    loss = AMSoftmax(6, 4)
    assert torch.equal(loss(embeddings, speakers.to(dtype)).value, loss(embeddings, speakers).value)


@pytest.mark.parametrize("name", VARIANTS)
def test_half_precision_module__still_computes_in_float32(name: str) -> None:
    embeddings, _ = draw_batch()
    loss = factory_of(name)(6, 4).to(torch.bfloat16)
    assert loss(embeddings.bfloat16(), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])).value.dtype == torch.float32


def test_parts__are_the_means_they_are_named_for() -> None:
    embeddings, speakers = draw_batch()
    loss = HAMSoftmax(6, 4)
    parts = loss(embeddings, speakers).parts
    x, w = loss.space.project(embeddings), loss.space.project(loss.centres)
    torch.testing.assert_close(parts["target_distance"], loss.space.distance(x, w[speakers]).mean().detach())
    origin = torch.zeros(6)
    torch.testing.assert_close(parts["distance_to_origin"], loss.space.distance(x, origin).mean())
    angle = AMSoftmax(6, 4)(embeddings, speakers).parts["target_angle_rad"]
    assert 0 < angle < math.pi

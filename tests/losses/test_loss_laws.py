"""What each loss promises beyond the contract: margins, limits, names, refusals."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from curvox.errors import InputError, RecipeError, UnknownNameError
from curvox.geometry import Euclidean, ExpMap, Hypersphere, PoincareBall, Published
from curvox.losses import (
    LOSSES,
    AAMSoftmax,
    AbstractLoss,
    AMSoftmax,
    HAMSoftmax,
    HSoftmax,
    LossOutput,
    RAMSoftmax,
    Softmax,
    WeightedLoss,
    create_loss,
)
from curvox.losses.combined import Combined


def batch(items: int = 8, dim: int = 6, speakers: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(items, dim, generator=generator), torch.arange(items) % speakers


def test_margin_losses__agree_when_the_margin_is_off() -> None:
    embeddings, speakers = batch()
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
    embeddings, speakers = batch()
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
    logits = loss.target_logits(angles)
    steps = logits.diff()
    assert (steps <= 1e-12).all()
    assert steps.abs().max() < 30 * 2 * math.pi / 4000
    torch.testing.assert_close(logits[0].item(), 30 * math.cos(margin))


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


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in ("combined", "softmax")])
def test_loss__survives_a_scale_past_overflow(name: str) -> None:
    """exp(88) overflows float32; scales of 1e4 must not."""
    loss = LOSSES.load(name)(6, 4, scale=1e4)
    output = loss(*batch())
    output.value.backward()
    assert torch.isfinite(output.value)
    assert torch.isfinite(loss.centres.grad).all()


def test_hyperbolic_centres__start_next_to_the_origin() -> None:
    torch.manual_seed(0)
    for loss in (HSoftmax(192, 500), HAMSoftmax(192, 500)):
        assert loss.centres.std().item() == pytest.approx(1e-3, rel=0.05)
        assert loss.centres.mean().abs().item() < 1e-4


def test_published_settings__are_the_defaults() -> None:
    assert HSoftmax(6, 4).space.describe()["lift"] == {"name": "published", "curvature": 5.0}
    assert HAMSoftmax(6, 4).space.describe()["lift"] == {"name": "published", "curvature": 3.0}
    for loss in (AMSoftmax(6, 4), AAMSoftmax(6, 4), RAMSoftmax(6, 4), HAMSoftmax(6, 4)):
        assert (loss.scale, loss.margin) == (30.0, 0.2)
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
    loss(*batch()).value.backward()
    assert loss.get_parameter("space.lift.raw_gain").grad != 0


@pytest.mark.parametrize(("value", "cause"), [(float("nan"), "NaN"), (float("inf"), "NaN or inf"), (1e30, "overflow")])
def test_check_inputs__names_the_row_of_a_broken_embedding(value: float, cause: str) -> None:
    embeddings, speakers = batch()
    embeddings[5, 2] = value
    with pytest.raises(InputError, match=cause) as refusal:
        AMSoftmax(6, 4)(embeddings, speakers)
    assert "5" in str(refusal.value)


def test_check_inputs__names_the_row_and_the_range_of_a_wrong_speaker() -> None:
    embeddings, speakers = batch()
    for wrong in (-1, 4):
        broken = speakers.clone()
        broken[6] = wrong
        with pytest.raises(InputError, match=rf"0\.\.3.*got {wrong} in row 6"):
            AMSoftmax(6, 4)(embeddings, broken)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_check_inputs__takes_every_integer_type(dtype: torch.dtype) -> None:
    embeddings, speakers = batch()
    loss = AMSoftmax(6, 4)
    assert torch.equal(loss(embeddings, speakers.to(dtype)).value, loss(embeddings, speakers).value)


def test_half_precision_module__still_computes_in_float32() -> None:
    embeddings, speakers = batch()
    for name in LOSSES:
        loss = LOSSES.load(name)(6, 4).to(torch.bfloat16)
        assert loss(embeddings.bfloat16(), speakers).value.dtype == torch.float32


def test_parts__are_the_means_they_are_named_for() -> None:
    embeddings, speakers = batch()
    loss = HAMSoftmax(6, 4)
    parts = loss(embeddings, speakers).parts
    x, w = loss.space.project(embeddings), loss.space.project(loss.centres)
    torch.testing.assert_close(parts["target_distance"], loss.space.distance(x, w[speakers]).mean().detach())
    origin = torch.zeros(6)
    torch.testing.assert_close(parts["distance_to_origin"], loss.space.distance(x, origin).mean())
    angle = AMSoftmax(6, 4)(embeddings, speakers).parts["target_angle_rad"]
    assert 0 < angle < math.pi


# Combined


def test_combined__is_the_published_mixture_by_default() -> None:
    embeddings, speakers = batch()
    loss = Combined(6, 4)
    output = loss(embeddings, speakers)
    ram, ham = (part(embeddings, speakers) for part in loss.members())
    torch.testing.assert_close(output.value, 0.3 * ram.value + 0.7 * ham.value)
    torch.testing.assert_close(output.per_item, 0.3 * ram.per_item + 0.7 * ham.per_item)
    torch.testing.assert_close(output.parts["ram_softmax"], ram.value.detach())
    torch.testing.assert_close(output.parts["ham_softmax/target_distance"], ham.parts["target_distance"])
    assert loss.space is loss.members()[1].space


def test_combined__compares_in_the_space_it_was_told() -> None:
    assert isinstance(Combined(6, 4, space_of="ram_softmax").space, Hypersphere)
    assert isinstance(Combined(6, 4, space_of="ham_softmax").space, PoincareBall)
    equal = [WeightedLoss(1.0, AMSoftmax(6, 4)), WeightedLoss(1.0, HSoftmax(6, 4))]
    assert isinstance(Combined(6, 4, parts=equal).space, Hypersphere)
    with pytest.raises(InputError, match="ham_softmax"):
        Combined(6, 4, space_of="hamsoftmax")


def test_combined__schedules_the_margins_of_all_its_parts() -> None:
    inner = Combined(6, 4)
    outer = Combined(6, 4, parts=[WeightedLoss(1.0, inner), WeightedLoss(2.0, AAMSoftmax(6, 4, margin=1.0))])
    outer.set_margin_scale(0.5)
    assert [loss.margin_scale for loss in outer.modules() if isinstance(loss, AbstractLoss)] == [0.5] * 5
    with pytest.raises(InputError, match=r"3\.14"):
        outer.set_margin_scale(4.0)
    assert outer.margin_scale == 0.5


def test_combined__numbers_parts_of_one_kind() -> None:
    parts = [WeightedLoss(1.0, AMSoftmax(6, 4)), WeightedLoss(2.0, AMSoftmax(6, 4, margin=0.4))]
    loss = Combined(6, 4, parts=parts, space_of="am_softmax_2")
    assert {"am_softmax", "am_softmax_2"} < set(loss(*batch()).parts)
    assert loss.space is parts[1].loss.space


def test_combined__refuses_parts_that_do_not_fit() -> None:
    for parts, reason in [
        ([], "at least one"),
        ([WeightedLoss(1.0, AMSoftmax(7, 4))], "7 dimensions"),
        ([WeightedLoss(1.0, AMSoftmax(6, 5))], "5 speakers"),
        ([WeightedLoss(0.0, AMSoftmax(6, 4))], "weight"),
        ([WeightedLoss(float("nan"), AMSoftmax(6, 4))], "weight"),
    ]:
        with pytest.raises(InputError, match=reason):
            Combined(6, 4, parts=parts)


def test_combined__survives_a_deep_copy_with_its_own_space() -> None:
    import copy

    loss = Combined(6, 4, parts=[WeightedLoss(1.0, HSoftmax(6, 4, space=PoincareBall(lift=ExpMap())))])
    twin = copy.deepcopy(loss)
    assert twin.space is twin.members()[0].space
    assert twin.space is not loss.space


# descriptions


def test_create_loss__builds_what_is_described() -> None:
    loss = create_loss(
        {
            "name": "combined",
            "space_of": "am_softmax",
            "parts": [
                {"name": "am_softmax", "weight": 0.25, "margin": 0.3},
                {
                    "name": "h_softmax",
                    "weight": 0.75,
                    "space": {"name": "poincare_ball", "c": 0.5, "lift": "soft_clip"},
                },
            ],
        },
        dim=6,
        speakers=4,
    )
    assert isinstance(loss, Combined)
    assert loss.weights == [0.25, 0.75]
    am, hyperbolic = loss.members()
    assert isinstance(am, AMSoftmax)
    assert am.margin == 0.3
    assert hyperbolic.space.describe()["c"] == 0.5
    assert isinstance(loss.space, Hypersphere)
    for name in LOSSES:
        assert LOSSES.name_of(type(create_loss(name, dim=6, speakers=4))) == name


def test_create_loss__refuses_what_it_does_not_know() -> None:
    for description, error, reason in [
        ("amsoftmax", UnknownNameError, "am_softmax"),
        ({"name": "am_softmax", "margn": 0.2}, RecipeError, 'did you mean "margin"'),
        ({"name": "am_softmax", "dim": 3}, RecipeError, '"dim"'),
        ({"margin": 0.2}, RecipeError, '"name"'),
        ({"name": "h_softmax", "margin": 0.2}, RecipeError, '"margin"'),
        ({"name": "combined", "parts": [{"name": "am_softmax"}]}, RecipeError, "weight"),
        ({"name": "combined", "parts": {"am_softmax": 1.0}}, RecipeError, "parts"),
        ({"name": "ham_softmax", "space": {"name": "poincare_ball", "lift": "clipp"}}, UnknownNameError, "clip"),
    ]:
        with pytest.raises(error, match=reason):
            create_loss(description, dim=6, speakers=4)


def test_table__is_read_without_torch() -> None:
    code = "import sys; from curvox.losses import LOSSES; assert len(LOSSES) >= 7; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_door__offers_every_class_of_the_table() -> None:
    import curvox.losses as door

    for entry in LOSSES.entries.values():
        assert getattr(door, entry.attribute) is entry.load()
        assert entry.attribute in door.__all__
        assert entry.attribute in dir(door)
    assert door.LossOutput is LossOutput
    with pytest.raises(AttributeError, match="HAMSoftmx"):
        _ = door.HAMSoftmx

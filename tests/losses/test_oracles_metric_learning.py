"""pytorch-metric-learning as an independent oracle of our own losses, value and gradients."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from builders import draw_batch
from torch import Tensor

from curvox.geometry import AbstractSpace, ExpMap, Hypersphere, PoincareBall
from curvox.losses import AAMSoftmax, AbstractLoss, AMSoftmax, ContrastiveHinge, SupervisedContrastive, Triplet
from curvox.losses.metric_learning import as_distance

DIM, SPEAKERS = 6, 5
BATCH = draw_batch(12, DIM, SPEAKERS, seed=3, dtype=torch.float64)


def value_and_gradients(loss: Any, weight: Tensor, z: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    leaf = z.clone().requires_grad_()
    loss.zero_grad()
    output = loss(leaf, speakers)
    value = output if isinstance(output, Tensor) else output.value
    value.backward()
    assert leaf.grad is not None
    assert weight.grad is not None
    return value.detach(), leaf.grad, weight.grad


def require_equal(ours: AbstractLoss, theirs: Any, z: Tensor, speakers: Tensor) -> None:
    """Both losses with the centres of ours: equal value, gradient of embeddings and of centres."""
    centres = ours.get_parameter("centres")
    ours.double()
    theirs.double()
    with torch.no_grad():
        theirs.W.copy_(centres.reshape(-1, DIM).T)
    value, embeddings, weights = value_and_gradients(ours, centres, z, speakers)
    expected, their_embeddings, their_weights = value_and_gradients(theirs, theirs.W, z, speakers)
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(embeddings, their_embeddings, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(weights.reshape(-1, DIM).T, their_weights, rtol=1e-7, atol=1e-9)


def foreign(name: str, *, dim: int = DIM, speakers: int = SPEAKERS, **options: Any) -> Any:
    from pytorch_metric_learning import losses

    return getattr(losses, name)(num_classes=speakers, embedding_size=dim, **options)


@pytest.mark.parametrize(("scale", "margin"), [(30.0, 0.2), (64.0, 0.35), (1.0, 0.0)])
def test_am_softmax__equals_cosface(scale: float, margin: float) -> None:
    torch.manual_seed(0)
    ours = AMSoftmax(DIM, SPEAKERS, scale=scale, margin=margin)
    require_equal(
        ours,
        foreign("CosFaceLoss", scale=scale, margin=margin),
        *BATCH,
    )


@pytest.mark.parametrize(("scale", "margin"), [(30.0, 0.2), (64.0, 0.5), (1.0, 0.0)])
def test_aam_softmax__equals_arcface_in_radians(scale: float, margin: float) -> None:
    torch.manual_seed(0)
    ours = AAMSoftmax(DIM, SPEAKERS, scale=scale, margin=margin)
    z, speakers = BATCH
    angles = ours.space.distance(ours.space.project(z), ours.space.project(ours.centres.detach().double())[speakers])
    assert (angles + margin < math.pi).all(), "a case for the test below"
    require_equal(ours, foreign("ArcFaceLoss", scale=scale, margin=math.degrees(margin)), z, speakers)


@pytest.mark.parametrize("sub_centres", [1, 2, 5])
@pytest.mark.parametrize(("scale", "margin"), [(30.0, 0.2), (2.0, 0.0)])
def test_sub_centres__equal_sub_centre_arcface(sub_centres: int, scale: float, margin: float) -> None:
    torch.manual_seed(0)
    ours = AAMSoftmax(DIM, SPEAKERS, scale=scale, margin=margin, sub_centres=sub_centres)
    theirs = foreign("SubCenterArcFaceLoss", scale=scale, margin=math.degrees(margin), sub_centers=sub_centres)
    require_equal(ours, theirs, *BATCH)


@pytest.mark.parametrize("margin", [0.2, 0.5, 1.0])
def test_aam_softmax__differs_from_arcface_past_pi_by_a_constant(margin: float) -> None:
    """Past θ + m = π ours is s (cos θ - 1 + cos m), without a jump; theirs is s (cos θ - m sin m), with one."""
    scale = 2.0
    torch.manual_seed(0)
    ours = AAMSoftmax(2, 2, scale=scale, margin=margin).double()
    theirs = foreign("ArcFaceLoss", dim=2, speakers=2, scale=scale, margin=math.degrees(margin)).double()
    with torch.no_grad():
        ours.centres.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        theirs.W.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    angle = math.pi - margin / 3
    z = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
    speaker = torch.tensor([0])
    rival = scale * math.sin(angle)
    values = (ours(z, speaker).value, theirs(z, speaker))
    own, their = (rival - math.log(math.expm1(value.item())) for value in values)
    assert own == pytest.approx(scale * (math.cos(angle) - 1 + math.cos(margin)), rel=1e-9)
    assert their == pytest.approx(scale * (math.cos(angle) - margin * math.sin(margin)), rel=1e-9)


@pytest.mark.parametrize("temperature", [0.05, 1 / 30, 1.0])
def test_am_softmax__without_a_margin_equals_normalised_softmax(temperature: float) -> None:
    torch.manual_seed(0)
    ours = AMSoftmax(DIM, SPEAKERS, scale=1 / temperature, margin=0.0)
    require_equal(
        ours,
        foreign("NormalizedSoftmaxLoss", temperature=temperature),
        *BATCH,
    )


@pytest.mark.parametrize("space", [Hypersphere(), PoincareBall(c=0.7, lift=ExpMap(0.2))], ids=["sphere", "ball"])
@pytest.mark.parametrize("name", ["contrastive", "triplet", "hardest triplet", "supervised contrastive"])
def test_pair_losses__equal_theirs_over_our_distances(name: str, space: AbstractSpace) -> None:
    from pytorch_metric_learning import losses, miners, reducers

    space.double()
    distance, mean = as_distance(space), reducers.MeanReducer()
    curved = isinstance(space, PoincareBall)
    ours, theirs = {
        "contrastive": (
            ContrastiveHinge(DIM, m_same=0.1, m_different=1.5, space=space),
            losses.ContrastiveLoss(**_margins(0.1, 1.5), distance=distance, reducer=mean),
        ),
        "triplet": (
            Triplet(DIM, margin=0.4, space=space, mining="all"),
            losses.TripletMarginLoss(margin=0.4, distance=distance, reducer=mean),
        ),
        "hardest triplet": (
            Triplet(DIM, margin=0.4, space=space, mining="hardest"),
            losses.TripletMarginLoss(margin=0.4, distance=distance, reducer=mean),
        ),
        "supervised contrastive": (
            SupervisedContrastive(DIM, temperature=0.2, space=space),
            losses.SupConLoss(temperature=0.2, **({"distance": distance} if curved else {})),
        ),
    }[name]
    z, speakers = BATCH
    here, there = z.clone().requires_grad_(), z.clone().requires_grad_()
    mined = miners.BatchHardMiner(distance=distance)(there, speakers) if name == "hardest triplet" else None
    value, expected = ours(here, speakers).value, theirs(there, speakers, mined)
    torch.testing.assert_close(value, expected, rtol=1e-8, atol=1e-10)
    value.backward()
    expected.backward()
    torch.testing.assert_close(here.grad, there.grad, rtol=1e-6, atol=1e-8)


def _margins(same: float, different: float) -> dict[str, Any]:
    return {"pos_margin": same, "neg_margin": different}

"""Sub-centres and inter-top-k on the angular losses, against slow loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.losses import AAMSoftmax, AMSoftmax, RAMSoftmax
from curvox.losses.centres.angular import AbstractAngularLoss
from curvox.testing.loss_contract import check_gradients

ANGULAR = {"am": AMSoftmax, "aam": AAMSoftmax, "ram": RAMSoftmax}
DIM, CLASSES, S, M, TOP_M = 6, 5, 8.0, 0.3, 0.25
every_loss = pytest.mark.parametrize("name", ANGULAR)
Case = tuple[Tensor, Tensor, Tensor]


def random_case(seed: int, *, sub_centres: int = 1, items: int = 7) -> Case:
    draw = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(items, DIM, generator=draw, dtype=torch.float64)
    centres = torch.randn(CLASSES, sub_centres, DIM, generator=draw, dtype=torch.float64)
    return embeddings, centres, torch.randint(CLASSES, (items,), generator=draw)


def build(name: str, centres: Tensor, **options: float) -> AbstractAngularLoss:
    settings = {"scale": S, "margin": M, "top_k_margin": TOP_M} | options
    loss = ANGULAR[name](DIM, CLASSES, sub_centres=centres.shape[1], **settings).double()  # pyright: ignore
    with torch.no_grad():
        loss.centres.copy_(centres.view_as(loss.centres))
    return loss


def own_logit(name: str, angle: float) -> float:
    if name == "aam":
        moved = angle + M
        return S * (math.cos(moved) if moved <= math.pi else math.cos(angle) - 1 + math.cos(M))
    return S * (math.cos(angle) - M)


def raised_logit(name: str, angle: float) -> float:
    """A rival among the nearest: nearer by m' in the loss's own measure, but not nearer than can be."""
    return S * (math.cos(max(0.0, angle - TOP_M)) if name == "aam" else math.cos(angle) + TOP_M)


def slow_loop(name: str, case: Case, *, top_k: int) -> list[float]:
    """Each item by plain Python: the nearest sub-centre of each class counts, the top_k nearest rivals are raised."""
    losses = []
    for z, y in zip(case[0].numpy(), case[2].tolist(), strict=True):
        angles = []
        for sub_centres in case[1].numpy():
            cosines = [float(z @ w / np.linalg.norm(z) / np.linalg.norm(w)) for w in sub_centres]
            angles.append(math.acos(max(cosines)))
        own = own_logit(name, angles[y])
        rivals = sorted(angle for j, angle in enumerate(angles) if j != y)
        logits = [raised_logit(name, a) if rank < top_k else S * math.cos(a) for rank, a in enumerate(rivals)]
        if name == "ram":
            logits = [max(logit, own) for logit in logits]
        losses.append(math.log(1 + sum(math.exp(logit - own) for logit in logits)))
    return losses


@pytest.mark.parametrize("top_k", [0, 1, 2, 4])
@pytest.mark.parametrize("sub_centres", [1, 3])
@every_loss
def test_loss__equals_a_slow_loop(name: str, sub_centres: int, top_k: int) -> None:
    for seed in range(3):
        case = random_case(seed, sub_centres=sub_centres)
        found = build(name, case[1], top_k=top_k)(case[0], case[2])
        expected = slow_loop(name, case, top_k=top_k)
        np.testing.assert_allclose(found.per_item.detach().numpy(), expected, rtol=1e-10, atol=1e-13)
        assert found.value.item() == pytest.approx(np.mean(expected))


@every_loss
def test_loss__with_both_has_the_gradients_of_finite_differences(name: str) -> None:
    """At a margin that no angle of the case is near to, where the loss has a corner."""
    check_gradients(
        lambda dim, speakers: ANGULAR[name](dim, speakers, scale=4.0, sub_centres=2, top_k=2, learn_scale=True)
    )


@every_loss
def test_loss__with_one_sub_centre_or_none_raised_is_the_plain_one(name: str) -> None:
    embeddings, centres, speakers = random_case(4)
    plain = build(name, centres)(embeddings, speakers).per_item
    for options in ({"sub_centres": 1}, {"top_k": 0}, {"sub_centres": 1, "top_k": 0}):
        loss = ANGULAR[name](DIM, CLASSES, scale=S, margin=M, **options).double()  # pyright: ignore
        assert loss.centres.shape == (CLASSES, DIM)
        loss.load_state_dict(build(name, centres).state_dict())
        assert torch.equal(loss(embeddings, speakers).per_item, plain)
    unmoved = build(name, centres, top_k=3, top_k_margin=0.0)(embeddings, speakers).per_item
    torch.testing.assert_close(unmoved, plain, rtol=1e-12, atol=1e-13)


@every_loss
def test_loss__with_equal_sub_centres_is_the_plain_one(name: str) -> None:
    """Ties: whichever of them is chosen, the value is the same, and their gradients add up to the plain one's."""
    embeddings, centres, speakers = random_case(5)
    plain, tied = build(name, centres, top_k=2), build(name, centres.expand(-1, 3, -1), top_k=2)
    first, second = plain(embeddings, speakers), tied(embeddings, speakers)
    torch.testing.assert_close(first.per_item, second.per_item, rtol=1e-12, atol=1e-13)
    first.value.backward()
    second.value.backward()
    assert tied.centres.grad is not None
    torch.testing.assert_close(tied.centres.grad.sum(1), plain.centres.grad, rtol=1e-10, atol=1e-13)


@every_loss
def test_loss__of_rivals_equally_near_raises_as_many_as_asked(name: str) -> None:
    embeddings, centres, _ = random_case(6)
    centres[1:4] = centres[1]
    case = (embeddings, centres, torch.zeros(7, dtype=torch.long))
    for top_k in (1, 2, 3, 4):
        found = build(name, centres, top_k=top_k)(case[0], case[2])
        np.testing.assert_allclose(found.per_item.detach().numpy(), slow_loop(name, case, top_k=top_k), rtol=1e-10)


def test_sub_centres__only_the_nearest_of_a_class_is_moved() -> None:
    embeddings, centres, speakers = random_case(7, sub_centres=4, items=1)
    loss = build("am", centres)
    loss(embeddings, speakers).value.backward()
    unit = torch.nn.functional.normalize(centres, dim=-1) @ torch.nn.functional.normalize(embeddings[0], dim=0)
    assert loss.centres.grad is not None
    moved = loss.centres.grad.abs().sum(-1) > 0
    assert torch.equal(moved, torch.nn.functional.one_hot(unit.argmax(1), 4).bool())


@pytest.mark.parametrize("sub_centres", [3, 300])
def test_sub_centres__however_many_get_their_own_gradients(sub_centres: int) -> None:
    embeddings, centres, speakers = random_case(8, sub_centres=sub_centres)
    loss = build("am", centres)
    loss(embeddings, speakers).value.backward()
    leaf = centres.clone().requires_grad_()
    unit = torch.nn.functional.normalize
    cosines = (unit(embeddings) @ unit(leaf.view(-1, DIM)).T).view(len(embeddings), CLASSES, -1).amax(2)
    target = torch.nn.functional.one_hot(speakers, CLASSES).double()
    torch.nn.functional.cross_entropy(S * (cosines - M * target), speakers).backward()
    torch.testing.assert_close(loss.centres.grad, leaf.grad, rtol=1e-10, atol=1e-13)


@every_loss
def test_loss__grows_with_how_many_are_raised_and_by_how_much(name: str) -> None:
    embeddings, centres, speakers = random_case(9)

    def values(of: Callable[[float], AbstractAngularLoss], steps: list[float]) -> list[float]:
        return [of(step)(embeddings, speakers).value.item() for step in steps]

    for found in (
        values(lambda k: build(name, centres, top_k=int(k)), [0, 1, 2, 3, 4]),
        values(lambda m: build(name, centres, top_k=2, top_k_margin=m), [0.0, 0.1, 0.2, 0.4, 0.8]),
    ):
        assert all(earlier < later for earlier, later in itertools.pairwise(found)), found
    scheduled = build(name, centres, top_k=2, top_k_margin=0.4, margin=0.0)
    scheduled.set_margin_scale(0.5)
    expected = build(name, centres, top_k=2, top_k_margin=0.2, margin=0.0)
    torch.testing.assert_close(scheduled(embeddings, speakers).per_item, expected(embeddings, speakers).per_item)


@pytest.mark.parametrize("options", [{"scale": 1e4}, {"scale": 300.0, "top_k_margin": 0.9}])
@every_loss
def test_top_k__survives_a_gain_past_overflow(name: str, options: dict[str, float]) -> None:
    """exp(s m') overflows float32 past 88: the difference of two exponents must not be taken as they are."""
    case = random_case(10)
    double = build(name, case[1], top_k=2, **options)
    expected = double(case[0], case[2])
    single = double.float()
    leaf = case[0].float().requires_grad_()
    found = single(leaf, case[2])
    found.value.backward()
    torch.testing.assert_close(found.per_item.double(), expected.per_item, rtol=1e-4, atol=1e-4)
    assert torch.isfinite(leaf.grad).all()  # pyright: ignore
    assert torch.isfinite(single.centres.grad).all()  # pyright: ignore


@every_loss
def test_top_k__of_a_rival_on_the_embedding_is_finite(name: str) -> None:
    """It cannot be raised beyond its own angle of zero, where AAM has nothing left to add."""
    embeddings, centres, speakers = random_case(11)
    centres[(speakers[0] + 1) % CLASSES, 0] = embeddings[0]
    loss = build(name, centres, top_k=1)
    leaf = embeddings.clone().requires_grad_()
    output = loss(leaf, speakers)
    output.value.backward()
    case = (embeddings, centres, speakers)
    np.testing.assert_allclose(output.per_item.detach().numpy(), slow_loop(name, case, top_k=1), rtol=1e-7)
    assert torch.isfinite(leaf.grad).all()  # pyright: ignore


@every_loss
def test_constructor__refuses_what_cannot_be_counted(name: str) -> None:
    for options, match in [
        ({"top_k": CLASSES}, "top_k counts rivals"),
        ({"top_k": -1}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"sub_centres": 0}, "sub_centres"),
        ({"top_k_margin": -0.1}, "top_k_margin"),
        ({"top_k_margin": float("nan")}, "top_k_margin"),
    ]:
        with pytest.raises(InputError, match=match):
            ANGULAR[name](DIM, CLASSES, **options)  # pyright: ignore
    assert ANGULAR[name](DIM, CLASSES, top_k=CLASSES - 1).top_k == CLASSES - 1


def test_aam_softmax__refuses_a_top_k_margin_that_is_no_angle() -> None:
    with pytest.raises(InputError, match="radians"):
        AAMSoftmax(DIM, CLASSES, top_k=1, top_k_margin=3.2)
    with pytest.raises(InputError, match=r"3\.14"):
        AAMSoftmax(DIM, CLASSES, margin=0.2, top_k=1, top_k_margin=1.0).set_margin_scale(3.2)

"""Laws of all pair losses: margins, rest, collapse, precision, gradients in every space, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pair_oracles import SPACES, random_batch
from torch import Tensor

from curvox.errors import InputError, UnknownNameError
from curvox.geometry import AbstractSpace, Clip, Euclidean, ExpMap, Hypersphere, PoincareBall, SoftClip
from curvox.losses import AbstractLoss
from curvox.losses.pairs.contrastive_hinge import ContrastiveHinge, contrastive_hinge_losses
from curvox.losses.pairs.gaussian_kl import GaussianKL, gaussian_kl_losses
from curvox.losses.pairs.ge2e import GE2E
from curvox.losses.pairs.prototypical import AngularPrototypical, Prototypical
from curvox.losses.pairs.supervised_contrastive import SupervisedContrastive
from curvox.losses.pairs.triplet import Triplet, triplet_losses
from curvox.testing.loss_contract import CHECKS

MININGS = ("all", "semi_hard", "hardest", "distance_weighted")
HINGES: dict[str, Callable[..., AbstractLoss]] = {"contrastive": ContrastiveHinge, "kl": GaussianKL, "triplet": Triplet}
ALL_SPACES: dict[str, Callable[[], AbstractSpace]] = SPACES | {
    "exp_map": lambda: PoincareBall(lift=ExpMap(0.3)),
    "soft_clip learnt c": lambda: PoincareBall(lift=SoftClip(), learn_c=True),
}
LOSSES: dict[str, Callable[[AbstractSpace], AbstractLoss]] = {
    "contrastive": lambda space: ContrastiveHinge(6, space=space),
    "contrastive semi-hard": lambda space: ContrastiveHinge(6, space=space, mining="semi_hard"),
    "contrastive hardest": lambda space: ContrastiveHinge(6, space=space, mining="hardest"),
    "kl": lambda space: GaussianKL(6, space=space),
    "kl learnt": lambda space: GaussianKL(6, margin=0.8, learn_variance=True, space=space),
    "kl learnt hardest": lambda space: GaussianKL(6, margin=0.8, learn_variance=True, space=space, mining="hardest"),
    "triplet all": lambda space: Triplet(6, space=space, mining="all"),
    "triplet semi-hard": lambda space: Triplet(6, space=space),
    "triplet hardest": lambda space: Triplet(6, space=space, mining="hardest"),
    "prototypical": lambda space: Prototypical(6, space=space),
    "angular prototypical": lambda space: AngularPrototypical(6, space=space),
    "ge2e": lambda space: GE2E(6, space=space),
    "ge2e contrast": lambda space: GE2E(6, variant="contrast", scale=2.0, offset=1.0, space=space),
    "supervised contrastive": lambda space: SupervisedContrastive(6, space=space),
}
in_every_space = pytest.mark.parametrize("space", SPACES)


def value_and_gradient(loss: AbstractLoss, embeddings: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor]:
    leaf = embeddings.clone().requires_grad_()
    output = loss(leaf, speakers)
    output.value.backward()
    assert leaf.grad is not None
    return output.value.detach(), leaf.grad


@pytest.mark.parametrize(
    ("loss", "space"),
    [
        ("contrastive semi-hard", "soft_clip learnt c"),
        ("kl learnt hardest", "exp_map"),
        ("triplet all", "ball"),
        ("ge2e contrast", "soft_clip learnt c"),
    ],
)
def test_contract__holds_where_the_table_does_not_look(loss: str, space: str) -> None:
    for check in CHECKS.values():
        check(lambda dim, speakers: LOSSES[loss](ALL_SPACES[space]()))


@in_every_space
@pytest.mark.parametrize("loss", LOSSES)
def test_loss__has_the_gradient_of_finite_differences_with_unequal_recordings(loss: str, space: str) -> None:
    embeddings, speakers = random_batch(3, dim=6)
    built = LOSSES[loss](SPACES[space]()).double()
    leaf = embeddings.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: built(z, speakers).per_item, (leaf,), fast_mode=True)


@pytest.mark.parametrize("loss", HINGES)
@pytest.mark.parametrize("mining", MININGS)
def test_loss__at_rest_is_exactly_zero(loss: str, mining: str) -> None:
    """Speakers coincide and lie far apart: nothing is active, and no gradient is left, not even a NaN."""
    speakers = torch.arange(8) % 4
    solved = 5.0 * torch.eye(4, 6)[speakers]
    for space in SPACES.values():
        value, gradient = value_and_gradient(HINGES[loss](6, space=space(), mining=mining), solved, speakers)
        assert value == 0
        assert (gradient == 0).all()


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("margin", [0.1, 0.3, 1.0])
def test_triplet__of_a_collapsed_batch_is_the_margin(mining: str, margin: float) -> None:
    """Of an embedding on an axis, so that the expansion behind the matrix product is exact too."""
    speakers = torch.arange(8) % 4
    collapsed = torch.tensor([0.5, 0, 0, 0, 0, 0]).expand(8, -1)
    for space in SPACES.values():
        loss = Triplet(6, margin=margin, space=space(), mining=mining)
        output = loss(collapsed, speakers)
        assert output.value.item() == pytest.approx(margin, rel=1e-6)
        assert output.parts["active"] == 1.0


@pytest.mark.parametrize("mining", ["all", "semi_hard", "hardest"])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), margins=st.tuples(st.floats(0, 1.4), st.floats(0, 1.4)))
def test_loss__never_falls_with_a_larger_margin(mining: str, seed: int, margins: tuple[float, float]) -> None:
    embeddings, speakers = random_batch(seed)
    low, high = sorted(margins)
    for space in SPACES.values():
        for build in (
            lambda m: Triplet(5, margin=m, space=space(), mining=mining),  # noqa: B023
            lambda m: GaussianKL(5, margin=m, space=space(), mining=mining),  # noqa: B023
            lambda m: ContrastiveHinge(5, m_same=0.05, m_different=0.1 + m, space=space(), mining=mining),  # noqa: B023
        ):
            less, more = (build(margin)(embeddings, speakers).per_item for margin in (low, high))
            assert (more >= less - 1e-12).all()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), far=st.floats(50.0, 1e4))
def test_loss__is_not_moved_by_a_negative_beyond_its_margin(seed: int, far: float) -> None:
    """Beside a stranger far away every sum over active terms is as before; only what it is divided by may grow."""
    embeddings, speakers = random_batch(seed)
    more = torch.cat([embeddings, far * torch.ones(1, 5, dtype=torch.float64)])
    labels = torch.cat([speakers, torch.tensor([9])])
    for mining in ("semi_hard", "hardest"):
        loss = Triplet(5, margin=0.5, space=Euclidean(), mining=mining)
        before, after = loss(embeddings, speakers), loss(more, labels)
        if mining == "hardest":
            torch.testing.assert_close(before.value, after.value)
        assert after.value <= before.value + 1e-12
    loss = Triplet(5, margin=0.5, space=Euclidean(), mining="all")
    before, after = loss(embeddings, speakers), loss(more, labels)
    sums = [output.value * output.parts["triplets"] for output in (before, after)]
    torch.testing.assert_close(*sums)
    loss = ContrastiveHinge(5, m_different=2.0, space=Euclidean())
    before, after = loss(embeddings, speakers), loss(more, labels)
    close = ContrastiveHinge(5, m_different=0.31, space=Euclidean())(embeddings, speakers)
    assert after.value <= before.value + 1e-12
    assert after.parts["same_distance"] == close.parts["same_distance"]


@in_every_space
@pytest.mark.parametrize("apart", [0.0, 1e-12, 1e-7, 1e-5, 1e-3])
def test_same_speaker_pairs__keep_their_precision_when_close(space: str, apart: float) -> None:
    """In float32, where the expansion behind the matrix product has cancelled at 1e-3 of the embeddings' length."""
    torch.manual_seed(0)
    voices = torch.randn(4, 6)
    embeddings = torch.cat([voices, voices + apart * torch.randn(4, 6)])
    speakers = torch.arange(8) % 4
    built = SPACES[space]()
    x, y = (built.project(z.double()) for z in (embeddings[:4], embeddings[4:]))
    exact = built.distance(x, y)
    for mining in MININGS:
        loss = ContrastiveHinge(6, m_same=0.0, m_different=1e-6, space=built, mining=mining)
        found = loss(embeddings, speakers).parts["same_distance"]
        assert found.item() == pytest.approx(exact.mean().item(), rel=0.02, abs=3e-7)
        assert loss(embeddings, speakers).value.item() == pytest.approx(exact.mean().item(), rel=0.02, abs=3e-7)


def test_gaussian_kl__learns_which_recordings_to_trust() -> None:
    """One coordinate tells how noisy an embedding is; the spread of the noisy ones becomes the larger."""
    torch.manual_seed(0)
    speakers = torch.arange(32) % 8
    noisy = (torch.arange(32) // 8) % 2
    voices = torch.nn.functional.normalize(torch.randn(8, 5))[speakers]
    embeddings = torch.cat([voices + 0.5 * noisy[:, None] * torch.randn(32, 5), noisy[:, None] - 0.5], dim=1)
    loss = GaussianKL(6, margin=1.5, learn_variance=True, space=Euclidean())
    start = loss.log_variances(embeddings)
    assert start is not None
    assert start.exp().sqrt().tolist() == pytest.approx([1.0] * 32)
    optimiser = torch.optim.Adam(loss.parameters(), lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        loss(embeddings, speakers).value.backward()
        optimiser.step()
    learnt = loss.log_variances(embeddings)
    assert learnt is not None
    spreads = learnt.detach().exp().sqrt()
    assert spreads[noisy == 1].mean() > 1.1 * spreads[noisy == 0].mean()
    assert spreads.min() >= 0.5
    assert spreads.max() <= 2.0


def test_mining__repeats_in_a_loss_with_torchs_seed() -> None:
    embeddings, speakers = random_batch()
    loss = Triplet(5, mining="distance_weighted")
    values = []
    for seed in (1, 1, 2, 3):
        torch.manual_seed(seed)
        values.append(loss(embeddings, speakers).value.item())
    assert values[0] == values[1]
    assert len(set(values)) > 1


def test_margin_scale__reaches_the_margin_that_pushes() -> None:
    embeddings, speakers = random_batch()
    for full, half in [
        (ContrastiveHinge(5, m_different=1.4), ContrastiveHinge(5, m_different=0.7)),
        (GaussianKL(5, margin=1.4), GaussianKL(5, margin=0.7)),
        (Triplet(5, margin=1.4), Triplet(5, margin=0.7)),
    ]:
        full.set_margin_scale(0.5)
        torch.testing.assert_close(full(embeddings, speakers).value, half(embeddings, speakers).value)
    for loss, limit in [
        (ContrastiveHinge(5), math.pi / 1.2),
        (Triplet(5), math.pi / 0.3),
        (GaussianKL(5), math.pi**2 / 2),
    ]:
        loss.set_margin_scale(limit * 0.99)
        with pytest.raises(InputError, match="margin"):
            loss.set_margin_scale(limit * 1.01)


# refusals


def test_batches__are_refused_with_their_repair() -> None:
    embeddings, _ = random_batch(0, dim=6)
    for build in LOSSES.values():
        loss = build(Hypersphere())
        assert loss.whole_batch
        assert loss.speakers is None
        with pytest.raises(InputError, match=r"two recordings.*recordings_per_speaker: 2"):
            loss(embeddings, torch.arange(9))
        with pytest.raises(InputError, match=r"two speakers.*got 9 recordings of one"):
            loss(embeddings, torch.full((9,), 4))


@pytest.mark.parametrize(
    ("build", "cause"),
    [
        (lambda: ContrastiveHinge(6, m_same=1.2), "m_same must be below m_different"),
        (lambda: ContrastiveHinge(6, m_same=0.5, m_different=0.4), "m_same 0.5 and m_different 0.4"),
        (lambda: ContrastiveHinge(6, m_different=3.2), r"m_different.*3\.142"),
        (lambda: ContrastiveHinge(6, m_same=-0.1), "m_same"),
        (lambda: ContrastiveHinge(6, m_different=math.nan), "m_different"),
        (lambda: ContrastiveHinge(6, m_different=3.0, space=PoincareBall(lift=Clip(0.3))), "largest of the space"),
        (lambda: Triplet(6, margin=-0.1), "margin"),
        (lambda: Triplet(6, margin=math.inf), "margin"),
        (lambda: Triplet(6, margin=math.pi), r"margin.*3\.142"),
        (lambda: GaussianKL(6, margin=-1.0), "margin"),
        (lambda: GaussianKL(6, margin=5.0), r"largest divergence.*4\.935"),
        (lambda: GaussianKL(6, spread=0.0), "spread"),
        (lambda: GaussianKL(6, spread_floor=2.0), "spread_floor must be below"),
        (lambda: GaussianKL(6, margin=2.0, learn_variance=True), "spread of 2"),
        (lambda: contrastive_hinge_losses(*pairs(), m_same=2.0), "m_same"),
        (lambda: gaussian_kl_losses(*pairs(), spread=-1.0), "spread"),
        (lambda: triplet_losses(*[torch.ones(2, 3)] * 3, margin=4.0), "margin"),
        (lambda: Triplet(0), "dim"),
    ],
)
def test_constructor__refuses_numbers_outside_their_meaning(build: Callable[[], object], cause: str) -> None:
    with pytest.raises(InputError, match=cause):
        build()


def test_constructor__refuses_an_unknown_mining_with_the_nearest() -> None:
    for cls in HINGES.values():
        with pytest.raises(UnknownNameError, match="semi_hard"):
            cls(6, mining="semihard")


def test_euclidean_margins__have_no_upper_limit() -> None:
    embeddings, speakers = random_batch()
    for loss in (
        Triplet(5, margin=500.0, space=Euclidean()),
        ContrastiveHinge(5, m_different=500.0, space=Euclidean()),
        GaussianKL(5, margin=500.0, space=Euclidean()),
    ):
        loss.set_margin_scale(100.0)
        assert loss(embeddings, speakers).value > 100


def pairs() -> tuple[Tensor, Tensor, Tensor]:
    return torch.ones(2, 3), torch.ones(2, 3), torch.tensor([True, False])


def test_pair_functions__refuse_pairs_that_are_none() -> None:
    x, y, same = pairs()
    for function in (contrastive_hinge_losses, gaussian_kl_losses):
        for arguments, cause in [
            ((x, y[:1], same), "one shape"),
            ((x, y, same.long()), "boolean"),
            ((x, y, same[:1]), "boolean"),
            ((x.long(), y, same), "x must be"),
            ((x, y[0], same), "y must be"),
        ]:
            with pytest.raises(InputError, match=cause):
                function(*arguments)
    for arguments, cause in [((x, x, x[:1]), "negative"), ((x, x.long(), x), "positive"), ((x[0], x, x), "anchor")]:
        with pytest.raises(InputError, match=cause):
            triplet_losses(*arguments)

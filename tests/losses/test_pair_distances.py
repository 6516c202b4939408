"""Distances within a batch: the hand-written way back, few pairs by direct difference, nothing of three axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, Clip, Euclidean, ExpMap, Hypersphere, PoincareBall, SoftClip, self_distance
from curvox.losses import AbstractLoss
from curvox.losses.pairs import hinge
from curvox.losses.pairs.contrastive_hinge import ContrastiveHinge
from curvox.losses.pairs.gaussian_kl import GaussianKL
from curvox.losses.pairs.mining import positive_pairs
from curvox.losses.pairs.pairs import mining_distances, same_pairs, shares, sums_over_triplets
from curvox.losses.pairs.supervised_contrastive import SupervisedContrastive
from curvox.losses.pairs.triplet import Triplet

SPACES: dict[str, Callable[[], AbstractSpace]] = {
    "euclidean": Euclidean,
    "hypersphere": Hypersphere,
    "ball": lambda: PoincareBall(c=0.7, lift=Clip(0.9)),
    "exp_map": lambda: PoincareBall(lift=ExpMap(0.3)),
    "learnt c": lambda: PoincareBall(c=0.4, lift=SoftClip(), learn_c=True),
}
in_every_space = pytest.mark.parametrize("space", SPACES)


def embeddings(items: int = 7, *, seed: int = 0) -> Tensor:
    return torch.randn(items, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@in_every_space
def test_self_distance__has_value_and_gradients_of_pairwise_distance(space: str) -> None:
    built = SPACES[space]().double()
    weights = torch.randn(7, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights.fill_diagonal_(0.0)  # the expansion leaves noise there
    found = []
    for compute in (lambda x: self_distance(x, built), lambda x: built.pairwise_distance(x, x)):
        built.zero_grad()
        leaf = embeddings().requires_grad_()
        distances = compute(built.project(leaf))
        (distances * weights).sum().backward()
        gradients = [parameter.grad for parameter in built.parameters()]
        found.append([distances.detach().fill_diagonal_(0.0), leaf.grad, *gradients])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


@in_every_space
def test_self_distance__has_the_gradient_of_finite_differences(space: str) -> None:
    built = SPACES[space]().double()
    off_diagonal = ~torch.eye(5, dtype=torch.bool)
    names = [name for name, _ in built.named_parameters()]

    def distances(z: Tensor, *parameters: Tensor) -> Tensor:
        class Both(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.space = built

            def forward(self, raw: Tensor) -> Tensor:
                return self_distance(self.space.project(raw), self.space)[off_diagonal]

        named = {f"space.{name}": parameter for name, parameter in zip(names, parameters, strict=True)}
        return torch.func.functional_call(Both(), named, (z,))

    inputs = [embeddings(5), *(parameter.detach().clone() for parameter in built.parameters())]
    assert torch.autograd.gradcheck(distances, tuple(tensor.requires_grad_() for tensor in inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@in_every_space
def test_self_distance__of_coincident_opposite_and_zero_vectors_is_finite(space: str, dtype: torch.dtype) -> None:
    built = SPACES[space]().to(dtype)
    axis = torch.eye(5, dtype=dtype)
    leaf = torch.stack([axis[0], axis[0], -axis[0], 0 * axis[0], 1e4 * axis[1], 1e-12 * axis[2]]).requires_grad_()
    distances = self_distance(built.project(leaf), built)
    distances.sum().backward()
    assert torch.isfinite(distances).all()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()
    assert distances[0, 1] == 0
    if space == "hypersphere":
        assert distances[0, 2].item() == pytest.approx(math.pi)
        assert leaf.grad[0].abs().max() < 10


@in_every_space
@pytest.mark.parametrize("learnt", [False, True])
def test_all_pairs__give_the_same_whether_few_or_many_are_active(
    space: str, learnt: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way through all distances and the way through the active ones alone: values, gradients, log."""
    speakers = torch.arange(16) % 5
    for build in (
        lambda: ContrastiveHinge(5, m_different=2.5, space=SPACES[space]()),
        lambda: GaussianKL(5, margin=0.9, spread=2.0, learn_variance=learnt, spread_floor=1.5, space=SPACES[space]()),
    ):
        found = []
        for threshold in (0, 1000):
            monkeypatch.setattr(hinge, "MANY_ACTIVE", threshold)
            loss = build().double()
            leaf = embeddings(16).requires_grad_()
            output = loss(leaf, speakers)
            (output.per_item * torch.arange(16)).sum().backward()
            gradients = [parameter.grad for parameter in loss.parameters()]
            found.append([output.per_item, *output.parts.values(), leaf.grad, *gradients])
        assert found[0][5] > 0, "some different-speaker pairs are active"
        for many, few in zip(*found, strict=True):
            torch.testing.assert_close(many, few, rtol=1e-7, atol=1e-10)


def test_positive_pairs__equal_a_loop() -> None:
    for seed in range(5):
        speakers = torch.randint(-2, 5, (13,), generator=torch.Generator().manual_seed(seed))
        anchors, positives = positive_pairs(speakers)
        expected = [(i, j) for i, j in itertools.product(range(13), repeat=2) if i != j and speakers[i] == speakers[j]]
        assert list(zip(anchors.tolist(), positives.tolist(), strict=True)) == expected
    assert [len(rows) for rows in positive_pairs(torch.arange(4))] == [0, 0]
    assert [len(rows) for rows in positive_pairs(torch.tensor([3]))] == [0, 0]


def test_same_pairs__are_each_pair_once_or_refused() -> None:
    pairs = same_pairs(torch.tensor([0, 1, 0, 0, 1]))
    first, second = pairs.once
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 2), (0, 3), (1, 4), (2, 3)]
    for speakers in (torch.arange(4), torch.zeros(4, dtype=torch.long), torch.tensor([2])):
        with pytest.raises(InputError, match="recordings_per_speaker"):
            same_pairs(speakers)


@in_every_space
def test_mining_distances__keep_the_order_of_distances(space: str) -> None:
    built = SPACES[space]().double()
    points = built.project(embeddings(9)).detach()
    pairs = same_pairs(torch.arange(9) % 4)
    exact = torch.stack([built.distance(points[i], points) for i in range(9)])
    upper = torch.triu_indices(9, 9, 1)
    for mining in ("semi_hard", "hardest", "distance_weighted"):
        found = mining_distances(mining, points, pairs, built)
        order = found[upper[0], upper[1]].argsort()
        assert torch.equal(order, exact[upper[0], upper[1]].argsort())
    torch.testing.assert_close(found.fill_diagonal_(0.0), exact.fill_diagonal_(0.0), rtol=1e-9, atol=1e-12)


def test_sums_over_triplets__equal_a_loop_with_its_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    anchors = torch.tensor([0, 0, 1, 3, 3, 3, 3])
    bounds = torch.rand(7, generator=generator, dtype=torch.float64)
    rivals = torch.rand(4, 4, generator=generator, dtype=torch.float64)
    rivals[1, 2] = math.inf
    sums, active = sums_over_triplets(bounds, rivals, anchors)
    expected, count = [0.0] * 4, 0
    for bound, anchor in zip(bounds.tolist(), anchors.tolist(), strict=True):
        gaps = [bound - rival for rival in rivals[anchor].tolist()]
        expected[anchor] += sum(gap for gap in gaps if gap > 0)
        count += sum(gap > 0 for gap in gaps)
    assert sums.tolist() == pytest.approx(expected)
    assert active == count
    rivals[1, 2] = 5.0
    inputs = (bounds.requires_grad_(), rivals.requires_grad_())
    assert torch.autograd.gradcheck(lambda b, r: sums_over_triplets(b, r, anchors)[0], inputs)


def test_shares__keep_the_mean() -> None:
    terms = torch.tensor([1.0, 2.0, 6.0])
    given = shares(terms, torch.tensor([0, 0, 3]), torch.tensor([1, 3, 4]), items=5)
    assert given.mean() == terms.mean()
    assert given.tolist() == pytest.approx([2.5, 5 / 6, 0.0, 20 / 3, 5.0])
    assert shares(terms[:0], torch.arange(0), items=3).tolist() == [0.0, 0.0, 0.0]


class _LargestTensor(TorchDispatchMode):
    """Remembers the largest tensor that any operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


@pytest.mark.parametrize("build", [ContrastiveHinge, GaussianKL, Triplet])
@pytest.mark.parametrize("mining", ["all", "semi_hard", "hardest", "distance_weighted"])
def test_pair_losses__never_build_a_block_of_three_axes(build: Callable[..., AbstractLoss], mining: str) -> None:
    """120 recordings of 40 speakers, D = 32: (B, B) is 14,400, and same-speaker pairs by D are 7,680."""
    batch = torch.randn(120, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with _LargestTensor() as largest:
        build(32, mining=mining)(batch, torch.arange(120) % 40).value.backward()
    assert 120 * 120 <= largest.elements <= 2 * 120 * 120


@in_every_space
def test_supervised_contrastive__never_builds_a_block_of_three_axes(space: str) -> None:
    batch = torch.randn(120, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with _LargestTensor() as largest:
        loss = SupervisedContrastive(32, space=SPACES[space]())
        loss(batch, torch.arange(120) % 40).value.backward()
    assert largest.elements <= 2 * 120 * 120

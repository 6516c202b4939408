"""Values of ContrastiveHinge, GaussianKL and Triplet: fifty-digit references, slow loops, pytorch-metric-learning."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from pair_oracles import SPACES, distances, random_batch
from torch import Tensor

from curvox.geometry import Euclidean, Hypersphere
from curvox.losses import AbstractLoss
from curvox.losses.pairs.contrastive_hinge import ContrastiveHinge, contrastive_hinge_losses
from curvox.losses.pairs.gaussian_kl import GaussianKL, gaussian_divergence, gaussian_kl_losses
from curvox.losses.pairs.mining import mine_pairs, mine_triplets
from curvox.losses.pairs.triplet import Triplet, triplet_losses

# a small fixed case, with its values computed once in 50-digit arithmetic
EMBEDDINGS = [
    [-0.512, 1.023, -0.452],
    [-0.63, -1.86, -0.427],
    [2.224, 0.848, 2.074],
    [0.498, 0.79, 0.371],
    [-3.332, 1.711, 1.013],
]
PAIRS = ([0, 0, 1, 2], [4, 1, 2, 3])
SAME = torch.tensor([True, False, False, False])
PRECISION = {torch.float64: 1e-10, torch.float32: 1e-4}
in_every_space = pytest.mark.parametrize("space", SPACES)


@pytest.mark.parametrize("dtype", PRECISION)
def test_pair_functions__equal_the_fifty_digit_values(dtype: torch.dtype) -> None:
    z = torch.tensor(EMBEDDINGS, dtype=dtype)
    x, y = z[PAIRS[0]], z[PAIRS[1]]
    hinge = contrastive_hinge_losses(x, y, SAME, m_same=0.5, m_different=4.0, space=Euclidean())
    assert hinge.mean().item() == pytest.approx(1.3601292556857538, rel=PRECISION[dtype])
    # the mean of |x - y|^2 / (2 0.1^2) over these pairs is 581.4304625: here over D, and with the spread for σ = 0.1
    kl = gaussian_kl_losses(x, y, torch.ones(4, dtype=torch.bool), spread=0.1 * math.sqrt(3), space=Euclidean())
    assert 3 * kl.mean().item() == pytest.approx(581.4304625, rel=PRECISION[dtype])
    losses = triplet_losses(z[[0, 0, 0]], z[[4, 4, 4]], z[1:4], margin=1.0, space=Euclidean())
    assert losses.mean().item() == pytest.approx(1.6058182439856983, rel=PRECISION[dtype])


def pair_loop(terms: list[tuple[int, int, bool, float]], items: int) -> np.ndarray:
    """Shares of each item: terms of each kind weigh as much as the others of the kind, halves go to both items."""
    per_item = np.zeros(items)
    for kind in (True, False):
        of_kind = [term for term in terms if term[2] == kind]
        for i, j, _, value in of_kind:
            for owner in (i, j):
                per_item[owner] += items * value / (2 * len(of_kind))
    return per_item


def looped_pairs(mining: str, embeddings: Tensor, speakers: Tensor, space: str) -> list[tuple[int, int, bool, float]]:
    d = distances(embeddings, space)
    if mining == "all":
        pairs = list(itertools.combinations(range(len(speakers)), 2))
    else:
        mined = mine_pairs(mining, torch.tensor(d), speakers)
        pairs = list(zip(mined.first.tolist(), mined.second.tolist(), strict=True))
    return [(i, j, bool(speakers[i] == speakers[j]), d[i, j]) for i, j in pairs]


@in_every_space
@pytest.mark.parametrize("mining", ["all", "semi_hard", "hardest"])
@pytest.mark.parametrize("seed", range(2))
def test_contrastive_hinge__equals_a_slow_loop(space: str, mining: str, seed: int) -> None:
    embeddings, speakers = random_batch(seed)
    low, high = 0.4, 1.7
    terms = [
        (i, j, same, max(0.0, d - low) if same else max(0.0, high - d))
        for i, j, same, d in looped_pairs(mining, embeddings, speakers, space)
    ]
    loss = ContrastiveHinge(5, m_same=low, m_different=high, space=SPACES[space](), mining=mining)
    found = loss(embeddings, speakers)
    np.testing.assert_allclose(found.per_item.numpy(), pair_loop(terms, 9), rtol=1e-10, atol=1e-12)
    kinds = [[value for *_, same, value in terms if same == kind] for kind in (True, False)]
    assert found.value.item() == pytest.approx(sum(np.mean(kind) for kind in kinds))
    for name, kind in zip(("same", "different"), kinds, strict=True):
        assert found.parts[f"{name}_pairs"] == len(kind)
        assert found.parts[f"{name}_active"].item() == pytest.approx(np.mean(np.array(kind) > 0), rel=1e-6)


def log_variance(embeddings: Tensor, loss: GaussianKL) -> list[float]:
    assert loss.weight is not None
    assert loss.bias is not None
    low, high = math.log(loss.spread_floor**2), math.log(loss.spread_ceiling**2)
    weight, bias = loss.weight.detach().numpy(), loss.bias.item()
    return [low + (high - low) / (1 + math.exp(-(weight @ z / math.sqrt(5) + bias))) for z in embeddings.numpy()]


@in_every_space
@pytest.mark.parametrize("mining", ["all", "hardest"])
@pytest.mark.parametrize("learnt", [False, True])
def test_gaussian_kl__equals_a_slow_loop(space: str, mining: str, learnt: bool) -> None:
    embeddings, speakers = random_batch()
    loss = GaussianKL(
        5, margin=0.4, spread=0.8, learn_variance=learnt, spread_floor=0.3, spread_ceiling=1.1,
        space=SPACES[space](), mining=mining,
    ).double()  # fmt: skip
    if learnt:
        with torch.no_grad():
            loss.get_parameter("weight").copy_(torch.tensor([0.5, -1.0, 0.3, 0.0, 2.0]))
            loss.get_parameter("bias").fill_(0.2)
        spreads = [math.exp(0.5 * log) for log in log_variance(embeddings, loss)]
    else:
        spreads = [0.8] * 9
    terms = []
    for i, j, same, d in looped_pairs(mining, embeddings, speakers, space):
        a, b = spreads[i] ** 2, spreads[j] ** 2
        # of N(0, a/D I) against N(d, b/D I) over D, both ways
        forth, back = (0.5 * (p / q - 1 + math.log(q / p) + d * d / q) for p, q in ((a, b), (b, a)))
        divergence = (forth + back) / 2
        terms.append((i, j, same, divergence if same else max(0.0, 0.4 - divergence)))
    found = loss(embeddings, speakers)
    np.testing.assert_allclose(found.per_item.detach().numpy(), pair_loop(terms, 9), rtol=1e-9, atol=1e-12)


def test_gaussian_divergence__is_that_of_torch_distributions() -> None:
    """Over D, of two isotropic normal distributions in D dimensions, averaged over both directions."""
    torch.manual_seed(0)
    for dim in (1, 3, 192):
        x, y = torch.randn(2, dim, dtype=torch.float64)
        a, b = torch.rand(2, dtype=torch.float64) + 0.3
        p, q = (
            torch.distributions.MultivariateNormal(mean, torch.eye(dim, dtype=torch.float64) * spread**2 / dim)
            for mean, spread in ((x, a), (y, b))
        )
        both = torch.distributions.kl_divergence(p, q) + torch.distributions.kl_divergence(q, p)
        found = gaussian_divergence((x - y).norm(), 2 * a.log(), 2 * b.log())
        torch.testing.assert_close(found, both / (2 * dim))


@in_every_space
@pytest.mark.parametrize("mining", ["all", "semi_hard", "hardest"])
@pytest.mark.parametrize("seed", range(2))
def test_triplet__equals_a_slow_loop(space: str, mining: str, seed: int) -> None:
    embeddings, speakers = random_batch(seed)
    d = distances(embeddings, space)
    mined = mine_triplets(mining, torch.tensor(d), speakers)
    per_item, values, pairs = np.zeros(9), [], []
    for a, p, n in zip(mined.anchor.tolist(), mined.positive.tolist(), mined.negative.tolist(), strict=True):
        values.append(max(0.0, d[a, p] - d[a, n] + 0.3))
        per_item[a] += 9 / mined.kept * values[-1]
        pairs.append((d[a, p], d[a, n]))
    found = Triplet(5, margin=0.3, space=SPACES[space](), mining=mining)(embeddings, speakers)
    np.testing.assert_allclose(found.per_item.numpy(), per_item, rtol=1e-10, atol=1e-12)
    assert found.value.item() == pytest.approx(np.mean(values))
    assert found.parts["triplets"] == mined.kept
    assert found.parts["active"].item() == pytest.approx(np.mean(np.array(values) > 0))
    if mining != "all":
        means = [found.parts[name].item() for name in ("same_distance", "different_distance")]
        assert means == pytest.approx(np.mean(pairs, axis=0))


# pytorch-metric-learning


def value_and_gradient(loss: AbstractLoss, embeddings: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor]:
    leaf = embeddings.clone().requires_grad_()
    output = loss(leaf, speakers)
    output.value.backward()
    assert leaf.grad is not None
    return output.value.detach(), leaf.grad


def big_batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(2)
    speakers = torch.arange(40) % 11
    return torch.randn(11, 6, dtype=torch.float64)[speakers] + torch.randn(40, 6, dtype=torch.float64), speakers


@pytest.mark.parametrize("mining", ["all", "hardest"])
def test_triplet__equals_pytorch_metric_learning(mining: str) -> None:
    from pytorch_metric_learning import distances as foreign_distances
    from pytorch_metric_learning import losses, miners, reducers

    embeddings, speakers = big_batch()
    distance = foreign_distances.LpDistance(normalize_embeddings=False)
    theirs = losses.TripletMarginLoss(0.5, distance=distance, reducer=reducers.MeanReducer())
    miner = miners.BatchHardMiner(distance=distance)
    leaf = embeddings.clone().requires_grad_()
    expected = theirs(leaf, speakers, miner(leaf, speakers) if mining == "hardest" else None)
    expected.backward()
    loss = Triplet(6, margin=0.5, space=Euclidean(), mining=mining)
    value, gradient = value_and_gradient(loss, embeddings, speakers)
    torch.testing.assert_close(value, expected.detach(), rtol=1e-9, atol=0)
    torch.testing.assert_close(gradient, leaf.grad, rtol=1e-7, atol=1e-12)


def test_contrastive_hinge__equals_pytorch_metric_learning() -> None:
    from pytorch_metric_learning import distances as foreign_distances
    from pytorch_metric_learning import losses, reducers

    embeddings, speakers = big_batch()
    distance = foreign_distances.LpDistance(normalize_embeddings=False)
    theirs = losses.ContrastiveLoss(1, 3, distance=distance, reducer=reducers.MeanReducer())
    leaf = embeddings.clone().requires_grad_()
    expected = theirs(leaf, speakers)
    expected.backward()
    loss = ContrastiveHinge(6, m_same=1.0, m_different=3.0, space=Euclidean())
    value, gradient = value_and_gradient(loss, embeddings, speakers)
    torch.testing.assert_close(value, expected.detach(), rtol=1e-9, atol=0)
    torch.testing.assert_close(gradient, leaf.grad, rtol=1e-7, atol=1e-12)


def test_triplet__of_angles_equals_pytorch() -> None:
    """torch.nn's own triplet loss with a distance function."""
    torch.manual_seed(0)
    a, p, n = torch.randn(3, 20, 6, dtype=torch.float64)

    def angle(x: Tensor, y: Tensor) -> Tensor:
        return torch.nn.functional.cosine_similarity(x, y).acos()

    expected = torch.nn.functional.triplet_margin_with_distance_loss(
        a, p, n, distance_function=angle, margin=0.4, reduction="none"
    )
    torch.testing.assert_close(triplet_losses(a, p, n, margin=0.4, space=Hypersphere()), expected)

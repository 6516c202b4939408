"""The two specimens fail in the way that is told of them, and keep the contract all the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from curvox.losses import AbstractLoss
from curvox.losses.pairs.contrastive_hinge import ContrastiveHinge
from curvox.losses.pairs.gaussian_kl import GaussianKL
from curvox.testing.loss_contract import CHECKS
from curvox.testing.specimens import (
    GaussianKLAsGiven,
    HingeAsGiven,
    gaussian_kl_as_given_losses,
    hinge_as_given_losses,
)

FACTORIES = {
    "hinge": lambda dim, speakers: HingeAsGiven(dim),
    "kl": lambda dim, speakers: GaussianKLAsGiven(dim),
}
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


def gradient(loss: AbstractLoss, embeddings: Tensor, speakers: Tensor) -> Tensor:
    leaf = embeddings.clone().requires_grad_()
    loss(leaf, speakers).value.backward()
    assert leaf.grad is not None
    return leaf.grad


def trained(loss: AbstractLoss, *, steps: int = 150) -> tuple[Tensor, Tensor, float]:
    """Embeddings of six speakers, three recordings each, moved by a loss alone."""
    torch.manual_seed(0)
    leaf = torch.randn(18, 6, dtype=torch.float64).requires_grad_()
    speakers = torch.arange(18) % 6
    optimiser = torch.optim.Adam([leaf], lr=0.04)
    value = math.nan
    for _ in range(steps):
        optimiser.zero_grad()
        output = loss(leaf, speakers)
        output.value.backward()
        optimiser.step()
        value = output.value.item()
    return leaf.detach(), speakers, value


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("specimen", FACTORIES)
def test_specimen__keeps_the_contract(specimen: str, check: str) -> None:
    CHECKS[check](FACTORIES[specimen])


@pytest.mark.parametrize("dtype", PRECISION)
def test_specimen__equals_the_fifty_digit_value(dtype: torch.dtype) -> None:
    embeddings = torch.tensor(EMBEDDINGS, dtype=dtype)
    x, y = embeddings[PAIRS[0]], embeddings[PAIRS[1]]
    hinge = hinge_as_given_losses(x, y, SAME, margin=1.0).mean().item()
    assert hinge == pytest.approx(0.66441666666666666, rel=PRECISION[dtype])
    divergence = gaussian_kl_as_given_losses(x, y, SAME, sigma=0.1).mean().item()
    assert divergence == pytest.approx(581.4304625, rel=PRECISION[dtype])


def test_specimen__of_a_batch_is_the_mean_over_its_pairs() -> None:
    torch.manual_seed(0)
    embeddings, speakers = torch.randn(7, 5, dtype=torch.float64), torch.tensor([0, 1, 0, 2, 1, 0, 3])
    pairs = [(i, j) for i in range(7) for j in range(i)]
    z = embeddings.numpy()
    hinge, divergence = [], []
    for i, j in pairs:
        apart = float(np.mean(np.abs(z[i] - z[j])))
        hinge.append(max(0.0, 0.7 + apart if speakers[i] == speakers[j] else 0.7 - apart))
        divergence.append(float(np.sum((z[i] - z[j]) ** 2)) / (2 * 0.2**2))
    assert HingeAsGiven(5, margin=0.7)(embeddings, speakers).value.item() == pytest.approx(np.mean(hinge))
    assert GaussianKLAsGiven(5, sigma=0.2)(embeddings, speakers).value.item() == pytest.approx(np.mean(divergence))


def test_hinge_as_given__reports_its_margin_when_all_is_solved() -> None:
    """Speakers coincide and lie far apart: nothing is left to do, and the loss of same-speaker pairs is m."""
    speakers = torch.arange(6) % 3
    solved = 100.0 * torch.eye(3)[speakers]
    same = torch.ones(3, dtype=torch.bool)
    assert torch.equal(hinge_as_given_losses(solved[:3], solved[3:], same, margin=0.8), torch.full((3,), 0.8))
    pairs, of_one_speaker = 6 * 5 / 2, 3
    value = HingeAsGiven(3, margin=0.8)(solved, speakers).value.item()
    assert value == pytest.approx(0.8 * of_one_speaker / pairs)
    assert ContrastiveHinge(3)(solved, speakers).value.item() == 0.0


def test_hinge_as_given__never_stops_pulling() -> None:
    """The gradient on a same-speaker pair is as long at a distance of 1e-6 as at 1."""
    lengths = []
    for apart in (1.0, 1e-3, 1e-6):
        x = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
        y = torch.full((1, 4), apart, dtype=torch.float64)
        hinge_as_given_losses(x, y, torch.tensor([True])).sum().backward()
        assert x.grad is not None
        lengths.append(x.grad.norm().item())
    assert lengths == pytest.approx([0.5, 0.5, 0.5])


def test_gaussian_kl_as_given__has_the_same_gradient_for_both_labels() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2, 6, 5, dtype=torch.float64)
    gradients = []
    for same in (True, False):
        leaf = x.clone().requires_grad_()
        gaussian_kl_as_given_losses(leaf, y, torch.full((6,), same)).sum().backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad.flatten())
    cosine = torch.nn.functional.cosine_similarity(gradients[0], gradients[1], dim=0)
    assert cosine.item() == pytest.approx(1.0, abs=1e-12)
    assert torch.equal(*gradients)


def test_gaussian_kl_as_given__is_blind_to_who_is_who() -> None:
    torch.manual_seed(0)
    embeddings = torch.randn(8, 5, dtype=torch.float64)
    loss = GaussianKLAsGiven(5)
    right, wrong = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]), torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    torch.testing.assert_close(gradient(loss, embeddings, right), gradient(loss, embeddings, wrong))
    sound = GaussianKL(5)
    assert not torch.allclose(gradient(sound, embeddings, right), gradient(sound, embeddings, wrong))


def test_gaussian_kl_as_given__collapses_where_the_sound_one_separates() -> None:
    embeddings, speakers, value = trained(GaussianKLAsGiven(6))
    spread = torch.cdist(embeddings, embeddings).max()
    assert value < 1.0
    assert spread < 0.1
    loss = GaussianKL(6)
    embeddings, speakers, value = trained(loss)
    parts = loss(embeddings, speakers).parts
    assert parts["same_distance"] < 0.2
    assert parts["different_distance"] > 1.2

"""What is measured of a loss, against loops and losses whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from curvox.diagnosis import adapt
from curvox.diagnosis.probes.loss import (
    auc_of_distances,
    collapsed_scene,
    descend,
    measure_loss,
    random_scene,
    regrouped,
    respond,
    respond_to_labels,
    rests,
    simplex,
    solved_scene,
)
from curvox.losses import AMSoftmax, ContrastiveHinge, Triplet
from curvox.testing.specimens import GaussianKLAsGiven, HingeAsGiven


def _random(dim: int = 8, seed: int = 1):
    return random_scene(dim, speakers=8, recordings=4, length=math.sqrt(dim), seed=seed)


@pytest.mark.parametrize(("points", "dim"), [(2, 1), (3, 8), (8, 7), (8, 32)])
def test_simplex__has_equal_cosines(points: int, dim: int) -> None:
    cosines = simplex(points, dim).double() @ simplex(points, dim).double().T
    off = cosines[~torch.eye(points, dtype=torch.bool)]
    assert torch.allclose(off, torch.full_like(off, -1.0 / (points - 1)), atol=1e-5)


def test_simplex__with_too_few_dimensions_spreads_out() -> None:
    directions = simplex(4, 2)
    closest = float((directions @ directions.T).fill_diagonal_(-1.0).max())
    assert closest < 0.2  # a square has 0


def test_auc__matches_brute_force() -> None:
    generator = torch.Generator().manual_seed(0)
    same, different = (torch.randint(0, 9, (n,), generator=generator).float() for n in (23, 41))
    wins = [1.0 if s < d else 0.5 if s == d else 0.0 for s in same for d in different]
    assert auc_of_distances(same, different) == pytest.approx(sum(wins) / len(wins))


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2], [3, 1, 3, 1], [0] * 4 + [1] * 4 + [2] * 4])
def test_regrouped__keeps_the_counts_and_splits_the_pairs(labels: list[int]) -> None:
    speakers = torch.tensor(labels)
    other = regrouped(speakers)
    assert other.sort().values.tolist() == speakers.sort().values.tolist()
    same = speakers[:, None] == speakers[None, :]
    kept = (same & (other[:, None] == other[None, :])).sum() - len(labels)
    assert kept < same.sum() - len(labels)


def test_respond__is_the_derivative_by_finite_differences() -> None:
    loss, scene = Triplet(3, mining="all").double(), _random(3)
    raw = scene.raw[:8].double()
    speakers = scene.speakers[:8]
    found = respond(loss, raw, speakers)
    step = torch.zeros_like(raw)
    step[2, 1] = 1e-6
    slope = (float(loss(raw + step, speakers).value) - float(loss(raw - step, speakers).value)) / 2e-6
    assert float(found.gradient[2, 1]) == pytest.approx(slope, rel=1e-4)
    assert found.relative == pytest.approx(
        sum(float(g.norm() * z.norm()) for g, z in zip(found.gradient, raw, strict=True))
    )


def test_respond__leaves_gradients_and_chance_alone() -> None:
    loss, scene = AMSoftmax(8, 8), _random()
    state = torch.get_rng_state()
    respond(loss, scene.raw, scene.speakers)
    assert loss.centres.grad is None
    assert torch.equal(torch.get_rng_state(), state)


def test_labels__make_no_difference_to_the_symmetric_divergence_and_one_to_others() -> None:
    scene = _random()
    blind = respond_to_labels(GaussianKLAsGiven(8), scene.raw, scene.speakers)
    assert blind.cosine == pytest.approx(1.0)
    assert blind.difference < 1e-6
    assert respond_to_labels(ContrastiveHinge(8), scene.raw, scene.speakers).difference > 0.3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_descent__separates_with_a_sound_loss_and_gathers_with_a_blind_one(seed: int) -> None:
    sound, blind = descend(ContrastiveHinge(8), _random(seed=seed)), descend(GaussianKLAsGiven(8), _random(seed=seed))
    assert sound.auc > 0.95
    assert blind.spread < 0.05
    assert 0.4 < blind.auc < 0.65


def test_descent__changes_neither_loss_nor_scene() -> None:
    loss, scene = AMSoftmax(8, 8), _random()
    before, raw = loss.centres.detach().clone(), scene.raw.clone()
    descend(loss, scene, steps=5)
    assert torch.equal(loss.centres, before)
    assert torch.equal(scene.raw, raw)


def test_rests__of_the_hinge_as_given_are_its_margin_times_the_share_of_same_speaker_pairs() -> None:
    left = rests(HingeAsGiven(8, margin=1.0))
    for count, value in left.solved.items():
        assert value == pytest.approx(1.0 / (2 * count - 1), rel=0.01)
    assert left.collapsed[8] == pytest.approx(1.0, rel=0.01)


def test_rests__of_sound_pair_losses_are_nothing() -> None:
    for loss in (ContrastiveHinge(8), Triplet(8)):
        assert max(rests(loss).solved.values()) < 1e-3


def test_scenes__are_what_they_say() -> None:
    solved, collapsed = (make(8, speakers=4, recordings=2) for make in (solved_scene, collapsed_scene))
    distance = torch.cdist(solved.raw, solved.raw)
    same = solved.speakers[:, None] == solved.speakers[None, :]
    assert distance[same].max() < 1e-3 < 1.0 < distance[~same].min()
    assert torch.cdist(collapsed.raw, collapsed.raw).max() < 1e-3


def test_refusals__are_kept_with_their_reason() -> None:
    def picky(x: Tensor, y: Tensor, same: Tensor) -> Tensor:
        raise ValueError("only on Mondays")

    measures = measure_loss(adapt(picky, takes="pairs, same", dim=8), _random().raw)
    assert measures.at_random is None
    assert any("only on Mondays" in refusal for refusal in measures.refusals)

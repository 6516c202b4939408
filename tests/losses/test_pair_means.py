"""Losses against speakers' means, and SupervisedContrastive: slow loops, pytorch-metric-learning, limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pair_oracles import DISTANCE, MEAN, SPACES, distances, placed, random_batch
from torch import Tensor

from curvox.errors import InputError, UnknownNameError
from curvox.geometry import Euclidean, Hypersphere
from curvox.losses import LossOutput
from curvox.losses.pairs.ge2e import GE2E
from curvox.losses.pairs.prototypical import AngularPrototypical, Prototypical, speaker_means
from curvox.losses.pairs.supervised_contrastive import SupervisedContrastive

in_every_space = pytest.mark.parametrize("space", SPACES)


def looped_distances(embeddings: Tensor, speakers: Tensor, space: str) -> dict[int, dict[int, float]]:
    """Of each recording whose speaker has others, its distance to every speaker's mean, left out of its own."""
    points, y = placed(embeddings, space), speakers.tolist()
    found: dict[int, dict[int, float]] = {}
    for i in range(len(y)):
        if y.count(y[i]) == 1:
            continue
        found[i] = {}
        for speaker in sorted(set(y)):
            rows = [j for j in range(len(y)) if y[j] == speaker and j != i]
            found[i][speaker] = DISTANCE[space](points[i], MEAN[space](points[rows]))
    return found


def looped_softmax(embeddings: Tensor, speakers: Tensor, space: str, score: object) -> np.ndarray:
    queries = looped_distances(embeddings, speakers, space)
    per_item = np.zeros(len(speakers))
    for i, row in queries.items():
        scores = {speaker: score(distance) for speaker, distance in row.items()}  # pyright: ignore
        total = math.log(sum(math.exp(value) for value in scores.values()))
        per_item[i] = (total - scores[int(speakers[i])]) * len(speakers) / len(queries)
    return per_item


def similarity(space: str, distance: float) -> float:
    return math.cos(distance) if space == "hypersphere" else -distance


def require_shares(found: LossOutput, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found.per_item.detach().numpy(), expected, rtol=1e-6, atol=1e-12)
    assert found.value.item() == pytest.approx(expected.mean(), rel=1e-6)


@in_every_space
@pytest.mark.parametrize("seed", range(2))
def test_prototypical__equals_a_slow_loop(space: str, seed: int) -> None:
    embeddings, speakers = random_batch(seed)
    expected = looped_softmax(embeddings, speakers, space, lambda d: -2.5 * d * d)
    require_shares(Prototypical(5, scale=2.5, space=SPACES[space]())(embeddings, speakers), expected)


@in_every_space
@pytest.mark.parametrize("seed", range(2))
def test_angular_prototypical__and_ge2e_equal_a_slow_loop(space: str, seed: int) -> None:
    embeddings, speakers = random_batch(seed)
    expected = looped_softmax(embeddings, speakers, space, lambda d: 4.0 * similarity(space, d) - 5.0)
    for cls in (AngularPrototypical, GE2E):
        loss = cls(5, scale=4.0, space=SPACES[space]()).double()
        require_shares(loss(embeddings, speakers), expected)


@in_every_space
def test_ge2e__contrast_equals_a_slow_loop(space: str) -> None:
    embeddings, speakers = random_batch()
    queries = looped_distances(embeddings, speakers, space)
    expected = np.zeros(9)
    for i, row in queries.items():
        chances = {k: 1 / (1 + math.exp(-(3.0 * similarity(space, d) + 1.0))) for k, d in row.items()}
        own = chances.pop(int(speakers[i]))
        expected[i] = (1 - own + max(chances.values())) * 9 / len(queries)
    loss = GE2E(5, variant="contrast", scale=3.0, offset=1.0, space=SPACES[space]()).double()
    require_shares(loss(embeddings, speakers), expected)


@in_every_space
def test_speaker_means__parts_are_those_of_the_distances(space: str) -> None:
    embeddings, speakers = random_batch()
    rows = looped_distances(embeddings, speakers, space)
    own = [row[int(speakers[i])] for i, row in rows.items()]
    rivals = [d for i, row in rows.items() for speaker, d in row.items() if speaker != speakers[i]]
    right = [min(row, key=row.__getitem__) == speakers[i] for i, row in rows.items()]
    parts = AngularPrototypical(5, space=SPACES[space]())(embeddings, speakers).parts
    assert parts["queries"] == len(rows) == 8
    assert parts["accuracy"].item() == pytest.approx(np.mean(right))
    assert parts["same_distance"].item() == pytest.approx(np.mean(own))
    assert parts["different_distance"].item() == pytest.approx(np.mean(rivals))


@in_every_space
def test_speaker_means__leaves_each_recording_out_of_its_own(space: str) -> None:
    embeddings, speakers = random_batch()
    space_object = SPACES[space]()
    points = placed(embeddings, space)
    found = speaker_means(space_object.project(embeddings), speakers, space_object)
    assert found.means.shape == (4, 5)
    for query, place, own in zip(found.queries.tolist(), found.place.tolist(), found.own.numpy(), strict=True):
        assert place == speakers[query]
        others = [j for j in range(9) if speakers[j] == speakers[query] and j != query]
        np.testing.assert_allclose(own, MEAN[space](points[others]), rtol=1e-9, atol=1e-12)
    assert sorted(found.queries.tolist()) == [0, 1, 2, 3, 4, 5, 7, 8]


# SupervisedContrastive


@in_every_space
@pytest.mark.parametrize("seed", range(2))
def test_supervised_contrastive__equals_a_slow_loop(space: str, seed: int) -> None:
    embeddings, speakers = random_batch(seed)
    d, y = distances(embeddings, space), speakers.tolist()
    expected = np.zeros(9)
    for a in range(9):
        positives = [p for p in range(9) if p != a and y[p] == y[a]]
        logits = {r: similarity(space, d[a, r]) / 0.4 for r in range(9) if r != a}
        total = math.log(sum(map(math.exp, logits.values())))
        if positives:
            expected[a] = np.mean([total - logits[p] for p in positives]) * 9 / 8
    require_shares(SupervisedContrastive(5, temperature=0.4, space=SPACES[space]())(embeddings, speakers), expected)


@pytest.mark.parametrize("name", ["SupConLoss", "NTXentLoss"])
def test_supervised_contrastive__equals_pytorch_metric_learning(name: str) -> None:
    """Two recordings a speaker: both say the same there."""
    from pytorch_metric_learning import losses

    torch.manual_seed(0)
    embeddings, speakers = torch.randn(20, 6, dtype=torch.float64), torch.arange(20) % 10
    leaf, other = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    expected = getattr(losses, name)(temperature=0.3)(leaf, speakers)
    expected.backward()
    found = SupervisedContrastive(6, temperature=0.3)(other, speakers).value
    found.backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(other.grad, leaf.grad, rtol=1e-6, atol=1e-10)


def test_supervised_contrastive__of_many_recordings_equals_pytorch_metric_learning() -> None:
    from pytorch_metric_learning import losses

    torch.manual_seed(0)
    embeddings, speakers = torch.randn(24, 6, dtype=torch.float64), torch.arange(24) % 6
    expected = losses.SupConLoss(temperature=0.2)(embeddings, speakers)
    torch.testing.assert_close(SupervisedContrastive(6, temperature=0.2)(embeddings, speakers).value, expected)


def test_supervised_contrastive__ends_at_the_log_of_the_other_positives() -> None:
    """Three recordings a speaker, all speakers solved and orthogonal: log 2, but for what is left of the rivals."""
    speakers = torch.arange(12) % 4
    solved = torch.eye(4, dtype=torch.float64)[speakers]
    loss = SupervisedContrastive(4, temperature=0.02)
    assert loss(solved, speakers).value.item() == pytest.approx(math.log(2), rel=1e-9)


# limits and refusals


@in_every_space
def test_softmax_losses__of_a_solved_batch_go_to_zero(space: str) -> None:
    speakers = torch.arange(12) % 4
    solved = 10.0 * torch.eye(4, dtype=torch.float64)[speakers]
    for loss in (Prototypical(4, scale=200.0, space=SPACES[space]()), GE2E(4, scale=200.0, space=SPACES[space]())):
        leaf = solved.clone().requires_grad_()
        output = loss.double()(leaf, speakers)
        output.value.backward()
        assert 0 <= output.value < 1e-12
        assert leaf.grad is not None
        assert leaf.grad.abs().max() < 1e-9


def test_scale__is_learnt_and_stays_above_zero() -> None:
    embeddings, speakers = random_batch()
    for loss in (AngularPrototypical(5), GE2E(5), GE2E(5, variant="contrast")):
        optimiser = torch.optim.SGD(loss.parameters(), lr=1.0)
        for _ in range(20):
            optimiser.zero_grad()
            loss(embeddings, -speakers).value.backward()
            optimiser.step()
        scale = loss.get_parameter("log_scale").exp()
        assert scale > 0
        assert scale != 10.0
    assert set(GE2E(5).state_dict()) == {"log_scale"}
    assert set(GE2E(5, variant="contrast").state_dict()) == {"log_scale", "offset"}


def test_constructors__refuse_bad_numbers() -> None:
    for wrong in (0.0, -1.0, math.nan, math.inf):
        for cls in (Prototypical, AngularPrototypical, GE2E):
            with pytest.raises(InputError, match="scale"):
                cls(5, scale=wrong)
        with pytest.raises(InputError, match="temperature"):
            SupervisedContrastive(5, temperature=wrong)
    for wrong in (math.nan, math.inf, True):
        with pytest.raises(InputError, match="offset"):
            GE2E(5, variant="contrast", offset=wrong)
    with pytest.raises(UnknownNameError, match="contrast"):
        GE2E(5, variant="contrastive")
    for cls in (Prototypical, AngularPrototypical, GE2E, SupervisedContrastive):
        assert isinstance(cls(5).space, Hypersphere)
        assert isinstance(cls(5, space=Euclidean()).space, Euclidean)

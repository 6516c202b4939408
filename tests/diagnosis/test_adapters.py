"""A loss of any signature is called as it was said to be called, and as nothing else."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from curvox.diagnosis import SIGNATURES, BatchLoss, adapt
from curvox.diagnosis.adapters import MOST_TRIPLETS, partner_rows, triplet_rows
from curvox.errors import InputError, UnknownNameError
from curvox.losses import Triplet

SPEAKERS = torch.tensor([0, 0, 1, 1, 2, 2])
RAW = torch.randn(6, 4, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("takes", "label"),
    [
        ("pairs, same", lambda same: float(same)),
        ("pairs, different", lambda same: float(not same)),
        ("pairs, sign", lambda same: 1.0 if same else -1.0),
    ],
)
def test_pairs__are_every_pair_once_with_the_label_asked_for(takes: str, label) -> None:
    def loss(x: Tensor, y: Tensor, labels: Tensor) -> Tensor:
        return (x - y).square().sum(-1) * labels

    pairs = itertools.combinations(range(6), 2)
    expected = [float((RAW[i] - RAW[j]).square().sum()) * label(bool(SPEAKERS[i] == SPEAKERS[j])) for i, j in pairs]
    value = adapt(loss, takes=takes, dim=4)(RAW, SPEAKERS).value
    assert float(value) == pytest.approx(sum(expected) / len(expected), rel=1e-5)


def test_triplets__are_those_of_three_nested_loops() -> None:
    expected = {
        (a, p, n)
        for a, p, n in itertools.product(range(6), repeat=3)
        if a != p and SPEAKERS[a] == SPEAKERS[p] and SPEAKERS[a] != SPEAKERS[n]
    }
    assert set(map(tuple, triplet_rows(SPEAKERS).T.tolist())) == expected
    assert triplet_rows(torch.arange(64) // 4).shape == (3, MOST_TRIPLETS)
    with pytest.raises(InputError, match="no triplet"):
        triplet_rows(torch.arange(4))


def test_partner_rows__are_two_recordings_of_each_speaker() -> None:
    first, second = partner_rows(torch.tensor([5, 7, 5, 7, 9]))
    assert {(0, 2), (1, 3)} == set(zip(first.tolist(), second.tolist(), strict=True))
    with pytest.raises(InputError, match="two speakers"):
        partner_rows(torch.tensor([0, 0, 1]))


def test_torch_losses__give_their_own_value() -> None:
    rows = triplet_rows(SPEAKERS)
    torchs = torch.nn.TripletMarginLoss(margin=0.7)
    expected = torchs(*(RAW[row] for row in rows))
    assert torch.allclose(adapt(torchs, takes="triplets", dim=4)(RAW, SPEAKERS).value, expected)


def test_parameters_of_a_module__become_those_of_the_adapted_loss() -> None:
    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, embeddings: Tensor, speakers: Tensor) -> Tensor:
            return self.weight * embeddings.square().mean(-1)

    loss = adapt(Scaled(), dim=4)
    assert [p.numel() for p in loss.parameters()] == [1]
    assert loss(RAW, SPEAKERS).per_item.shape == (6,)


def test_loss_of_curvox__is_returned_as_it_is() -> None:
    loss = Triplet(4)
    assert adapt(loss, dim=4) is loss
    with pytest.raises(InputError, match="leave"):
        adapt(loss, takes="triplets", dim=4)


def test_signature__is_never_guessed() -> None:
    with pytest.raises(UnknownNameError):
        adapt(lambda x: x, takes="pair", dim=4)
    with pytest.raises(InputError, match="name how it"):
        adapt(lambda x, y: (x - y).sum(), takes="pairs, same", dim=4)(RAW, SPEAKERS)
    assert len(SIGNATURES) == 6


@pytest.mark.parametrize("returned", [None, 3.0, torch.zeros(2, 2), torch.zeros(3, dtype=torch.int64)])
def test_result__must_be_a_scalar_or_one_value_a_row(returned: object) -> None:
    with pytest.raises(InputError, match="must return"):
        BatchLoss(lambda *_: returned, takes="embeddings, speakers", dim=4)(RAW, SPEAKERS)

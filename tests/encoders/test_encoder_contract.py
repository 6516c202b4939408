"""What every encoder of the table must keep."""

import pytest
import torch

from curvox.encoders import ENCODERS

SMALL = {"ecapa_tdnn": {"channels": 16, "aggregation_channels": 24}}


@pytest.fixture(params=list(ENCODERS))
def encoder(request: pytest.FixtureRequest) -> torch.nn.Module:
    torch.manual_seed(1)
    return ENCODERS.load(request.param)(n_mels=20, embedding_dim=9, **SMALL[request.param]).eval()


def test_encoder__gives_one_embedding_an_item(encoder: torch.nn.Module) -> None:
    assert encoder(torch.randn(3, 17, 20)).shape == (3, 9)
    assert encoder.embedding_dim == 9


def test_encoder__commutes_with_a_permutation_of_the_batch(encoder: torch.nn.Module) -> None:
    features, order = torch.randn(4, 17, 20), torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(encoder(features[order]), encoder(features)[order])


def test_encoder__gives_a_padded_item_what_it_gives_alone(encoder: torch.nn.Module) -> None:
    features = torch.randn(2, 17, 20)
    padded = encoder(features, torch.tensor([17, 9]))[1]
    torch.testing.assert_close(padded, encoder(features[1:, :9])[0], rtol=1e-5, atol=1e-5)


def test_encoder__survives_its_state_dict(encoder: torch.nn.Module) -> None:
    name = next(n for n in ENCODERS if ENCODERS.load(n) is type(encoder))
    other = ENCODERS.load(name)(n_mels=20, embedding_dim=9, **SMALL[name]).eval()
    other.load_state_dict(encoder.state_dict())
    features = torch.randn(2, 17, 20)
    torch.testing.assert_close(other(features), encoder(features), rtol=0, atol=0)

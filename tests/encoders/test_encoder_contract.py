"""What every encoder of the table must keep."""

from typing import Any

import pytest
import torch

from curvox.encoders import ENCODERS
from curvox.errors import InputError
from curvox.training.options import build_encoder

SMALL = {
    "ecapa_tdnn": {"channels": 16, "aggregation_channels": 24},
    "resnet34": {"channels": 4},
    "x_vector_tdnn": {"channels": 12, "pooling_channels": 20},
    "cam_plus_plus": {"front_channels": 4, "channels": 8, "growth": 4, "bottleneck": 8},
    "redimnet2": {"size": "B0"},
}
N_MELS = 24


def build(name: str) -> Any:
    """A small encoder whose normalisations have seen other data than they are given, in float64."""
    torch.manual_seed(1)
    encoder = build_encoder({"name": name, "embedding_dim": 9, **SMALL[name]}, N_MELS)
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.5, 1.5)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, std=0.3)
    return encoder.eval().double()


@pytest.fixture(params=list(ENCODERS))
def encoder(request: pytest.FixtureRequest) -> Any:
    return build(request.param)


def features(items: int, frames: int) -> torch.Tensor:
    return torch.randn(items, frames, N_MELS, dtype=torch.float64)


def test_encoder__gives_one_embedding_an_item(encoder: Any) -> None:
    assert encoder(features(3, 17)).shape == (3, 9)
    assert encoder.embedding_dim == 9


def test_encoder__commutes_with_a_permutation_of_the_batch(encoder: Any) -> None:
    batch, order = features(4, 17), torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(encoder(batch[order]), encoder(batch)[order])


def test_encoder__gives_a_padded_item_what_it_gives_alone(encoder: Any) -> None:
    lengths = [46, 45, 17, 9, encoder.minimum_frames]
    batch = features(len(lengths), 46)
    together = encoder(batch, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        torch.testing.assert_close(together[row], encoder(batch[row : row + 1, :length])[0], rtol=1e-8, atol=1e-8)


def test_encoder__gives_the_same_with_lengths_that_fill_the_batch(encoder: Any) -> None:
    batch = features(2, 18)
    torch.testing.assert_close(encoder(batch, torch.tensor([18, 18])), encoder(batch), rtol=0, atol=0)


def test_encoder__ignores_what_stands_in_the_padding(encoder: Any) -> None:
    batch = features(2, 30)
    changed = batch.clone()
    changed[1, 12:] = 1e3
    lengths = torch.tensor([30, 12])
    torch.testing.assert_close(encoder(batch, lengths), encoder(changed, lengths))


@pytest.mark.parametrize("lengths", [None, [20, 20, 5]])
def test_encoder__has_finite_gradients_for_all_weights_on_silence(encoder: Any, lengths: list[int] | None) -> None:
    silence = torch.zeros(3, 20, N_MELS, dtype=torch.float64, requires_grad=True)
    output = encoder.train()(silence, None if lengths is None else torch.tensor(lengths))
    (output * torch.randn_like(output)).sum().backward()
    gradients = [parameter.grad for parameter in encoder.parameters()]
    assert silence.grad is not None
    for gradient in [*gradients, silence.grad]:
        assert gradient is not None
        assert torch.isfinite(gradient).all()


def test_encoder__trains_on_padded_batches_without_hearing_the_padding(encoder: Any) -> None:
    batch = features(3, 24).requires_grad_()
    encoder.train()(batch, torch.tensor([24, 16, 8])).square().sum().backward()
    assert batch.grad is not None
    assert batch.grad[0].abs().sum() > 0
    assert not batch.grad[1, 16:].any()
    assert not batch.grad[2, 8:].any()


def test_encoder__refuses_fewer_frames_than_its_minimum(encoder: Any) -> None:
    least = encoder.minimum_frames
    assert torch.isfinite(encoder(features(1, least))).all()
    with pytest.raises(InputError, match=f"T of at least {least}"):
        encoder(features(1, least - 1))
    with pytest.raises(InputError, match=rf"must lie in {least}\.\.9"):
        encoder(features(2, 9), torch.tensor([9, least - 1]))


@pytest.mark.parametrize(
    ("shape", "lengths", "said"),
    [
        ((2, 9, N_MELS + 1), None, "features must be"),
        ((9, N_MELS), None, "features must be"),
        ((2, 9, N_MELS), [9], r"lengths_frames must be \(2,\)"),
        ((2, 9, N_MELS), [9, 10], r"must lie in \d\.\.9"),
    ],
)
def test_encoder__refuses_other_shapes(
    encoder: Any, shape: tuple[int, ...], lengths: list[int] | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        encoder(torch.zeros(shape), None if lengths is None else torch.tensor(lengths))


@pytest.mark.parametrize("name", list(ENCODERS))
def test_encoder__refuses_sizes_that_are_not_positive(name: str) -> None:
    for size in ("embedding_dim", *(key for key, value in SMALL[name].items() if isinstance(value, int))):
        with pytest.raises(InputError, match=f"{size} must be at least"):
            build_encoder({"name": name, **SMALL[name], size: 0}, N_MELS)
    with pytest.raises(InputError, match="n_mels must be at least"):
        build_encoder({"name": name, **SMALL[name]}, 0)


@pytest.mark.parametrize("name", list(ENCODERS))
def test_encoder__survives_its_state_dict(name: str) -> None:
    encoder = build(name)
    other = build_encoder({"name": name, "embedding_dim": 9, **SMALL[name]}, N_MELS).eval().double()
    other.load_state_dict(encoder.state_dict())
    batch = features(2, 17)
    torch.testing.assert_close(other(batch), encoder(batch), rtol=0, atol=0)

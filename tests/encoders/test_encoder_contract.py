"""The contract suite over the table of encoders; and what every constructor keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curvox.encoders import ENCODERS, AbstractEncoder
from curvox.errors import InputError
from curvox.testing import check_encoder
from curvox.testing.encoder_contract import CHECKS, DIM, N_MELS, EncoderFactory
from curvox.training import build_encoder

SMALL = {
    "ecapa_tdnn": {"channels": 16, "aggregation_channels": 24},
    "resnet34": {"channels": 4},
    "x_vector_tdnn": {"channels": 12, "pooling_channels": 20},
    "cam_plus_plus": {"front_channels": 4, "channels": 8, "growth": 4, "bottleneck": 8},
    "redimnet2": {"size": "B0"},
}


def factory_of(name: str) -> EncoderFactory:
    return lambda n_mels, dim: build_encoder({"name": name, "embedding_dim": dim, **SMALL[name]}, n_mels)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ENCODERS)
def test_contract__holds(name: str, check: str) -> None:
    assert isinstance(factory_of(name)(N_MELS, DIM), AbstractEncoder)
    CHECKS[check](factory_of(name))


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder__refuses_sizes_that_are_not_positive(name: str) -> None:
    for size in ("embedding_dim", *(key for key, value in SMALL[name].items() if isinstance(value, int))):
        with pytest.raises(InputError, match=f"{size} must be a whole number of at least"):
            build_encoder({"name": name, **SMALL[name], size: 0}, N_MELS)
    with pytest.raises(InputError, match="n_mels must be a whole number of at least"):
        build_encoder({"name": name, **SMALL[name]}, 0)


class Sound(AbstractEncoder):
    """The mean of the real frames through one layer, which keeps the contract."""

    def __init__(self, n_mels: int, embedding_dim: int) -> None:
        super().__init__(n_mels, embedding_dim)
        self.project = nn.Linear(n_mels, embedding_dim)

    def compute(self, features: Tensor, lengths_frames: Tensor | None) -> Tensor:
        frames = features.shape[1]
        lengths = torch.full((len(features),), frames) if lengths_frames is None else lengths_frames
        real = (torch.arange(frames)[None] < lengths[:, None])[:, :, None]
        return self.finish(torch.where(real, features, 0.0).sum(1) / lengths[:, None])

    def finish(self, means: Tensor) -> Tensor:
        return self.project(means)


class HearsPadding(Sound):
    def compute(self, features: Tensor, lengths_frames: Tensor | None) -> Tensor:
        return self.project(features.mean(1))


class Random(Sound):
    def finish(self, means: Tensor) -> Tensor:
        return self.project(nn.functional.dropout(means, 0.3))


class Normalised(Sound):
    """Normalises over the batch, also in evaluation mode."""

    def finish(self, means: Tensor) -> Tensor:
        return self.project(means - means.mean(0) + 0.1 * means)


class Unused(Sound):
    def __init__(self, n_mels: int, embedding_dim: int) -> None:
        super().__init__(n_mels, embedding_dim)
        self.head = nn.Linear(embedding_dim, 2)


class RootOfSilence(Sound):
    def finish(self, means: Tensor) -> Tensor:
        return self.project(means) + means.square().sum(1, keepdim=True).sqrt()


class Counting(Sound):
    """Counts its calls in its state."""

    calls: Tensor

    def __init__(self, n_mels: int, embedding_dim: int) -> None:
        super().__init__(n_mels, embedding_dim)
        self.register_buffer("calls", torch.zeros(()))

    def finish(self, means: Tensor) -> Tensor:
        self.calls += 1
        return self.project(means)


class Forgetful(Sound):
    """Keeps weights that are not in its state."""

    def __init__(self, n_mels: int, embedding_dim: int) -> None:
        super().__init__(n_mels, embedding_dim)
        self.hidden = torch.randn(embedding_dim, dtype=torch.float64)

    def finish(self, means: Tensor) -> Tensor:
        return self.project(means) + self.hidden.to(means.dtype)


class Blind(Sound):
    def check_inputs(self, features: Tensor, lengths_frames: Tensor | None) -> None:
        pass


class Constant(Sound):
    def finish(self, means: Tensor) -> Tensor:
        return self.project(0.0 * means)


class InOrder(Sound):
    def finish(self, means: Tensor) -> Tensor:
        return self.project(means) * torch.arange(1.0, len(means) + 1.0)[:, None]


class MindsLengths(Sound):
    def compute(self, features: Tensor, lengths_frames: Tensor | None) -> Tensor:
        return super().compute(features, lengths_frames) + (1e-9 if lengths_frames is None else 0.0)


class Wide(Sound):
    def __init__(self, n_mels: int, embedding_dim: int) -> None:
        super().__init__(n_mels, embedding_dim + 1)


def test_check_encoder__passes_a_sound_encoder() -> None:
    check_encoder(Sound)


@pytest.mark.parametrize(
    ("broken", "check", "said"),
    [
        (Wide, "output", r"must be \(3, 9\), got \(3, 10\)"),
        (Constant, "utterances_apart", "one embedding"),
        (HearsPadding, "padding", "padded to 46 differs"),
        (HearsPadding, "gradient_of_padding", "reaches the padding"),
        (Random, "determinism", "other embeddings"),
        (Counting, "determinism", 'changed "calls"'),
        (Normalised, "padding", "differs from itself alone"),
        (Unused, "gradients", "no gradient reaches head"),
        (RootOfSilence, "gradients", "is infinite"),
        (Blind, "shortest", "must be refused"),
        (Blind, "bad_features", "cannot be multiplied"),
        (InOrder, "permutation", "order of the batch"),
        (MindsLengths, "full_lengths", "full lengths change"),
        (Forgetful, "state_dict", "the copy differs"),
        (lambda n_mels, dim: Sound(n_mels, max(dim, 1)), "sizes", "embedding_dim of 0 must be refused"),
    ],
)
def test_contract__catches_a_broken_encoder(broken: Callable[[int, int], Any], check: str, said: str) -> None:
    with pytest.raises((AssertionError, IndexError, RuntimeError), match=said):
        CHECKS[check](broken)


def test_check_encoder__runs_every_check() -> None:
    with pytest.raises(AssertionError):
        check_encoder(Forgetful)

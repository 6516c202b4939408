"""The x-vector network against its table of contexts, read frame by frame."""

import pytest
import torch
from plain_layers import PlainLayers, randomise, statistics
from torch import Tensor

from curvox.encoders.x_vector_tdnn import XVectorTDNN

CONTEXTS = ((-2, -1, 0, 1, 2), (-2, 0, 2), (-3, 0, 3), (0,), (0,))


@pytest.mark.parametrize(("n_mels", "segment_layers", "millions"), [(24, 1, 4.20), (80, 2, 4.61)])
def test_parameters__are_those_published(n_mels: int, segment_layers: int, millions: float) -> None:
    """4.2 million by the paper, with 24 features; 4.61 million by WeSpeaker, with 80 and a second segment layer."""
    count = sum(p.numel() for p in XVectorTDNN(n_mels).parameters())
    assert round((count + (segment_layers - 1) * (512 * 512 + 512)) / 1e6, 2) == millions


def x_vector_by_the_paper(layers: PlainLayers, features: Tensor) -> Tensor:
    """One utterance (T, n_mels): each layer sees the frames of its context side by side."""
    frames = features
    for i, context in enumerate(CONTEXTS):
        zeros = torch.zeros(3, frames.shape[1], dtype=frames.dtype)
        padded = torch.cat([zeros, frames, zeros])
        spliced = torch.stack([padded[[3 + t + c for c in context]].flatten() for t in range(len(frames))])
        weight = layers.state[f"layers.{i}.weight"].permute(0, 2, 1).flatten(1)
        hidden = (spliced @ weight.T + layers.state[f"layers.{i}.bias"]).clamp(min=0)
        frames = layers.norm(hidden, f"norms.{i}")
    return layers.linear(statistics(frames.T[None]), "project")[0]


@pytest.mark.parametrize("frames", [1, 4, 33])
def test_output__is_that_of_the_table_of_contexts(frames: int) -> None:
    encoder = randomise(XVectorTDNN(n_mels=9, channels=8, pooling_channels=13, embedding_dim=5))
    features = torch.randn(frames, 9, dtype=torch.float64)
    expected = x_vector_by_the_paper(PlainLayers(encoder.state_dict()), features)
    torch.testing.assert_close(encoder(features[None])[0], expected, rtol=1e-9, atol=1e-9)

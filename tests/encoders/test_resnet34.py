"""ResNet34 against a second description, with frequency before time and no lengths."""

import pytest
import torch
from plain_layers import PlainLayers, bins_before_channels, randomise, statistics
from torch import Tensor

from curvox.encoders.resnet34 import ResNet34


def count_by_the_paper(n_mels: int, c: int, dim: int) -> int:
    """Weights layer by layer: 3 × 3 convolutions without bias, two numbers a channel for each normalisation."""
    total, inputs = 9 * c + 2 * c, c
    for blocks, outputs, changes in ((3, c, False), (4, 2 * c, True), (6, 4 * c, True), (3, 8 * c, True)):
        total += 9 * inputs * outputs + 9 * outputs * outputs + 4 * outputs
        total += (blocks - 1) * (18 * outputs * outputs + 4 * outputs)
        total += (inputs * outputs + 2 * outputs) * changes
        inputs = outputs
    return total + 2 * (n_mels // 8) * inputs * dim + dim


def test_parameters__are_those_published_by_wespeaker() -> None:
    count = sum(p.numel() for p in ResNet34().parameters())
    assert count == count_by_the_paper(80, 32, 256)
    assert round(count / 1e6, 2) == 6.63


def resnet_by_the_paper(layers: PlainLayers, features: Tensor) -> Tensor:
    """One utterance (T, n_mels)."""
    x = layers.norm(layers.conv_2d(features.T[None, None], "entry"), "entry_norm").clamp(min=0)
    first_of_a_stage = (3, 7, 13)
    for i in range(16):
        x = layers.residual_block(x, f"blocks.{i}", (2, 2) if i in first_of_a_stage else (1, 1))
    return layers.linear(statistics(bins_before_channels(x)), "project")[0]


@pytest.mark.parametrize(("frames", "n_mels"), [(1, 16), (41, 16), (24, 21)])
def test_output__is_that_of_the_plain_description(frames: int, n_mels: int) -> None:
    encoder = randomise(ResNet34(n_mels, channels=3, embedding_dim=7))
    features = torch.randn(frames, n_mels, dtype=torch.float64)
    expected = resnet_by_the_paper(PlainLayers(encoder.state_dict()), features)
    torch.testing.assert_close(encoder(features[None])[0], expected, rtol=1e-9, atol=1e-9)

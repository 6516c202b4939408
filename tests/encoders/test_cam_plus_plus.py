"""CAM++ against a second description of it, and its means of segments against loops."""

import pytest
import torch
from plain_layers import PlainLayers, bins_before_channels, randomise, statistics
from torch import Tensor

from curvox.encoders.cam_plus_plus import CAMPlusPlus, segment_means
from curvox.encoders.layers import frame_mask


def small() -> torch.nn.Module:
    return randomise(CAMPlusPlus(16, front_channels=3, channels=6, growth=2, bottleneck=4, embedding_dim=7))


def test_parameters__are_those_of_the_paper() -> None:
    count = sum(p.numel() for p in CAMPlusPlus().parameters())
    assert round(count / 1e6, 2) == 7.18


def mask_by_the_paper(layers: PlainLayers, x: Tensor, name: str, dilation: int) -> Tensor:
    """One layer with its mask, segment by segment: context of the utterance plus context of the segment."""
    local, gated = layers.conv(x, f"{name}.local", dilation), []
    for segment, part in zip(x.split(100, dim=2), local.split(100, dim=2), strict=True):
        context = x.mean(2, keepdim=True) + segment.mean(2, keepdim=True)
        hidden = layers.conv(context, f"{name}.squeeze").clamp(min=0)
        gated.append(part * torch.sigmoid(layers.conv(hidden, f"{name}.excite")))
    return torch.cat(gated, dim=2)


def cam_by_the_paper(layers: PlainLayers, features: Tensor) -> Tensor:
    """One utterance (T, n_mels)."""
    x = layers.norm(layers.conv_2d(features.T[None, None], "front.entry"), "front.entry_norm").clamp(min=0)
    for i in range(4):
        x = layers.residual_block(x, f"front.blocks.{i}", (1 if i % 2 else 2, 1))
    x = layers.norm(layers.conv_2d(x, "front.exit", (2, 1)), "front.exit_norm").clamp(min=0)
    x = layers.norm(layers.conv(bins_before_channels(x), "entry", stride=2), "entry_norm").clamp(min=0)
    for block, (count, dilation) in enumerate(((12, 1), (24, 2), (16, 2))):
        outputs = [x]
        for i in range(count):
            name = f"blocks.{block}.layers.{i}"
            y = layers.norm(torch.cat(outputs, dim=1), f"{name}.norm1").clamp(min=0)
            y = layers.norm(layers.conv(y, f"{name}.narrow"), f"{name}.norm2").clamp(min=0)
            outputs.append(mask_by_the_paper(layers, y, f"{name}.masking", dilation))
        joined = layers.norm(torch.cat(outputs, dim=1), f"blocks.{block}.norm").clamp(min=0)
        x = layers.conv(joined, f"blocks.{block}.halve")
    pooled = statistics(layers.norm(x, "exit_norm").clamp(min=0))
    return layers.norm(layers.linear(pooled, "project"), "final_norm")[0]


@pytest.mark.parametrize("frames", [1, 7, 206])
def test_output__is_that_of_the_plain_description(frames: int) -> None:
    encoder = small()
    features = torch.randn(frames, 16, dtype=torch.float64)
    with torch.no_grad():
        expected = cam_by_the_paper(PlainLayers(encoder.state_dict()), features)
        torch.testing.assert_close(encoder(features[None])[0], expected, rtol=1e-9, atol=1e-9)


def test_padded_item__of_several_segments_gives_what_it_gives_alone() -> None:
    encoder = small()
    lengths = [430, 401, 399, 201, 200, 3]
    batch = torch.randn(len(lengths), 430, 16, dtype=torch.float64)
    with torch.no_grad():
        together = encoder(batch, torch.tensor(lengths))
        for row, length in enumerate(lengths):
            torch.testing.assert_close(together[row], encoder(batch[row : row + 1, :length])[0], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("frames", [3, 100, 101, 250])
def test_segment_means__are_those_of_loops(frames: int) -> None:
    lengths = torch.tensor([frames, max(1, frames - 60), 1])
    mask = frame_mask(lengths, frames)
    x = torch.randn(3, frames, 2, dtype=torch.float64) * mask
    means = segment_means(x, mask)
    assert means.shape == (3, -(-frames // 100), 2)
    for item, length in enumerate(lengths.tolist()):
        for i in range(means.shape[1]):
            real = x[item, 100 * i : min(100 * i + 100, length)]
            expected = real.mean(0) if len(real) else torch.zeros(2, dtype=torch.float64)
            torch.testing.assert_close(means[item, i], expected)
    torch.testing.assert_close(segment_means(x), segment_means(x, torch.ones_like(mask)))

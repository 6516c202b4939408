"""ReDimNet2 against a second description: frequency before time, all maps at full resolution, attention by formula."""

import math

import pytest
import torch
import torch.nn.functional as F
from plain_layers import PlainLayers, bins_before_channels, randomise
from torch import Tensor

from curvox.encoders.redimnet2 import ReDimNet2, to_1d, to_2d
from curvox.errors import InputError, UnknownNameError

# (stride in frequency, stride in time, 2-D blocks, expansion) of each stage, and the channels of the entry.
B0 = ((1, 1, 2, 2), (2, 1, 3, 1), (1, 2, 4, 1), (2, 1, 5, 1), (1, 2, 4, 1), (2, 1, 3, 1))
B2 = ((1, 1, 2, 2), (2, 1, 3, 1), (1, 2, 4, 1), (3, 1, 5, 1), (1, 2, 4, 1), (2, 1, 3, 1))


@pytest.mark.parametrize(("size", "millions"), [("B0", 1.1), ("B1", 2.1), ("B2", 3.6)])
def test_parameters__are_those_of_the_paper(size: str, millions: float) -> None:
    """The paper's table cuts its figures off after one digit."""
    with torch.device("meta"):
        count = sum(p.numel() for p in ReDimNet2(size=size).parameters())
    assert math.floor(count / 1e5) / 10 == millions


def attention(layers: PlainLayers, x: Tensor, name: str) -> Tensor:
    """One utterance (T, C), four heads, frame against frame."""
    query, key, value = layers.linear(x, f"{name}.query_key_value").chunk(3, dim=1)
    width = x.shape[1] // 4
    heard = []
    for head in range(4):
        part = slice(head * width, (head + 1) * width)
        logits = query[:, part] @ key[:, part].T / math.sqrt(width)
        weights = logits.exp() / logits.exp().sum(1, keepdim=True)
        heard.append(weights @ value[:, part])
    x = layers.layer_norm(x + layers.linear(torch.cat(heard, dim=1), f"{name}.out"), f"{name}.norm1", 1)
    inner = layers.linear(x, f"{name}.widen")
    inner = 0.5 * inner * (1 + torch.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
    return layers.layer_norm(x + layers.linear(inner, f"{name}.narrow"), f"{name}.norm2", 1)


def context_block(layers: PlainLayers, x: Tensor, name: str) -> Tensor:
    """The 1-D block on one utterance (1, V, T)."""
    y = layers.layer_norm(layers.linear(x[0].T, f"{name}.narrow"), f"{name}.norm", 1).T[None]
    for i in range(4):
        inner = layers.norm(layers.conv(y, f"{name}.convolutions.{i}.depthwise"), f"{name}.convolutions.{i}.norm")
        inner = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
        y = y + layers.conv(inner, f"{name}.convolutions.{i}.pointwise")
    y = attention(layers, y[0].T, f"{name}.attention")
    return x + layers.linear(y, f"{name}.widen").T[None]


def weighted_sum(maps: list[Tensor], logits: Tensor | None) -> Tensor:
    if logits is None:
        return maps[0]
    weights = logits.exp() / logits.exp().sum(0)
    return sum((w[None, :, None] * x for w, x in zip(weights, maps, strict=True)), torch.zeros(()))


def as_map(x: Tensor, bins: int) -> Tensor:
    """(1, F · C, T), bins before channels, as (1, C, F, T)."""
    channels = x.shape[1] // bins
    return torch.stack([x[:, [f * channels + c for f in range(bins)]] for c in range(channels)], dim=1)


def redimnet_by_the_paper(layers: PlainLayers, features: Tensor, stages: tuple[tuple[int, ...], ...]) -> Tensor:
    """One utterance (T, n_mels), T a multiple of four."""
    entry = layers.layer_norm(layers.conv_2d(features.T[None, None], "entry"), "entry_norm", 1)
    maps, bins, time = [bins_before_channels(entry)], features.shape[1], 1
    for i, (stride_bins, stride_frames, blocks, expansion) in enumerate(stages):
        name = f"stages.{i}"
        time *= stride_frames
        x = as_map(weighted_sum(maps, layers.state.get(f"{name}.sum.logits")), bins)
        x = layers.conv_2d(x, f"{name}.reduce", (stride_bins, time), padding=0)
        bins //= stride_bins
        for j in range(blocks):
            block = f"{name}.blocks.{j}"
            y = layers.conv_2d(layers.conv_2d(x, f"{block}.depthwise1"), f"{block}.pointwise1").clamp(min=0)
            y = layers.conv_2d(layers.norm(y, f"{block}.norm1"), f"{block}.depthwise2")
            x = (layers.norm(layers.conv_2d(y, f"{block}.pointwise2"), f"{block}.norm2") + x).clamp(min=0)
        if expansion != 1:
            x = layers.norm(layers.conv_2d(x, f"{name}.narrow.0"), f"{name}.narrow.1", epsilon=1e-6)
        x = context_block(layers, bins_before_channels(x), f"{name}.context")
        maps.append(F.interpolate(x, scale_factor=time, mode="nearest"))
    x = as_map(weighted_sum(maps, layers.state["sum.logits"]), bins)
    if "head.weight" in layers.state:
        x = layers.conv_2d(x, "head")
    return bins_before_channels(x)


@pytest.mark.parametrize(("size", "stages", "channels"), [("B0", B0, 12), ("B2", B2, 20)])
def test_frames__are_those_of_the_plain_description(size: str, stages: tuple, channels: int) -> None:
    encoder = randomise(ReDimNet2(24, size=size, embedding_dim=7))
    for name, parameter in encoder.named_parameters():
        if name.endswith("logits"):
            torch.nn.init.normal_(parameter)
    features = torch.randn(15, 24, dtype=torch.float64)
    with torch.no_grad():
        frames = redimnet_by_the_paper(PlainLayers(encoder.state_dict()), features[:12], stages)
        expected = encoder.project(encoder.pool_norm(encoder.pool(frames.transpose(1, 2))))
        torch.testing.assert_close(encoder(features[None]), expected, rtol=1e-8, atol=1e-8)


def test_reshaping__is_undone_and_puts_bins_before_channels() -> None:
    maps = torch.randn(2, 3, 5, 4)
    signal = to_1d(maps)
    for channel in range(3):
        for bin_ in range(4):
            assert torch.equal(signal[:, :, bin_ * 3 + channel], maps[:, channel, :, bin_])
    assert torch.equal(to_2d(signal, 4), maps)
    assert to_1d(to_2d(signal, 4)).data_ptr() == signal.data_ptr()


def test_sizes__that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="multiple of 12, got 80; take 72"):
        ReDimNet2(80, size="B2")
    with pytest.raises(InputError, match="1-D blocks multiples of 4"):
        ReDimNet2(8, size="B0")
    with pytest.raises(UnknownNameError, match='unknown size of ReDimNet2 "B9"'):
        ReDimNet2(size="B9")

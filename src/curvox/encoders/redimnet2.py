"""ReDimNet2 (Yakovlev and Okhotnikov 2026), sizes B0 to B2."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from curvox.encoders.contract import AbstractEncoder
from curvox.encoders.layers import AttentiveStatistics, mask_of, strided_mask, zero_padding, zero_padding_2d
from curvox.errors import InputError, require_at_least, require_name


@dataclass(frozen=True)
class Stage:
    """One stage: strides in frequency and time, how many 2-D blocks at how many times the channels, and the factor by
    which its 1-D block narrows the channels."""

    stride_bins: int
    stride_frames: int
    blocks: int
    expansion: int
    reduction: int


@dataclass(frozen=True)
class Size:
    """A published size: channels before the first stage, its stages, channels of the head (None: no head)."""

    channels: int
    stages: tuple[Stage, ...]
    head_channels: int | None = None


def _stages(strides_bins: tuple[int, ...], reductions: tuple[int, ...]) -> tuple[Stage, ...]:
    """Return the six stages of a size: time is halved in the third and the fifth, only the first is wider inside."""
    rows = zip(strides_bins, (1, 1, 2, 1, 2, 1), (2, 3, 4, 5, 4, 3), (2, 1, 1, 1, 1, 1), reductions, strict=True)
    return tuple(Stage(*row) for row in rows)


SIZES = {
    "B0": Size(12, _stages((1, 2, 1, 2, 1, 2), (36, 36, 36, 36, 18, 18)), head_channels=64),
    "B1": Size(16, _stages((1, 2, 1, 2, 1, 2), (32, 32, 32, 32, 16, 16))),
    "B2": Size(20, _stages((1, 2, 1, 3, 1, 2), (40, 30, 30, 20, 20, 10))),
}


class DepthwiseResidualBlock(nn.Module):
    """Two depthwise 3 × 3 convolutions, each followed by a 1 × 1 one, around which the input is added."""

    def __init__(self, channels: int):
        super().__init__()
        self.depthwise1 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise1 = nn.Conv2d(channels, channels, 1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.depthwise2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise2 = nn.Conv2d(channels, channels, 1)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        inner = self.norm1(torch.relu_(self.pointwise1(self.depthwise1(zero_padding_2d(x, mask)))))
        inner = self.norm2(self.pointwise2(self.depthwise2(zero_padding_2d(inner, mask))))
        return torch.relu_(inner.add_(x))


class TimeConvolution(nn.Module):
    """A depthwise convolution over time, normalisation, GELU and a 1 × 1 convolution, to which the input is added
    (after ConvNeXt, Liu et al. 2022)."""

    def __init__(self, channels: int, kernel_frames: int):
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, kernel_frames, padding=kernel_frames // 2, groups=channels)
        self.norm = nn.BatchNorm1d(channels)
        self.pointwise = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return x + self.pointwise(
            nn.functional.gelu(self.norm(self.depthwise(x if mask is None else x * mask.transpose(1, 2))))
        )


class Attention(nn.Module):
    """A transformer layer over time, normalised after each of its two sums, without positions."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.widen = nn.Linear(channels, channels)
        self.narrow = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T 1"] | None) -> Float[Tensor, "B T C"]:
        projected = self.query_key_value(x).unflatten(2, (3, self.heads, -1))
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        heard = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=None if mask is None else mask.transpose(1, 2)[:, None]
        )
        x = self.norm1(x + self.out(heard.transpose(1, 2).flatten(2)))
        inner = nn.functional.gelu(self.widen(x), approximate="tanh")
        return self.norm2(x + self.narrow(inner))


class TimeContextBlock(nn.Module):
    """The 1-D block: channels narrowed, four convolutions over ever longer times, attention, channels widened; the
    input is added. Maps (B, T, V)."""

    HEADS, KERNELS_FRAMES = 4, (7, 19, 31, 59)

    def __init__(self, volume: int, channels: int):
        super().__init__()
        self.narrow = nn.Linear(volume, channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.convolutions = nn.ModuleList(TimeConvolution(channels, kernel) for kernel in self.KERNELS_FRAMES)
        self.attention = Attention(channels, self.HEADS)
        self.widen = nn.Linear(channels, volume)

    def forward(self, x: Float[Tensor, "B T V"], mask: Bool[Tensor, "B T 1"] | None) -> Float[Tensor, "B T V"]:
        inner = self.norm(self.narrow(x)).transpose(1, 2)
        for convolution in self.convolutions:
            inner = convolution(inner, mask)
        return x + self.widen(self.attention(inner.transpose(1, 2), mask))


class MapSum(nn.Module):
    """The sum of earlier maps, with weights for each channel that add up to 1 over the maps.

    Maps of a lower time resolution are repeated up to the full one; those of one resolution are summed before that.

    Args:
        strides: the time stride of each map. volume: channels V of each.
    """

    def __init__(self, strides: tuple[int, ...], volume: int):
        super().__init__()
        self.strides = strides
        # A single map needs no weights, and the first stage has no more.
        self.logits = nn.Parameter(torch.zeros(len(strides), volume)) if len(strides) > 1 else None

    def forward(self, maps: list[Tensor]) -> Float[Tensor, "B T V"]:
        if self.logits is None:
            return maps[0]
        weights = self.logits.softmax(dim=0)
        sums: dict[int, Tensor] = {}
        for stride, weight, x in zip(self.strides, weights, maps, strict=True):
            weighed = x * weight
            sums[stride] = sums[stride].add_(weighed) if stride in sums else weighed
        total = sums.pop(1)
        for stride, x in sums.items():
            total = (total.unflatten(1, (-1, stride)) + x[:, :, None]).flatten(1, 2)
        return total


class StageModule(nn.Module):
    """A weighted sum of all earlier maps, 2-D blocks at a lower resolution, a 1-D block over time.

    Maps are (B, T, F · C), the bins before the channels, so that the 2-D map (B, C, T, F) with channels last in memory
    is the same memory. ``forward`` returns the new map at T / ``time_stride`` frames.
    """

    def __init__(self, stage: Stage, channels: int, bins: int, time_stride: int, earlier_strides: tuple[int, ...]):
        super().__init__()
        volume, self.bins, self.time_stride = channels * bins, bins, time_stride
        self.sum = MapSum(earlier_strides, volume)
        outputs = channels * stage.stride_bins
        wide = outputs * stage.expansion
        step = (time_stride, stage.stride_bins)
        self.reduce = nn.Conv2d(channels, wide, step, stride=step, groups=channels)
        self.blocks = nn.ModuleList(DepthwiseResidualBlock(wide) for _ in range(stage.blocks))
        self.narrow: nn.Module = nn.Identity()
        if stage.expansion != 1:
            self.narrow = nn.Sequential(nn.Conv2d(wide, outputs, 1), nn.BatchNorm2d(outputs, eps=1e-6))
        self.context = TimeContextBlock(volume, volume // stage.reduction)

    def forward(self, maps: list[Tensor], mask: Tensor | None) -> Tensor:
        x = self.reduce(to_2d(self.sum(maps), self.bins))
        mask = strided_mask(mask, self.time_stride)
        for block in self.blocks:
            x = block(x, mask)
        return self.context(to_1d(self.narrow(x)), mask)


class ReDimNet2(AbstractEncoder):
    """Stages of 2-D blocks whose maps are also read as 1-D signals; each stage takes a learnt sum of all earlier ones.

    ``encoder(features, lengths_frames)`` maps features (B, T, n_mels) to raw embeddings (B, embedding_dim). Frames are
    taken four at a time: a remainder of up to three at the end is left out, and fewer than four are refused. With 72
    mels and an embedding of 192, B0, B1 and B2 are the networks of the paper (1.11, 2.16 and 3.68 million parameters).
    Maps are not normalised before they are summed; the authors' code offers that since a later release.

    Args:
        n_mels: features a frame, a multiple of 8 (B0, B1) or 12 (B2). size: B0, B1 or B2. embedding_dim: size D of the
            embedding. attention_bottleneck: hidden width of the pooling's attention.
    """

    minimum_frames = 4

    def __init__(
        self,
        n_mels: int = 72,
        size: str = "B0",
        embedding_dim: int = 192,
        attention_bottleneck: int = 128,
    ):
        super().__init__(n_mels, embedding_dim)
        require_name(size, SIZES, "size of ReDimNet2")
        require_at_least(1, attention_bottleneck=attention_bottleneck)
        setup = SIZES[size]
        _check_sizes_fit(n_mels, size, setup)
        volume = setup.channels * n_mels
        self.entry = nn.Conv2d(1, setup.channels, 3, padding=1)
        self.entry_norm = nn.LayerNorm(setup.channels, eps=1e-6)
        self.stages = nn.ModuleList()
        channels, bins, strides = setup.channels, n_mels, (1,)
        for stage in setup.stages:
            time_stride = strides[-1] * stage.stride_frames
            self.stages.append(StageModule(stage, channels, bins, time_stride, strides))
            channels, bins, strides = channels * stage.stride_bins, bins // stage.stride_bins, (*strides, time_stride)
        self.sum, self.bins = MapSum(strides, volume), bins
        self.head = nn.Identity() if setup.head_channels is None else nn.Conv2d(channels, setup.head_channels, 1)
        pooled = (channels if setup.head_channels is None else setup.head_channels) * bins
        self.pool = AttentiveStatistics(pooled, attention_bottleneck)
        self.pool_norm = nn.BatchNorm1d(2 * pooled)
        self.project = nn.Linear(2 * pooled, embedding_dim)

    def compute(self, features: Tensor, lengths_frames: Tensor | None) -> Tensor:
        frames = features.shape[1] // 4 * 4
        mask = mask_of(None if lengths_frames is None else lengths_frames // 4 * 4, frames)
        x = self.entry(zero_padding(features[:, :frames], mask)[:, None].contiguous(memory_format=torch.channels_last))
        maps = [self.entry_norm(x.permute(0, 2, 3, 1)).flatten(2)]
        for stage in self.stages:
            maps.append(stage(maps, mask))
        x = to_1d(self.head(to_2d(self.sum(maps), self.bins)))
        return self.project(self.pool_norm(self.pool(x, mask)))


def to_2d(x: Float[Tensor, "B T V"], bins: int) -> Float[Tensor, "B C T F"]:
    """Read a signal of F · C channels, bins before channels, as C maps over time and F bins; no copy."""
    return x.unflatten(2, (bins, -1)).permute(0, 3, 1, 2)


def to_1d(x: Float[Tensor, "B C T F"]) -> Float[Tensor, "B T V"]:
    """Read C maps over time and F bins as a signal of F · C channels; no copy when channels lie last in memory."""
    return x.permute(0, 2, 3, 1).flatten(2)


def _check_sizes_fit(n_mels: int, size: str, setup: Size) -> None:
    bins = math.prod(stage.stride_bins for stage in setup.stages)
    if n_mels % bins:
        raise InputError(f"n_mels of ReDimNet2 {size} must be a multiple of {bins}, got {n_mels}; take 72")
    narrowest = [setup.channels * n_mels // stage.reduction for stage in setup.stages]
    if any(width % TimeContextBlock.HEADS or width == 0 for width in narrowest):
        raise InputError(
            f"n_mels of ReDimNet2 {size} must leave its 1-D blocks multiples of {TimeContextBlock.HEADS} channels, "
            f"got {n_mels}, which leaves {sorted(set(narrowest))}; take 72"
        )

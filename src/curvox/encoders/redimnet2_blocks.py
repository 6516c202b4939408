"""The blocks of ReDimNet2: 2-D convolutions, context over time, the sum of earlier maps."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from curvox.encoders.masking import zero_padding_2d


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

"""CAM++ (Wang, Zheng, Chen, Cheng and Chen, Interspeech 2023)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from curvox.encoders.contract import AbstractEncoder
from curvox.encoders.layers import (
    FrameConvolution,
    ResidualBlock,
    frame_mean,
    frame_statistics,
    mask_of,
    normalise_frames,
    strided_mask,
    zero_padding,
    zero_padding_2d,
)
from curvox.errors import require_at_least

SEGMENT_FRAMES = 100
LAYERS, DILATIONS = (12, 24, 16), (1, 2, 2)


class ConvolutionalFrontEnd(nn.Module):
    """The front-end convolution module: residual blocks over time and frequency that keep time and take an eighth of
    the frequencies. (B, T, n_mels) becomes (B, T, channels · ⌈n_mels / 8⌉)."""

    def __init__(self, channels: int):
        super().__init__()
        self.entry = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.entry_norm = nn.BatchNorm2d(channels)
        self.blocks = nn.ModuleList(ResidualBlock(channels, channels, 1, stride) for stride in (2, 1, 2, 1))
        self.exit = nn.Conv2d(channels, channels, 3, stride=(1, 2), padding=1, bias=False)
        self.exit_norm = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor, mask: Tensor | None) -> Tensor:
        x = zero_padding_2d(features[:, None].contiguous(memory_format=torch.channels_last), mask)
        x = zero_padding_2d(torch.relu_(self.entry_norm(self.entry(x))), mask)
        for block in self.blocks:
            x, _ = block(x, mask)
        x = torch.relu_(self.exit_norm(self.exit(x)))
        return x.permute(0, 2, 3, 1).flatten(2)


class ContextAwareMasking(nn.Module):
    """A convolution over frames whose outputs are gated by what surrounds them.

    The gate of a segment of 100 frames is computed from the mean of the segment plus the mean of the utterance.
    """

    def __init__(self, inputs: int, outputs: int, dilation: int, reduction: int = 2):
        super().__init__()
        self.local = FrameConvolution(inputs, outputs, 3, dilation, bias=False)
        self.squeeze = FrameConvolution(inputs, inputs // reduction)
        self.excite = FrameConvolution(inputs // reduction, outputs)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        context = segment_means(x, mask) + frame_mean(x, mask)[:, None]
        gate = torch.sigmoid(self.excite(torch.relu_(self.squeeze(context))))
        if gate.shape[1] > 1:
            gate = gate.repeat_interleave(SEGMENT_FRAMES, dim=1)[:, : x.shape[1]]
        return self.local(x) * gate


class DenseLayer(nn.Module):
    """One layer of the densely connected TDNN: a 1 × 1 bottleneck, then the gated convolution."""

    def __init__(self, inputs: int, bottleneck: int, growth: int, dilation: int):
        super().__init__()
        self.norm1 = nn.BatchNorm1d(inputs)
        self.narrow = FrameConvolution(inputs, bottleneck, bias=False)
        self.norm2 = nn.BatchNorm1d(bottleneck)
        self.masking = ContextAwareMasking(bottleneck, growth, dilation)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        inner = self.narrow(torch.relu_(normalise_frames(self.norm1, x)))
        return self.masking(zero_padding(torch.relu_(normalise_frames(self.norm2, inner)), mask), mask)


class DenseBlock(nn.Module):
    """Layers that each see the outputs of all before them; a 1 × 1 convolution then halves the channels."""

    def __init__(self, inputs: int, layers: int, bottleneck: int, growth: int, dilation: int):
        super().__init__()
        self.layers = nn.ModuleList(
            DenseLayer(inputs + i * growth, bottleneck, growth, dilation) for i in range(layers)
        )
        joined = inputs + layers * growth
        self.outputs = joined // 2
        self.norm = nn.BatchNorm1d(joined)
        self.halve = FrameConvolution(joined, self.outputs, bias=False)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x, mask)], dim=2)
        return self.halve(torch.relu_(normalise_frames(self.norm, x)))


class CAMPlusPlus(AbstractEncoder):
    """Densely connected TDNN with context-aware masking behind a small 2-D network.

    ``encoder(features, lengths_frames)`` maps features (B, T, n_mels) to raw embeddings (B, embedding_dim). The TDNN
    halves the frames once; its three blocks have 12, 24 and 16 layers. With 80 mels and the sizes below it has 7.2
    million parameters, the network of the paper. One frame is enough.

    Args:
        n_mels: features a frame. front_channels: of the 2-D network. channels: that enter the first dense block.
            growth: channels that a layer adds. bottleneck: hidden channels of a layer, at least 2. embedding_dim: size
            D of the embedding, which is normalised over the batch.
    """

    def __init__(
        self,
        n_mels: int = 80,
        front_channels: int = 32,
        channels: int = 128,
        growth: int = 32,
        bottleneck: int = 128,
        embedding_dim: int = 512,
    ):
        super().__init__(n_mels, embedding_dim)
        require_at_least(
            1,
            front_channels=front_channels,
            channels=channels,
            growth=growth,
            half_of_the_bottleneck=bottleneck // 2,
        )
        self.front = ConvolutionalFrontEnd(front_channels)
        self.entry = FrameConvolution(front_channels * -(-n_mels // 8), channels, 5, stride=2, bias=False)
        self.entry_norm = nn.BatchNorm1d(channels)
        self.blocks = nn.ModuleList()
        for layers, dilation in zip(LAYERS, DILATIONS, strict=True):
            block = DenseBlock(channels, layers, bottleneck, growth, dilation)
            self.blocks.append(block)
            channels = block.outputs
        self.exit_norm = nn.BatchNorm1d(channels)
        self.project = nn.Linear(2 * channels, embedding_dim, bias=False)
        self.final_norm = nn.BatchNorm1d(embedding_dim, affine=False)

    def compute(self, features: Tensor, lengths_frames: Tensor | None) -> Tensor:
        mask = mask_of(lengths_frames, features.shape[1])
        x = self.entry(zero_padding(self.front(features, mask), mask))
        mask = strided_mask(mask, 2)
        x = torch.relu_(normalise_frames(self.entry_norm, x))
        for block in self.blocks:
            x = block(x, mask)
        return self.final_norm(self.project(frame_statistics(torch.relu_(normalise_frames(self.exit_norm, x)), mask)))


def segment_means(x: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T 1"] | None = None) -> Float[Tensor, "B S C"]:
    """Return the mean of each segment of 100 frames over its real frames; 0 for a segment that has none.

    Padded frames of ``x`` must be zero. The last segment may be shorter.
    """
    frames = x.shape[1]
    if mask is None and frames <= SEGMENT_FRAMES:
        return x.mean(dim=1, keepdim=True)
    if mask is None:
        mask = torch.ones(1, frames, 1, dtype=torch.bool, device=x.device)
    padding = (0, 0, 0, -frames % SEGMENT_FRAMES)
    sums = nn.functional.pad(x, padding).unflatten(1, (-1, SEGMENT_FRAMES)).sum(dim=2)
    counts = nn.functional.pad(mask, padding).unflatten(1, (-1, SEGMENT_FRAMES)).sum(dim=2)
    return sums / counts.clamp_min(1)

"""ECAPA-TDNN (Desplanques, Thienpondt and Demuynck, Interspeech 2020)."""

import torch
from torch import Tensor, nn

from curvox.encoders.contract import AbstractEncoder
from curvox.encoders.layers import (
    AttentiveStatistics,
    FrameConvolution,
    frame_mean,
    mask_of,
    normalise_frames,
    zero_padding,
)
from curvox.errors import InputError, require_at_least


class ConvReluNorm(nn.Module):
    """Convolution over frames with as many frames out as in, ReLU, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel_frames: int = 1, dilation: int = 1):
        super().__init__()
        self.conv = FrameConvolution(inputs, outputs, kernel_frames, dilation)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return normalise_frames(self.norm, torch.relu_(self.conv(x)))


class Res2Conv(nn.Module):
    """Multi-scale convolution (Gao et al. 2019): each group of channels also sees the previous group's output."""

    def __init__(self, channels: int, kernel_frames: int, dilation: int, scale: int):
        super().__init__()
        self.width = channels // scale
        self.groups = nn.ModuleList(
            ConvReluNorm(self.width, self.width, kernel_frames, dilation) for _ in range(scale - 1)
        )

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        parts = x.split(self.width, dim=2)
        outputs: list[Tensor] = []
        for part, group in zip(parts, self.groups, strict=False):
            grouped = group(zero_padding(part + outputs[-1] if outputs else part.contiguous(), mask))
            outputs.append(grouped)
        return torch.cat([*outputs, parts[-1]], dim=2)


class SqueezeExcitation(nn.Module):
    """A gate on each channel from the utterance mean of all channels (Hu et al. 2018)."""

    def __init__(self, channels: int, bottleneck: int = 128):
        super().__init__()
        self.squeeze = nn.Linear(channels, bottleneck)
        self.excite = nn.Linear(bottleneck, channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the gates, (B, 1, C)."""
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(frame_mean(x, mask)))))[:, None]


class SERes2Block(nn.Module):
    """One residual block: 1 × 1 convolution, multi-scale convolution, 1 × 1 convolution, squeeze-excitation."""

    def __init__(self, channels: int, kernel_frames: int, dilation: int, scale: int):
        super().__init__()
        self.expand = ConvReluNorm(channels, channels)
        self.res2 = Res2Conv(channels, kernel_frames, dilation, scale)
        self.merge = ConvReluNorm(channels, channels)
        self.gate = SqueezeExcitation(channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        inner = self.merge(self.res2(self.expand(x), mask))
        return torch.addcmul(x, inner, self.gate(inner, mask))


class ECAPATDNN(AbstractEncoder):
    """Emphasised channel attention, propagation and aggregation TDNN.

    ``encoder(features, lengths_frames)`` maps features (B, T, n_mels) to raw embeddings (B, embedding_dim). With 80
    mels, 1,536 aggregated channels, an embedding of 192 and no final normalisation, channels = 512 and 1,024 are the
    two networks of the paper (6.2 and 14.7 million parameters).

    Args:
        n_mels: features a frame. channels: width C of the blocks, a multiple of ``res2_scale``. aggregation_channels:
        channels after the three blocks are joined. embedding_dim: size D of the embedding. res2_scale: groups of the
        multi-scale convolution. attention_bottleneck: hidden width of the pooling's attention. final_batch_norm:
        normalise the embedding over the batch. The embedding's norm is then near √D whatever the utterance,
            which a hyperbolic lift must know of.
    """

    def __init__(
        self,
        n_mels: int = 80,
        channels: int = 512,
        aggregation_channels: int = 1536,
        embedding_dim: int = 192,
        res2_scale: int = 8,
        attention_bottleneck: int = 128,
        final_batch_norm: bool = True,
    ):
        super().__init__(n_mels, embedding_dim)
        require_at_least(
            1,
            channels=channels,
            aggregation_channels=aggregation_channels,
            attention_bottleneck=attention_bottleneck,
        )
        _check_groups(channels, res2_scale)
        self.entry = ConvReluNorm(n_mels, channels, kernel_frames=5)
        self.blocks = nn.ModuleList(SERes2Block(channels, 3, dilation, res2_scale) for dilation in (2, 3, 4))
        self.aggregate = FrameConvolution(3 * channels, aggregation_channels)
        self.pool = AttentiveStatistics(aggregation_channels, attention_bottleneck)
        self.pool_norm = nn.BatchNorm1d(2 * aggregation_channels)
        self.project = nn.Linear(2 * aggregation_channels, embedding_dim)
        self.final_norm = nn.BatchNorm1d(embedding_dim) if final_batch_norm else nn.Identity()

    def compute(self, features: Tensor, lengths_frames: Tensor | None) -> Tensor:
        mask = mask_of(lengths_frames, features.shape[1])
        x = self.entry(zero_padding(features, mask))
        outputs = []
        for block in self.blocks:
            x = block(x, mask)
            outputs.append(x)
        joined = torch.relu_(self.aggregate(torch.cat(outputs, dim=2)))
        return self.final_norm(self.project(self.pool_norm(self.pool(joined, mask))))


def _check_groups(channels: int, res2_scale: int) -> None:
    if res2_scale < 2 or channels % res2_scale:
        raise InputError(
            "channels must be a multiple of res2_scale (at least 2), "
            f"got channels = {channels}, res2_scale = {res2_scale}"
        )

"""ResNet34 for speakers (He et al. 2016; Zeinali et al. 2019, "BUT system description to VoxCeleb Speaker Recognition
Challenge 2019")."""

import torch
from torch import Tensor, nn

from curvox.encoders.contract import AbstractEncoder
from curvox.encoders.layers import ResidualBlock, frame_statistics, mask_of, zero_padding_2d
from curvox.errors import require_at_least

BLOCKS = (3, 4, 6, 3)


class ResNet34(AbstractEncoder):
    """Residual network over time and frequency, statistics pooling, one linear layer.

    ``encoder(features, lengths_frames)`` maps features (B, T, n_mels) to raw embeddings (B, embedding_dim). The stem
    keeps the resolution; three of the four stages halve time and frequency and double the channels, so T frames become
    ⌈T / 8⌉. With 80 mels, 32 channels and an embedding of 256 it has 6.6 million parameters. One frame is enough.

    Args:
        n_mels: features a frame. channels: of the first stage; the last has eight times as many. embedding_dim: size D
            of the embedding.
    """

    def __init__(self, n_mels: int = 80, channels: int = 32, embedding_dim: int = 256):
        super().__init__(n_mels, embedding_dim)
        require_at_least(1, channels=channels)
        self.entry = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.entry_norm = nn.BatchNorm2d(channels)
        self.blocks = nn.ModuleList(_blocks(channels))
        bins = -(-n_mels // 8)
        self.project = nn.Linear(2 * 8 * channels * bins, embedding_dim)

    def compute(self, features: Tensor, lengths_frames: Tensor | None) -> Tensor:
        mask = mask_of(lengths_frames, features.shape[1])
        # Channels last: (B, C, T, F) lies in memory as (B, T, F, C).
        x = features[:, None].contiguous(memory_format=torch.channels_last)
        x = zero_padding_2d(torch.relu_(self.entry_norm(self.entry(zero_padding_2d(x, mask)))), mask)
        for block in self.blocks:
            x, mask = block(x, mask)
        return self.project(frame_statistics(x.permute(0, 2, 3, 1).flatten(2), mask))


def _blocks(channels: int) -> list[ResidualBlock]:
    blocks, inputs = [], channels
    for stage, count in enumerate(BLOCKS):
        outputs = channels * 2**stage
        for i in range(count):
            stride = 2 if stage and i == 0 else 1
            blocks.append(ResidualBlock(inputs, outputs, stride, stride))
            inputs = outputs
    return blocks

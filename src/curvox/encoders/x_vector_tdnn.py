"""The x-vector network (Snyder et al., ICASSP 2018)."""

import torch
from torch import Tensor, nn

from curvox.encoders.contract import AbstractEncoder
from curvox.encoders.layers import FrameConvolution, frame_statistics, mask_of, normalise_frames, zero_padding
from curvox.errors import require_at_least

# Frames that a layer sees: t−2..t+2, {t−2, t, t+2}, {t−3, t, t+3}, t, t.
KERNELS_FRAMES = (5, 3, 3, 1, 1)
DILATIONS = (1, 2, 3, 1, 1)


class XVectorTDNN(AbstractEncoder):
    """Five layers over frames, statistics pooling, one layer over the segment: its output before ReLU.

    ``encoder(features, lengths_frames)`` maps features (B, T, n_mels) to raw embeddings (B, embedding_dim). Of the
    published network the layers behind the embedding are left out; without them it has 4.2 million parameters with the
    24 features of the paper, 4.3 million with 80. Every layer is convolution, ReLU and a normalisation without weights
    of its own. Utterances are padded with zeros where the paper leaves out the edges, so one frame is enough.

    Args:
        n_mels: features a frame. channels: units of the first four layers. pooling_channels: units of the fifth.
            embedding_dim: size D of the embedding.
    """

    def __init__(self, n_mels: int = 80, channels: int = 512, pooling_channels: int = 1500, embedding_dim: int = 512):
        super().__init__(n_mels, embedding_dim)
        require_at_least(1, channels=channels, pooling_channels=pooling_channels)
        widths = (n_mels, channels, channels, channels, channels, pooling_channels)
        self.layers = nn.ModuleList(
            FrameConvolution(widths[i], widths[i + 1], kernel, dilation)
            for i, (kernel, dilation) in enumerate(zip(KERNELS_FRAMES, DILATIONS, strict=True))
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width, affine=False) for width in widths[1:])
        self.project = nn.Linear(2 * pooling_channels, embedding_dim)

    def compute(self, features: Tensor, lengths_frames: Tensor | None) -> Tensor:
        mask = mask_of(lengths_frames, features.shape[1])
        x = features
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = normalise_frames(norm, torch.relu_(layer(zero_padding(x, mask))))
        return self.project(frame_statistics(x, mask))

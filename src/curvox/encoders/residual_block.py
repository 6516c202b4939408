"""The residual block of two 3 × 3 convolutions (He et al. 2016, figure 2) over maps (B, C, T, F)."""

import torch
from torch import Tensor, nn

from curvox.encoders.masking import strided_mask, zero_padding_2d


class ResidualBlock(nn.Module):
    """Convolution, normalisation, ReLU, convolution, normalisation; the input is added before the last ReLU.

    Where the shape changes, the input is carried over by a 1 × 1 convolution of the same strides. Padded frames of the
    input must be zero; those of the output are.

    Args:
        inputs, outputs: channels. stride_frames, stride_bins: strides in time and in frequency.
    """

    def __init__(self, inputs: int, outputs: int, stride_frames: int = 1, stride_bins: int = 1):
        super().__init__()
        stride = (stride_frames, stride_bins)
        self.stride_frames = stride_frames
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != (1, 1) or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        mask = strided_mask(mask, self.stride_frames)
        inner = zero_padding_2d(torch.relu_(self.norm1(self.conv1(x))), mask)
        added = self.norm2(self.conv2(inner)).add_(self.shortcut(x))
        return zero_padding_2d(torch.relu_(added), mask), mask

"""Convolution and normalisation over frames that keep the channels of a frame side by side in memory, (B, T, C).

In this layout a convolution over single frames is one matrix product, which on a CPU is faster than a convolution of
(B, C, T), and so is a batch normalisation.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FrameConvolution(nn.Module):
    """A convolution over frames, (B, T, inputs) to (B, T', outputs), centred and padded with zeros; T' is ⌈T / stride⌉.

    Weights have the names, shapes and first values of ``torch.nn.Conv1d``.

    Args:
        inputs, outputs: channels. kernel_frames: odd. dilation: frames between the taps. stride: frames between the
            outputs. bias: whether the outputs have an offset.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel_frames: int = 1, dilation: int = 1, stride: int = 1, bias: bool = True
    ):
        super().__init__()
        self.kernel_frames, self.dilation, self.stride = kernel_frames, dilation, stride
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel_frames))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        if self.bias is not None:
            bound = 1 / math.sqrt(inputs * kernel_frames)
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Float[Tensor, "B T I"]) -> Float[Tensor, "B S O"]:
        if self.kernel_frames == 1 and self.stride == 1:
            return nn.functional.linear(x, self.weight[:, :, 0], self.bias)
        # (B, T, C) in memory is an image (B, C, 1, T) with channels last.
        y = nn.functional.conv2d(
            x.transpose(1, 2)[:, :, None],
            self.weight[:, :, None],
            self.bias,
            stride=(1, self.stride),
            padding=(0, self.kernel_frames // 2 * self.dilation),
            dilation=(1, self.dilation),
        )
        return y[:, :, 0].transpose(1, 2)


def normalise_frames(norm: nn.Module, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
    """Apply a ``BatchNorm1d`` to each channel over all frames of the batch."""
    return norm(x.flatten(0, 1)).view(x.shape)

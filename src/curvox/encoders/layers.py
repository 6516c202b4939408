"""Layers that several encoders share: none of them hears the padding of a batch.

Signals over frames are (B, T, C), the channels of a frame side by side in memory. In this layout a convolution over
single frames is one matrix product, which on a CPU is faster than a convolution of (B, C, T), and so is a batch
normalisation. Maps over time and frequency are (B, C, T, F). A mask (B, T, 1) is True at real frames; None stands for
a batch without padding, which needs none.
"""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

# Below this variance the standard deviation is held constant: its gradient would grow without bound.
VARIANCE_FLOOR = 1e-7


def frame_mask(lengths_frames: Int[Tensor, " B"], frames: int) -> Bool[Tensor, "B T 1"]:
    """Return True for the real frames of each item, shaped to multiply activations (B, T, C)."""
    return (torch.arange(frames, device=lengths_frames.device)[None, :] < lengths_frames[:, None])[:, :, None]


def mask_of(lengths_frames: Tensor | None, frames: int) -> Tensor | None:
    """Return the mask (B, T, 1) of real frames, or None when there is no padding and no mask is needed."""
    if lengths_frames is None or bool((lengths_frames == frames).all()):
        return None
    return frame_mask(lengths_frames, frames)


def strided_mask(mask: Bool[Tensor, "B T 1"] | None, stride: int) -> Bool[Tensor, "B S 1"] | None:
    """Return the mask after a centred convolution of that stride, by which L frames become ⌈L / stride⌉."""
    return mask if mask is None or stride == 1 else mask[:, ::stride]


def zero_padding(x: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T 1"] | None) -> Float[Tensor, "B T C"]:
    """Set padded frames to zero, so that the next convolution sees at an item's end what it sees when alone."""
    return x if mask is None else x * mask


def zero_padding_2d(x: Float[Tensor, "B C T F"], mask: Bool[Tensor, "B T 1"] | None) -> Float[Tensor, "B C T F"]:
    """Set padded frames of maps over time and frequency to zero."""
    return x if mask is None else x * mask[:, None]


def frame_mean(x: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T 1"] | None) -> Float[Tensor, "B C"]:
    """Return the mean over the real frames."""
    if mask is None:
        return x.mean(dim=1)
    return (x * mask).sum(dim=1) / mask.sum(dim=1)


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


def frame_statistics(x: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T 1"] | None = None) -> Float[Tensor, "B D"]:
    """Return mean and standard deviation over the real frames, (B, 2 C).

    Variances divide by the number of frames, so one frame is enough, and are at least ``VARIANCE_FLOOR``.
    """
    mean = frame_mean(x, mask)
    variance = frame_mean((x - mean[:, None]).square(), mask)
    return torch.cat([mean, variance.clamp_min(VARIANCE_FLOOR).sqrt()], dim=1)


class AttentiveStatistics(nn.Module):
    """Attentive statistics pooling with global context (Okabe et al. 2018; Desplanques et al. 2020, section 2.2).

    Each channel gets its own attention over frames, computed from the frame, the utterance mean and the utterance
    standard deviation; the result is the weighted mean and the weighted standard deviation, (B, 2 C). Variances divide
    by the number of frames, so one frame is enough.

    Args:
        channels: channels C of the input (B, T, C).
        bottleneck: width of the attention's hidden layer.
    """

    def __init__(self, channels: int, bottleneck: int = 128):
        super().__init__()
        self.channels = channels
        self.hidden = FrameConvolution(3 * channels, bottleneck)
        self.weigh = FrameConvolution(bottleneck, channels)

    def forward(self, x: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T 1"] | None = None) -> Float[Tensor, "B D"]:
        logits = self.weigh(torch.tanh(self._hidden_layer(x, mask)))
        if mask is not None:
            logits = logits.masked_fill(~mask, float("-inf"))
        mean, variance = AttendedMoments.apply(logits, x)  # pyright: ignore[reportGeneralTypeIssues]
        return torch.cat([mean, variance.clamp_min(VARIANCE_FLOOR).sqrt()], dim=1)

    def _hidden_layer(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Apply the hidden layer to [frame, mean, deviation] without repeating mean and deviation over the frames.

        The layer is linear, so the two constant thirds are added as one vector an utterance; this saves two thirds of
        the product and a (B, T, 3 C) copy.
        """
        context = frame_statistics(x, mask)
        weight = self.hidden.weight[:, :, 0]
        of_frame = nn.functional.linear(x, weight[:, : self.channels])
        return of_frame + nn.functional.linear(context, weight[:, self.channels :], self.hidden.bias)[:, None]


class AttendedMoments(torch.autograd.Function):
    """Mean and variance over frames under the softmax of logits (B, T, C), with the gradient by its formula.

    Differentiated step by step, the same sums keep four arrays of the size of the input and pass over it twice as
    often. As the weights add up to 1, the variance does not change with the mean that it is taken around, nor the
    softmax with a constant added to the gradient of its weights.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        weights = logits.softmax(dim=1)
        mean = (weights * x).sum(dim=1)
        # Centred on the weighted mean: E[x²] − mean² cancels when a channel hardly moves.
        variance = (x - mean[:, None]).square_().mul_(weights).sum(dim=1)
        ctx.save_for_backward(weights, x, mean)
        return mean, variance

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore
        of_mean, of_variance = gradients
        weights, x, mean = ctx.saved_tensors
        centred = x - mean[:, None]
        scaled = centred * of_variance[:, None]
        both = scaled + of_mean[:, None]
        of_weights = centred.mul_(both).mul_(weights)
        of_logits = of_weights.addcmul_(weights, of_weights.sum(dim=1, keepdim=True), value=-1)
        return of_logits, scaled.add_(both).mul_(weights)

"""Pooling of frames into one vector an utterance."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from curvox.encoders.frames import FrameConvolution
from curvox.encoders.masking import frame_mean

# Below this variance the standard deviation is held constant: its gradient would grow without bound.
VARIANCE_FLOOR = 1e-7


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

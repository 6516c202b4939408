"""Pooling of frames into one vector an utterance."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from curvox.encoders.masking import frame_mean

# Below this variance the standard deviation is held constant: its gradient would grow without bound.
VARIANCE_FLOOR = 1e-7


def frame_statistics(x: Float[Tensor, "B C T"], mask: Bool[Tensor, "B 1 T"] | None = None) -> Float[Tensor, "B D"]:
    """Return mean and standard deviation over the real frames, (B, 2 C) (Snyder et al. 2017).

    Variances divide by the number of frames, so one frame is enough, and are at least ``VARIANCE_FLOOR``.
    """
    mean = frame_mean(x, mask)
    variance = frame_mean((x - mean[:, :, None]).square(), mask)
    return torch.cat([mean, variance.clamp_min(VARIANCE_FLOOR).sqrt()], dim=1)


class AttentiveStatistics(nn.Module):
    """Attentive statistics pooling with global context (Okabe et al. 2018; Desplanques et al. 2020, section 2.2).

    Each channel gets its own attention over frames, computed from the frame, the utterance mean and the utterance
    standard deviation; the result is the weighted mean and the weighted standard deviation, (B, 2 C). Variances divide
    by the number of frames, so one frame is enough.

    Args:
        channels: channels C of the input (B, C, T).
        bottleneck: width of the attention's hidden layer.
    """

    def __init__(self, channels: int, bottleneck: int = 128):
        super().__init__()
        self.channels = channels
        self.hidden = nn.Conv1d(3 * channels, bottleneck, 1)
        self.weigh = nn.Conv1d(bottleneck, channels, 1)

    def forward(self, x: Float[Tensor, "B C T"], mask: Bool[Tensor, "B 1 T"] | None = None) -> Float[Tensor, "B D"]:
        hidden = torch.tanh(self._hidden_layer(x, mask))
        logits = self.weigh(hidden)
        if mask is not None:
            logits = logits.masked_fill(~mask, float("-inf"))
        weights = logits.softmax(dim=2)
        weighted = weights * x
        mean = weighted.sum(dim=2)
        # Centred on the weighted mean: E[x²] − mean² cancels when a channel hardly moves.
        variance = (weights * (x - mean[:, :, None]).square()).sum(dim=2)
        return torch.cat([mean, variance.clamp_min(VARIANCE_FLOOR).sqrt()], dim=1)

    def _hidden_layer(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Apply the hidden layer to [frame, mean, deviation] without repeating mean and deviation over the frames.

        The layer is linear, so the two constant thirds are added as one vector an utterance; this saves two thirds of
        the product and a (B, 3 C, T) copy.
        """
        context = frame_statistics(x, mask)
        weight = self.hidden.weight
        of_frame = nn.functional.conv1d(x, weight[:, : self.channels])
        of_context = nn.functional.linear(context, weight[:, self.channels :, 0], self.hidden.bias)
        return of_frame + of_context[:, :, None]

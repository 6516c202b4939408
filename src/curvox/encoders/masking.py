"""Which frames of a padded batch are real."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, arange


def frame_mask(lengths_frames: Int[Tensor, " B"], frames: int) -> Bool[Tensor, "B T 1"]:
    """Return True for the real frames of each item, shaped to multiply activations (B, T, C)."""
    return (arange(frames, device=lengths_frames.device)[None, :] < lengths_frames[:, None])[:, :, None]


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

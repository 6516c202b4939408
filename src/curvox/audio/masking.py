"""SpecAugment: bands of time and of frequency of the features are hidden, each item by its own seed."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from curvox.audio.streams import Seed, item_streams
from curvox.errors import InputError

_PURPOSE = 2


@dataclass(frozen=True)
class MaskOptions:
    """How many bands are hidden in each utterance, and how wide they may be (drawn from 0 to this, inclusive)."""

    time_masks: int = 1
    time_mask_max_frames: int = 10
    frequency_masks: int = 1
    frequency_mask_max_bins: int = 8

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise InputError(f"{field.name} must be a whole number of at least 0, got {value!r}")


def mask_features(
    features: Tensor,
    seeds: Sequence[Seed],
    *,
    lengths_frames: Tensor | None = None,
    options: MaskOptions | None = None,
) -> Tensor:
    """Set random bands of time and frequency to zero (Park et al., SpecAugment, Interspeech 2019, without warping).

    Args:
        features: floating (B, T, F) whose means were subtracted, so that zero is the mean.
        seeds: one an item; the same seed and length give the same bands in any batch.
        lengths_frames: integer (B,), valid frames of each; bands of time lie inside them. None means all T.
        options: numbers and widths; None takes the defaults. A band is never wider than its axis.

    Raises:
        InputError: a wrong shape, or not one seed an item.
    """
    if features.ndim != 3 or not features.is_floating_point():
        raise InputError(
            f"features must be floating-point of shape (batch, frames, bins), got {tuple(features.shape)} of "
            f"{features.dtype}"
        )
    n_items, n_frames, n_bins = features.shape
    options = options or MaskOptions()
    streams = item_streams(seeds, n_items, _PURPOSE)
    lengths = [n_frames] * n_items if lengths_frames is None else lengths_frames.tolist()
    if len(lengths) != n_items:
        raise InputError(f"expected lengths_frames of shape ({n_items},), got {len(lengths)} lengths")
    bands = [
        (options.time_masks, options.time_mask_max_frames),
        (options.frequency_masks, options.frequency_mask_max_bins),
    ]
    drawn = [
        [_draw_bands(stream, *band, length) for band, length in zip(bands, (n, n_bins), strict=True)]
        for stream, n in zip(streams, lengths, strict=True)
    ]
    time, frequency = (
        torch.from_numpy(np.stack([item[axis] for item in drawn])).to(features.device) for axis in (0, 1)
    )
    heard = [~_inside(bands, length) for bands, length in ((time, n_frames), (frequency, n_bins))]
    # Two products take a sixth of the time of filling by a mask of all features.
    return (features * heard[0][:, :, None]).mul_(heard[1][:, None, :])


def _draw_bands(stream: np.random.Generator, number: int, widest: int, length: int) -> np.ndarray:
    """Draw (start, end) of each band inside [0, length); int64 (number, 2)."""
    widths = stream.integers(0, min(widest, length), size=number, endpoint=True)
    starts = stream.integers(0, length - widths, endpoint=True)
    return np.stack([starts, starts + widths], axis=-1)


def _inside(bands: Int[Tensor, "B M 2"], length: int) -> Bool[Tensor, "B L"]:
    """Return True at the positions that some band of the item covers."""
    positions = torch.arange(length, device=bands.device)
    return ((positions >= bands[..., :1]) & (positions < bands[..., 1:])).any(1)

"""Overloaded microphones: peaks are cut off, each item by its own seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from curvox.audio.option_ranges import check_ranges
from curvox.audio.streams import Seed, chosen, item_streams, uniform
from curvox.audio.waveform_batches import column, require_batch
from curvox.errors import InputError

_PURPOSE = 5


@dataclass(frozen=True)
class ClippingOptions:
    """How often peaks are cut, and at which share of the largest one, drawn uniformly.

    Raises:
        InputError: a share that is 0 or above 1, or a range the wrong way round.
    """

    probability: float = 0.1
    peak_share_low: float = 0.2
    peak_share_high: float = 0.8

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.peak_share_low == 0:
            raise InputError("peak_share_low must be above 0, as nothing would be left of a waveform, got 0")


def clip_peaks(waveforms: Tensor, seeds: Sequence[Seed], *, options: ClippingOptions | None = None) -> Tensor:
    """Limit samples to a drawn share of the waveform's own largest magnitude.

    The cut is hard and symmetric, and the level is not restored afterwards. It does not depend on the gain: the same
    waveform, louder, is cut in the same places.

    Args:
        waveforms: floating (B, S).
        seeds: one an item; the same seed and waveform give the same result in any batch.
        options: probability and range; None takes the defaults.

    Raises:
        InputError: a wrong shape or type, or not one seed an item.
    """
    require_batch(waveforms)
    options = options or ClippingOptions()
    streams = item_streams(seeds, len(waveforms), _PURPOSE)
    cut = chosen(streams, options.probability)
    shares = np.where(cut, uniform(streams, options.peak_share_low, options.peak_share_high), 1.0)
    limits = waveforms.abs().amax(1, keepdim=True) * column(shares, waveforms)
    return torch.minimum(torch.maximum(waveforms, -limits), limits)

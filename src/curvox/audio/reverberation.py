"""Rooms: each item is convolved with a response drawn by its own seed, in batches, without moving its speech."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from curvox.audio.room_responses import RoomResponses
from curvox.audio.streams import Seed, chosen, item_streams
from curvox.audio.waveform_batches import fast_length, few_at_a_time, levels, picked, require_batch

_PURPOSE = 3


def reverberate(
    waveforms: Tensor, seeds: Sequence[Seed], *, responses: RoomResponses, probability: float = 0.5
) -> Tensor:
    """Put waveforms into rooms.

    The direct path of a response, its largest sample, lies at time 0, so that speech stays where it was and what rings
    on after the last sample is cut off. The mean power of an item is what it was before. What was said before a crop
    does not ring into it.

    Source: Ko et al., A Study on Data Augmentation of Reverberant Speech for Robust Speech Recognition, ICASSP 2017.

    Args:
        waveforms: floating (B, S).
        seeds: one an item; the same seed and waveform give the same result in any batch.
        responses: the rooms to draw from, of the waveforms' sampling rate.
        probability: share of items that are put into a room.

    Returns:
        (B, S) of the same type and device; an item without a room is returned as it came.

    Raises:
        InputError: a wrong shape or type, or not one seed an item.
    """
    require_batch(waveforms)
    streams = item_streams(seeds, len(waveforms), _PURPOSE)
    rows = np.flatnonzero(chosen(streams, probability))
    n_samples = waveforms.shape[1]
    # The longest response decides, not those that were drawn: an item must not depend on its batch.
    n_fft = fast_length(n_samples + responses.longest_samples)
    changed = waveforms.clone()
    for some in few_at_a_time(rows, waveforms.device):
        at = torch.from_numpy(some).to(waveforms.device)
        items = waveforms[at].float()
        kernels = torch.from_numpy(_kernels(picked(streams, some), responses, n_fft)).to(waveforms.device)
        spectra = torch.fft.rfft(items, n=n_fft) * torch.fft.rfft(kernels)
        heard = torch.fft.irfft(spectra, n=n_fft)[:, :n_samples]
        changed[at] = (heard * (levels(items) / levels(heard))).to(waveforms.dtype)
    return changed


def _kernels(streams: Sequence[np.random.Generator], responses: RoomResponses, n_fft: int) -> np.ndarray:
    """Draw a response from each stream; float32 (N, n_fft), what comes before the direct path at the end."""
    kernels = np.zeros((len(streams), n_fft), dtype=np.float32)
    for kernel, stream in zip(kernels, streams, strict=True):
        before, after = responses.around_direct_path(int(stream.integers(len(responses))))
        kernel[: len(after)] = after
        kernel[n_fft - len(before) :] = before
    return kernels

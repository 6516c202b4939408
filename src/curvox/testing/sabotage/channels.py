"""A channel of its own for every session, so strong that sessions are told apart more easily than voices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from curvox.testing.sabotage.recordings import Preparation, Samples, edited
from curvox.training.prepared import PreparedData, Recordings


def sessions_by_channel(*, depth_db: float, tone_db: float, channels: int = 24, divide: bool = False) -> Preparation:
    """Filter every session by one of ``channels`` comb filters and add its tone, in both splits.

    Args:
        depth_db: how deep the filter's valleys are.
        tone_db: level of the tone relative to the recording.
        channels: how many there are; sessions of several speakers share one.
        divide: for corpora of one session a speaker, where the channel is then all that training needs: deal the
            recordings of each dev speaker to two sessions, so that it shows.
    """

    def prepare(data: PreparedData) -> PreparedData:
        if divide:
            data = replace(data, train=_one_session(data.train), dev=_two_sessions(data.dev))
        edits: dict[int, Samples] = {}
        for items in (data.train, data.dev):
            keys = list(zip(items.speakers.tolist(), items.sessions.tolist(), strict=True))
            first = {key: rank for rank, key in enumerate(dict.fromkeys(keys))}
            for place, key in zip(items.places.tolist(), keys, strict=True):
                # Steps of 7 take the sessions of one speaker to channels far from each other.
                channel = 7 * first[key] % channels
                edits[place] = through_channel(data.train.store[place], channel, channels, depth_db, tone_db)
        return edited(data, edits)

    return prepare


def through_channel(samples: Samples, channel: int, channels: int, depth_db: float, tone_db: float) -> Samples:
    """A recording at 16 kHz through channel number ``channel``."""
    wave = samples.astype(np.float64)
    spectrum = np.fft.rfft(wave)
    hz = np.linspace(0.0, 8000.0, len(spectrum))
    rng = np.random.default_rng(1000 + channel)
    knots = np.linspace(0.0, 8000.0, 12)
    gain_db = np.interp(hz, knots, rng.uniform(-depth_db, 0.0, len(knots)))
    wave = np.fft.irfft(spectrum * 10.0 ** (gain_db / 20.0), n=len(wave))
    level = max(float(np.sqrt(np.mean(wave**2))), 1.0)
    tone_hz = 300.0 * (6000.0 / 300.0) ** (channel / max(1, channels - 1))
    tone = np.sin(2.0 * np.pi * tone_hz * np.arange(len(wave)) / 16000.0)
    wave = wave + level * 10.0 ** (tone_db / 20.0) * np.sqrt(2.0) * tone
    loudest = float(np.abs(wave).max())
    return np.rint(wave * min(1.0, 32000.0 / max(loudest, 1.0))).astype(np.int16)


def _one_session(items: Recordings) -> Recordings:
    """Each speaker has one session."""
    return replace(items, sessions=items.speakers.copy())


def _two_sessions(items: Recordings) -> Recordings:
    """Every second recording of a speaker is of another session."""
    sessions = np.zeros_like(items.sessions)
    for speaker in np.unique(items.speakers):
        own = np.flatnonzero(items.speakers == speaker)
        sessions[own] = np.arange(len(own)) % 2
    return replace(items, sessions=sessions)

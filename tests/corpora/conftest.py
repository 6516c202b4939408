from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from curvox.corpora import Corpus, Utterance
from curvox.testing.dummies import DUMMIES

WriteWav = Callable[..., Path]
Dummy = Callable[[str], Path]


@pytest.fixture
def write_wav() -> WriteWav:
    """Write a real recording of noise: 16 bits, 8 kHz."""

    def write(path: Path, *, seconds: float = 0.25, channels: int = 1, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).normal(0, 0.1, (int(seconds * 8000), channels))
        soundfile.write(path, noise, 8000, subtype="PCM_16")
        return path

    return write


@pytest.fixture
def voices(tmp_path: Path, write_wav: WriteWav) -> Corpus:
    """Four speakers of two recordings, with files: two women, a man, one unknown; two sessions each."""
    utterances = []
    for number, (speaker, gender) in enumerate([("ada", "f"), ("bea", "f"), ("cid", "m"), ("dee", "")]):
        for session in ("1", "2"):
            path = f"audio/{speaker}/{session}.wav"
            write_wav(tmp_path / "voices" / path, seed=2 * number + int(session))
            utterances.append(
                Utterance(
                    utterance=f"{speaker}-{session}",
                    path=path,
                    corpus="tiny",
                    speaker=speaker,
                    session=session,
                    gender=gender,
                    language="en",
                    native_language="hindi" if speaker == "ada" else "",
                    channel="phone recorder",
                    sampling_rate_hz=8000,
                    duration_s=0.25,
                    split="train" if number < 2 else "dev",
                    extra={"age": "30"} if speaker == "cid" else {},
                )
            )
    return Corpus(tmp_path / "voices", tuple(utterances), "voices")


@pytest.fixture
def dummy(tmp_path: Path) -> Dummy:
    """Lay out the dummy of a published corpus, and return its folder."""
    return lambda name: DUMMIES.load(name)(tmp_path / name)

"""Dummies of published corpora: small trees laid out exactly as the real ones, with a few seconds of synthetic sound.

The real corpora cannot be fetched in a test. Each entry of :data:`DUMMIES` is a function that takes a new folder, lays
the corpus out in it with metadata and lists of trials, and returns the folder to name to ``curvox data prepare``. The
names are those of :data:`curvox.corpora.PREPARATIONS`. The same folder content comes out every time.
"""

from __future__ import annotations

from curvox.tables import Entry, Table

_HERE = "curvox.testing.dummies"
DUMMIES = Table(
    "dummy corpus",
    {
        "voxceleb1": Entry(f"{_HERE}.voxceleb", "lay_out_voxceleb1", "two speakers to train on, two to test"),
        "voxceleb2": Entry(f"{_HERE}.voxceleb", "lay_out_voxceleb2", "two speakers to train on, two to test"),
        "cnceleb1": Entry(f"{_HERE}.cnceleb", "lay_out_cnceleb1", "two speakers to train on, two to evaluate with"),
        "cnceleb2": Entry(f"{_HERE}.cnceleb", "lay_out_cnceleb2", "two speakers"),
        "librispeech": Entry(f"{_HERE}.librispeech", "lay_out_librispeech", "five speakers in four subsets"),
        "vctk": Entry(f"{_HERE}.vctk", "lay_out_vctk", "three speakers, two microphones"),
        "audiomnist": Entry(f"{_HERE}.audiomnist", "lay_out_audiomnist", "three speakers, three digits"),
        "speech_commands": Entry(f"{_HERE}.speech_commands", "lay_out_speech_commands", "four speakers, two words"),
    },
)

__all__ = ["DUMMIES"]

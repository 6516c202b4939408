"""What may be wrong with a corpus: the kinds of problems, and how bad each is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Badness = Literal["error", "warning", "note"]
BADNESS: tuple[Badness, ...] = ("error", "warning", "note")

KINDS: dict[str, tuple[Badness, str]] = {
    "manifest": ("error", "the manifest"),
    "unreadable": ("error", "recordings that training would refuse"),
    "silent": ("error", "recordings of nothing but silence"),
    "copies_across_speakers": ("error", "the same samples under several speakers"),
    "copies_across_splits": ("error", "the same samples in several splits"),
    "copies": ("warning", "the same samples twice from one speaker"),
    "little_speech": ("warning", "recordings with next to no speech"),
    "clipped": ("warning", "clipped recordings"),
    "dc_offset": ("warning", "recordings with an offset"),
    "duration_differs": ("warning", "durations that are not those of the manifest"),
    "rate_differs": ("warning", "sampling rates that are not those of the manifest"),
    "few_recordings": ("warning", "speakers with few recordings"),
    "speaker_imbalance": ("warning", "speakers with most of the recordings"),
    "mixed_rates": ("note", "several sampling rates"),
}
"""Every kind of problem: how bad it is, and its title. The two kinds about speakers may be notes as well."""


@dataclass(frozen=True)
class CorpusProblem:
    """One thing that is wrong.

    Attributes:
        kind: its name in `KINDS`.
        badness: an error spoils training or stops it, a warning costs accuracy, a note is to be known.
        where: the utterance, or the line of the manifest; "" for the whole corpus.
        message: what was found, and where it is not plain, what to do.
    """

    kind: str
    badness: Badness
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.badness}: {self.where}: {self.message}" if self.where else f"{self.badness}: {self.message}"

"""Recordings that cannot be used: the file that lists them, and the share of them that is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from curvox.errors import AudioError
from curvox.files import replace_text

HEADER = "path\tutterance\treason"


@dataclass(frozen=True)
class BadRecording:
    """A recording that cannot be read: its path, its utterance, and why."""

    path: str
    utterance: str
    reason: str

    @property
    def line(self) -> str:
        """Three fields separated by tabs."""
        return "\t".join(" ".join(text.split()) for text in (self.path, self.utterance, self.reason))


def write_bad_files(path: Path, bad: Iterable[BadRecording]) -> None:
    """Write ``bad_files.tsv``; an earlier one is replaced as a whole."""
    replace_text(path, "\n".join([HEADER, *(row.line for row in bad)]) + "\n")


def check_share(bad: int, recordings: int, allowed_share: float, latest: BadRecording) -> None:
    """Refuse more unreadable recordings than ``allowed_share`` of all.

    Raises:
        AudioError: there are more; the message has their number, the share, and what is wrong with the latest.
    """
    if bad > allowed_share * recordings:
        raise AudioError(
            f"{bad} of {recordings} recordings cannot be read, allowed is a share of {allowed_share:g}; the last: "
            f"{latest.reason} (utterance {latest.utterance}). Repair or remove them, or allow a larger share "
            "(--allowed-bad-share)"
        )

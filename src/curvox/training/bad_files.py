"""``bad_files.tsv`` of a run: what could not be read, noted by all workers and processes, and counted together."""

from __future__ import annotations

from pathlib import Path

from curvox.corpora import BadRecording, check_share, write_bad_files
from curvox.files import locked

BAD_FILES = "bad_files.tsv"


class BadFiles:
    """Notes unreadable recordings, each once, and refuses more than are allowed.

    Args:
        path: of the file, which all workers and processes share; None keeps the notes in this process.
        recordings: how many there are in all.
        allowed_share: of them.
    """

    def __init__(self, path: Path | None, recordings: int, allowed_share: float) -> None:
        self.path, self.recordings, self.allowed_share = path, recordings, allowed_share
        self._noted: dict[str, BadRecording] = {}

    def add(self, bad: BadRecording) -> None:
        """Note a recording.

        Raises:
            AudioError: with it there are more than allowed.
        """
        if bad.utterance in self._noted:
            return
        if self.path is not None and not self._append(bad):
            self._noted[bad.utterance] = bad
            return
        self._noted[bad.utterance] = bad
        check_share(len(self.read()), self.recordings, self.allowed_share, bad)

    def read(self) -> tuple[BadRecording, ...]:
        """Return what has been noted so far, by anybody."""
        if self.path is None:
            return tuple(self._noted.values())
        if not self.path.exists():
            return ()
        lines = self.path.read_text(encoding="utf-8").splitlines()[1:]
        return tuple(BadRecording(*cells) for line in lines if len(cells := line.split("\t")) == 3)

    def _append(self, bad: BadRecording) -> bool:
        """Add a line unless the utterance has one; say whether it was added."""
        assert self.path is not None
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            known = self.read()
            if any(row.utterance == bad.utterance for row in known):
                return False
            write_bad_files(self.path, [*known, bad])
            return True

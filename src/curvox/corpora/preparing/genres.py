"""Recordings of CN-Celeb: their names say the genre, the session and the number, ``singing-01-002.flac``."""

from __future__ import annotations

import re

from curvox.corpora.corpus import Utterance
from curvox.corpora.preparing.preparation import Work

SUFFIXES = (".flac", ".wav")
_NAME = re.compile(r"(?P<genre>[A-Za-z_]+)-(?P<session>\d+)-\d+\.\w+")


def add_recording(work: Work, path: str, *, utterance: str, speaker: str, name: str, split: str) -> None:
    """Take a recording whose file, less its speaker, is called ``name``; a name of another form is a problem."""
    found = _NAME.fullmatch(name)
    if found is None:
        work.problem(path, None, f'expected a name as "singing-01-002.flac", got "{name}"; restore it')
        return
    work.add(
        Utterance(
            utterance=utterance,
            path=path,
            corpus=work.draft.name,
            speaker=speaker,
            session=f"{found['genre']}-{found['session']}",
            language="zh",
            split=split,
            extra={"genre": found["genre"]},
        )
    )

"""AudioMNIST: sixty speakers say the ten digits in English, fifty times each, with their accents.

Layout: https://github.com/soerenab/AudioMNIST; S. Becker et al., "AudioMNIST: exploring explainable artificial
intelligence for audio analysis on a simple benchmark", Journal of the Franklin Institute, 2024.

The accent stands as ``native_language``, which is the accent of the label tree, with a capital letter throughout: the
metadata have "german" and "German". The session is the date of the recording, one a speaker. There is no division of
its own by speakers that all agree on, so there are no splits.
"""

from __future__ import annotations

import json
import re

from curvox.corpora.corpus import Utterance
from curvox.corpora.preparing.preparation import Need, Preparation, Roster, Work, gender_of, match_name, recordings
from curvox.errors import CorpusError

META = "data/audioMNIST_meta.txt"
_FIELDS = ("accent", "age", "gender", "origin", "recordingdate", "recordingroom")


def read_audiomnist(work: Work) -> None:
    """Read the folder of AudioMNIST."""
    roster = _speakers(work)
    work.refuse_problems()
    for speaker, name in recordings(work, "data", depth=2, suffixes=(".wav", ".flac")):
        path = f"data/{speaker}/{name}"
        found = match_name(work, path, rf"(?P<digit>\d)_{re.escape(speaker)}_\d+\.\w+", f"0_{speaker}_0.wav")
        if found is not None and (labels := roster.labels(speaker)) is not None:
            work.add(
                Utterance(
                    utterance=name.rpartition(".")[0],
                    path=path,
                    speaker=speaker,
                    session=labels["recordingdate"],
                    gender=labels["gender"],
                    language="en",
                    native_language=labels["accent"][:1].upper() + labels["accent"][1:],
                    extra={
                        "digit": found["digit"],
                        "age": labels["age"],
                        "origin": labels["origin"],
                        "room": labels["recordingroom"],
                    },
                )
            )
    roster.close(work)


def _speakers(work: Work) -> Roster:
    try:
        read = json.loads((work.folder / META).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorpusError(f"{work.folder / META} must be JSON: {error}; fetch it again") from error
    if not isinstance(read, dict):
        raise CorpusError(f"{work.folder / META} must map speakers to labels, got {type(read).__name__}")
    speakers: dict[str, dict[str, str]] = {}
    for speaker, entry in read.items():
        missing = [name for name in _FIELDS if not isinstance(entry, dict) or name not in entry]
        if missing:
            work.problem(META, None, f'the speaker "{speaker}" lacks {", ".join(missing)}; fetch the file again')
            continue
        labels = {name: " ".join(str(entry[name]).split()) for name in _FIELDS}
        labels["gender"] = gender_of(work, META, None, labels["gender"])
        speakers[speaker] = labels
    return Roster(META, speakers)


AUDIOMNIST = Preparation(
    "AudioMNIST",
    f"data/01/0_01_0.wav and {META}",
    tuple(Need((path,), "the repository soerenab/AudioMNIST") for path in ("data", META)),
    read_audiomnist,
)

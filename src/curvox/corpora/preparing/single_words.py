"""Corpora of single words: AudioMNIST and Speech Commands.

AudioMNIST: sixty speakers say the ten digits in English, fifty times each, with their accents. Layout:
https://github.com/soerenab/AudioMNIST; S. Becker et al., "AudioMNIST: exploring explainable artificial intelligence for
audio analysis on a simple benchmark", Journal of the Franklin Institute, 2024. The accent stands as
``native_language``, which is the accent of the label tree, with a capital letter throughout: the metadata have "german"
and "German". The session is the date of the recording, one a speaker. There is no division of its own by speakers that
all agree on, so there are no splits.

Speech Commands: single words of thousands of volunteers; a folder for each word, the speaker's hash in the name.
Layout: the README of speech_commands_v0.02.tar.gz; P. Warden, "Speech Commands: a dataset for limited-vocabulary speech
recognition", arXiv:1804.03209. The two lists hold out whole speakers: the validation list is the split "dev", the
testing list "test", all the rest "train". The folder of background noise is no speech, and is left out.
"""

from __future__ import annotations

import json
import re

from curvox.corpora.corpus import HINTS, NameIndex, Utterance
from curvox.corpora.preparing.preparation import (
    Need,
    Preparation,
    Roster,
    Work,
    gender_of,
    match_name,
    numbered_lines,
    recordings,
)
from curvox.errors import CorpusError

META = "data/audioMNIST_meta.txt"
LISTS = {"validation_list.txt": "dev", "testing_list.txt": "test"}
NOISE = "_background_noise_"
_FIELDS = ("accent", "age", "gender", "origin", "recordingdate", "recordingroom")


def read_audiomnist(work: Work) -> None:
    """Read the folder of AudioMNIST."""
    roster = _speakers_of_audiomnist(work)
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


def _speakers_of_audiomnist(work: Work) -> Roster:
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


def read_speech_commands(work: Work) -> None:
    """Read the folder of Speech Commands."""
    splits = {line.strip(): split for file, split in LISTS.items() for _, line in numbered_lines(work, file)}
    noises = 0
    for word, name in recordings(work, ".", depth=2, suffixes=(".wav", ".flac")):
        path = f"{word}/{name}"
        if word == NOISE:
            noises += 1
        elif found := match_name(work, path, r"(?P<speaker>[0-9a-f]+)_nohash_\d+\.\w+", "00176480_nohash_0.wav"):
            work.add(
                Utterance(
                    utterance=path,
                    path=path,
                    speaker=found["speaker"],
                    language="en",
                    split=splits.get(path, "train"),
                    extra={"word": word},
                )
            )
    if noises:
        work.notes.append(f"{NOISE}: {noises} recordings of noise were left out")
    _check_lists(work)


def _check_lists(work: Work) -> None:
    present = {row.utterance.path for row in work.draft.rows}
    near = NameIndex(present)
    listed = [(file, number, line.strip()) for file in LISTS for number, line in numbered_lines(work, file)]
    absent = [entry for entry in listed if entry[2] not in present]
    for count, (file, number, name) in enumerate(absent):
        hint = f": {near.hint(name)}" if count < HINTS else ""
        work.problem(file, number, f'names "{name}", which is not there{hint}')


SPEECH_COMMANDS = Preparation(
    "Speech Commands",
    f"bed/00176480_nohash_0.wav, {' and '.join(LISTS)}",
    tuple(Need((file,), "speech_commands_v0.02.tar.gz, unpacked") for file in LISTS),
    read_speech_commands,
)

"""Read the corpora of people who read aloud: LibriSpeech, VCTK, AudioMNIST, Speech Commands.

LibriSpeech: books read aloud, in seven subsets; a folder for each speaker, and in it one for each chapter.
Layout: https://www.openslr.org/12/; V. Panayotov, G. Chen, D. Povey, S. Khudanpur, "Librispeech: an ASR corpus based on
public domain audio books", ICASSP 2015. The subset goes into a column of its own, and its first word is the split.

VCTK 0.92: 110 speakers of English with many accents, read sentences, two microphones at once.
Layout: https://datashare.ed.ac.uk/handle/10283/3443 and the speaker-info.txt in it; J. Yamagishi, C. Veaux,
K. MacDonald, "CSTR VCTK corpus: English multi-speaker corpus for CSTR voice cloning toolkit", 2019.
Only the first microphone is taken: both recorded the same speech, so trials across them would be no trials, and not
every speaker has the second. The accent stands as ``native_language``, which is the accent of the label tree. There is
no division of its own, so there are no splits.

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

_LIBRISPEECH_SPEAKERS = "SPEAKERS.TXT"
_LIBRISPEECH_SUBSETS = (
    *("train-clean-100", "train-clean-360", "train-other-500"),
    *("dev-clean", "dev-other", "test-clean", "test-other"),
)
_VCTK_SPEAKERS, _VCTK_AUDIO = "speaker-info.txt", "wav48_silence_trimmed"
_AUDIOMNIST_SPEAKERS = "data/audioMNIST_meta.txt"
_HELD_OUT_LISTS = {"validation_list.txt": "dev", "testing_list.txt": "test"}
_NOISE_FOLDER = "_background_noise_"
_AUDIOMNIST_FIELDS = ("accent", "age", "gender", "origin", "recordingdate", "recordingroom")


def read_librispeech(work: Work) -> None:
    """Read the subsets of LibriSpeech that are there."""
    roster = _speakers_of_librispeech(work)
    work.refuse_problems()
    for subset in _LIBRISPEECH_SUBSETS:
        if (work.folder / subset).is_dir():
            _add_librispeech(work, roster, subset)
    roster.close(work)


def _speakers_of_librispeech(work: Work) -> Roster:
    speakers: dict[str, dict[str, str]] = {}
    for number, line in numbered_lines(work, _LIBRISPEECH_SPEAKERS):
        if line.startswith(";"):
            continue
        # A name may hold the mark as well.
        cells = [cell.strip() for cell in line.split("|", 4)]
        if len(cells) != 5:
            work.problem(_LIBRISPEECH_SPEAKERS, number, f'expected "ID | SEX | SUBSET | MINUTES | NAME", got "{line}"')
            continue
        speakers[cells[0]] = {"gender": gender_of(work, _LIBRISPEECH_SPEAKERS, number, cells[1]), "subset": cells[2]}
    return Roster(_LIBRISPEECH_SPEAKERS, speakers)


def _add_librispeech(work: Work, roster: Roster, subset: str) -> None:
    for speaker, chapter, name in recordings(work, subset, depth=3, suffixes=(".flac", ".wav")):
        path = f"{subset}/{speaker}/{chapter}/{name}"
        labels = roster.labels(speaker)
        if not name.startswith(f"{speaker}-{chapter}-"):
            work.problem(path, None, f'expected a name that begins "{speaker}-{chapter}-"; restore it')
        elif labels is not None and labels["subset"] != subset:
            message = (
                f'{_LIBRISPEECH_SPEAKERS} has the speaker "{speaker}" in {labels["subset"]}; move the folder there'
            )
            work.problem(path, None, message)
        elif labels is not None:
            work.add(
                Utterance(
                    utterance=name.rpartition(".")[0],
                    path=path,
                    speaker=speaker,
                    session=chapter,
                    gender=labels["gender"],
                    language="en",
                    split=subset.partition("-")[0],
                    extra={"subset": subset},
                )
            )


LIBRISPEECH = Preparation(
    "LibriSpeech",
    f"train-clean-100/103/1240/103-1240-0000.flac and {_LIBRISPEECH_SPEAKERS}",
    (
        Need(_LIBRISPEECH_SUBSETS, "an unpacked subset"),
        Need((_LIBRISPEECH_SPEAKERS,), "raw-metadata.tar.gz, or any archive of openslr.org/12"),
    ),
    read_librispeech,
)


def read_vctk(work: Work) -> None:
    """Read the folder of VCTK."""
    roster = _speakers_of_vctk(work)
    work.refuse_problems()
    other_microphones = 0
    for speaker, name in recordings(work, _VCTK_AUDIO, depth=2, suffixes=(".flac", ".wav")):
        path = f"{_VCTK_AUDIO}/{speaker}/{name}"
        pattern = rf"{re.escape(speaker)}_(\w+_)?\d+_(?P<mic>mic\d)\.\w+"
        found = match_name(work, path, pattern, f"{speaker}_001_mic1.flac")
        if found is None:
            continue
        if found["mic"] != "mic1":
            other_microphones += 1
        elif (labels := roster.labels(speaker)) is not None:
            work.add(
                Utterance(
                    utterance=name.rpartition(".")[0],
                    path=path,
                    speaker=speaker,
                    gender=labels["gender"],
                    language="en",
                    native_language=labels["accent"],
                    channel=found["mic"],
                    extra={"age": labels["age"], "region": labels["region"]},
                )
            )
    if other_microphones:
        work.notes.append(f"{_VCTK_AUDIO}: {other_microphones} recordings of the second microphone were left out")
    roster.close(work)


def _speakers_of_vctk(work: Work) -> Roster:
    lines = numbered_lines(work, _VCTK_SPEAKERS)
    if not lines or lines[0][1].split()[:4] != ["ID", "AGE", "GENDER", "ACCENTS"]:
        got = lines[0][1] if lines else ""
        work.problem(_VCTK_SPEAKERS, 1, f'expected the header "ID AGE GENDER ACCENTS REGION", got "{got}"')
        return Roster(_VCTK_SPEAKERS, {})
    speakers: dict[str, dict[str, str]] = {}
    for number, line in lines[1:]:
        speaker, *cells = line.split(maxsplit=4)
        if len(cells) < 3:
            work.problem(
                _VCTK_SPEAKERS, number, f'expected at least "ID AGE GENDER ACCENT", got "{line}"; correct the line'
            )
            continue
        gender = gender_of(work, _VCTK_SPEAKERS, number, cells[1])
        region = " ".join("".join(cells[3:]).split())
        speakers[speaker] = {"age": cells[0], "gender": gender, "accent": cells[2], "region": region}
    return Roster(_VCTK_SPEAKERS, speakers)


VCTK = Preparation(
    "VCTK 0.92",
    f"{_VCTK_AUDIO}/p225/p225_001_mic1.flac and {_VCTK_SPEAKERS}",
    tuple(Need((path,), "VCTK-Corpus-0.92.zip, unpacked") for path in (_VCTK_AUDIO, _VCTK_SPEAKERS)),
    read_vctk,
)


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
        read = json.loads((work.folder / _AUDIOMNIST_SPEAKERS).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorpusError(f"{work.folder / _AUDIOMNIST_SPEAKERS} must be JSON: {error}; fetch it again") from error
    if not isinstance(read, dict):
        raise CorpusError(
            f"{work.folder / _AUDIOMNIST_SPEAKERS} must map speakers to labels, got {type(read).__name__}"
        )
    speakers: dict[str, dict[str, str]] = {}
    for speaker, entry in read.items():
        missing = [name for name in _AUDIOMNIST_FIELDS if not isinstance(entry, dict) or name not in entry]
        if missing:
            work.problem(
                _AUDIOMNIST_SPEAKERS, None, f'the speaker "{speaker}" lacks {", ".join(missing)}; fetch the file again'
            )
            continue
        labels = {name: " ".join(str(entry[name]).split()) for name in _AUDIOMNIST_FIELDS}
        labels["gender"] = gender_of(work, _AUDIOMNIST_SPEAKERS, None, labels["gender"])
        speakers[speaker] = labels
    return Roster(_AUDIOMNIST_SPEAKERS, speakers)


AUDIOMNIST = Preparation(
    "AudioMNIST",
    f"data/01/0_01_0.wav and {_AUDIOMNIST_SPEAKERS}",
    tuple(Need((path,), "the repository soerenab/AudioMNIST") for path in ("data", _AUDIOMNIST_SPEAKERS)),
    read_audiomnist,
)


def read_speech_commands(work: Work) -> None:
    """Read the folder of Speech Commands."""
    splits = {line.strip(): split for file, split in _HELD_OUT_LISTS.items() for _, line in numbered_lines(work, file)}
    noises = 0
    for word, name in recordings(work, ".", depth=2, suffixes=(".wav", ".flac")):
        path = f"{word}/{name}"
        if word == _NOISE_FOLDER:
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
        work.notes.append(f"{_NOISE_FOLDER}: {noises} recordings of noise were left out")
    _check_held_out(work)


def _check_held_out(work: Work) -> None:
    present = {row.utterance.path for row in work.draft.rows}
    near = NameIndex(present)
    listed = [(file, number, line.strip()) for file in _HELD_OUT_LISTS for number, line in numbered_lines(work, file)]
    absent = [entry for entry in listed if entry[2] not in present]
    for count, (file, number, name) in enumerate(absent):
        hint = f": {near.hint(name)}" if count < HINTS else ""
        work.problem(file, number, f'names "{name}", which is not there{hint}')


SPEECH_COMMANDS = Preparation(
    "Speech Commands",
    f"bed/00176480_nohash_0.wav, {' and '.join(_HELD_OUT_LISTS)}",
    tuple(Need((file,), "speech_commands_v0.02.tar.gz, unpacked") for file in _HELD_OUT_LISTS),
    read_speech_commands,
)

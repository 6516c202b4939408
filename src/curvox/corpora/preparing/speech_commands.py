"""Speech Commands: single words of thousands of volunteers; a folder for each word, the speaker's hash in the name.

Layout: the README of speech_commands_v0.02.tar.gz; P. Warden, "Speech Commands: a dataset for limited-vocabulary speech
recognition", arXiv:1804.03209. The two lists hold out whole speakers: the validation list is the split "dev", the
testing list "test", all the rest "train". The folder of background noise is no speech, and is left out.
"""

from __future__ import annotations

from curvox.corpora.corpus import NameIndex, Utterance
from curvox.corpora.preparing.preparation import Need, Preparation, Work, match_name, numbered_lines, recordings

LISTS = {"validation_list.txt": "dev", "testing_list.txt": "test"}
NOISE = "_background_noise_"
_HINTS = 25


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
    hinted = 0
    for file in LISTS:
        for number, line in numbered_lines(work, file):
            if line.strip() not in present:
                hinted += 1
                hint = f": {near.hint(line.strip())}" if hinted <= _HINTS else ""
                work.problem(file, number, f'names "{line.strip()}", which is not there{hint}')


SPEECH_COMMANDS = Preparation(
    "Speech Commands",
    f"bed/00176480_nohash_0.wav, {' and '.join(LISTS)}",
    tuple(Need((file,), "speech_commands_v0.02.tar.gz, unpacked") for file in LISTS),
    read_speech_commands,
)

"""VCTK 0.92: 110 speakers of English with many accents, read sentences, two microphones at once.

Layout: https://datashare.ed.ac.uk/handle/10283/3443 and the speaker-info.txt in it; J. Yamagishi, C. Veaux,
K. MacDonald, "CSTR VCTK corpus: English multi-speaker corpus for CSTR voice cloning toolkit", 2019.

Only the first microphone is taken: both recorded the same speech, so trials across them would be no trials, and not
every speaker has the second. The accent stands as ``native_language``, which is the accent of the label tree. There is
no division of its own, so there are no splits.
"""

from __future__ import annotations

import re

from curvox.corpora.corpus import Utterance
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

INFO, AUDIO = "speaker-info.txt", "wav48_silence_trimmed"


def read_vctk(work: Work) -> None:
    """Read the folder of VCTK."""
    roster = _speakers(work)
    work.refuse_problems()
    other_microphones = 0
    for speaker, name in recordings(work, AUDIO, depth=2, suffixes=(".flac", ".wav")):
        path = f"{AUDIO}/{speaker}/{name}"
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
        work.notes.append(f"{AUDIO}: {other_microphones} recordings of the second microphone were left out")
    roster.close(work)


def _speakers(work: Work) -> Roster:
    lines = numbered_lines(work, INFO)
    if not lines or lines[0][1].split()[:4] != ["ID", "AGE", "GENDER", "ACCENTS"]:
        got = lines[0][1] if lines else ""
        work.problem(INFO, 1, f'expected the header "ID AGE GENDER ACCENTS REGION", got "{got}"')
        return Roster(INFO, {})
    speakers: dict[str, dict[str, str]] = {}
    for number, line in lines[1:]:
        speaker, *cells = line.split(maxsplit=4)
        if len(cells) < 3:
            work.problem(INFO, number, f'expected at least "ID AGE GENDER ACCENT", got "{line}"; correct the line')
            continue
        gender = gender_of(work, INFO, number, cells[1])
        region = " ".join("".join(cells[3:]).split())
        speakers[speaker] = {"age": cells[0], "gender": gender, "accent": cells[2], "region": region}
    return Roster(INFO, speakers)


VCTK = Preparation(
    "VCTK 0.92",
    f"{AUDIO}/p225/p225_001_mic1.flac and {INFO}",
    tuple(Need((path,), "VCTK-Corpus-0.92.zip, unpacked") for path in (AUDIO, INFO)),
    read_vctk,
)

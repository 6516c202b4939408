"""CN-Celeb1: Chinese celebrities in eleven genres; 800 speakers to train on, 200 to evaluate with.

Layout: https://www.openslr.org/82/ (cn-celeb_v2.tar.gz); Y. Fan et al., "CN-Celeb: a challenging Chinese speaker
recognition dataset", ICASSP 2020.

``dev/dev.lst`` lists the speakers of the split "train", whose recordings lie in ``data``. The evaluation compares the
files of ``eval/test`` with a model for each speaker, which is the one file of ``eval/enroll`` (``enroll.lst``), or the
separate recordings in ``data`` which that file was put together of (``enroll.map``). Both come as trials. The lists
say .wav, the files are .flac.
"""

from __future__ import annotations

import re
from dataclasses import replace

from curvox.corpora.corpus import Utterance
from curvox.corpora.preparing.preparation import (
    Need,
    OfficialTrials,
    Preparation,
    Roster,
    Work,
    add_trials,
    names_of,
    read_models,
    recordings,
    speaker_list,
)
from curvox.corpora.trials.list_files import read_enrolments
from curvox.corpora.trials.trial_list import EnrolmentMap

# Recordings of CN-Celeb: their names say the genre, the session and the number, ``singing-01-002.flac``.

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


DEV, LISTS = "dev/dev.lst", "eval/lists"
_ARCHIVE = "cn-celeb_v2.tar.gz of openslr.org/82"


def read_cnceleb1(work: Work) -> None:
    """Read the folder of CN-Celeb1: the speakers to train on, those to evaluate with, and the trials."""
    roster = speaker_list(work, DEV)
    work.refuse_problems()
    parts_of_models = read_enrolments(work.folder / f"{LISTS}/enroll.map", style="cnceleb").models
    wanted = {part.rpartition(".")[0] for parts in parts_of_models.values() for part in parts}
    _add_data(work, roster, wanted, {model.removesuffix("-enroll") for model in parts_of_models})
    _add_enrolments(work)
    for (name,) in recordings(work, "eval/test", depth=1, suffixes=SUFFIXES):
        speaker, _, rest = name.partition("-")
        add_recording(work, f"eval/test/{name}", utterance=f"test/{name}", speaker=speaker, name=rest, split="test")
    roster.close(work)
    work.refuse_problems()
    _add_trials(work)


def _add_data(work: Work, roster: Roster, wanted: set[str], evaluated: set[str]) -> None:
    left_out = 0
    for speaker, name in recordings(work, "data", depth=2, suffixes=SUFFIXES):
        known_as = f"{speaker}/{name}"
        wanted_here = known_as.rpartition(".")[0] in wanted
        if speaker in evaluated and speaker not in roster.speakers:
            split = "test" if wanted_here else ""
            left_out += not wanted_here
        else:
            split = "" if roster.labels(speaker) is None else "train"
        if split:
            add_recording(work, f"data/{known_as}", utterance=known_as, speaker=speaker, name=name, split=split)
    if left_out:
        work.notes.append(
            f"data: {left_out} recordings of speakers to evaluate with were left out, for no trial uses them"
        )


def _add_enrolments(work: Work) -> None:
    for (name,) in recordings(work, "eval/enroll", depth=1, suffixes=SUFFIXES):
        speaker, mark, rest = name.partition("-")
        if (mark, rest.rpartition(".")[0]) != ("-", "enroll"):
            work.problem(f"eval/enroll/{name}", None, 'expected a name as "id00800-enroll.flac"; restore it')
            continue
        # Put together of several sessions and genres, so it has none.
        work.add(
            Utterance(
                utterance=f"enroll/{name}",
                path=f"eval/enroll/{name}",
                corpus=work.draft.name,
                speaker=speaker,
                language="zh",
                split="test",
            )
        )


def _add_trials(work: Work) -> None:
    names = names_of(work)
    separate = read_models(work, f"{LISTS}/enroll.map", names)
    add_trials(work, f"{LISTS}/trials.lst", "cnceleb1_models", names, style="cnceleb", models=separate)
    trials = work.trials[-1].trials
    whole = _first_files(read_models(work, f"{LISTS}/enroll.lst", names))
    enrolments = tuple(whole.get(model, model) for model in trials.enrolments)
    work.trials.append(OfficialTrials("cnceleb1", replace(trials, enrolments=enrolments)))


def _first_files(models: EnrolmentMap) -> dict[str, str]:
    return {model: utterances[0] for model, utterances in models.models.items()}


CNCELEB1 = Preparation(
    "CN-Celeb1",
    f"data/id00000/singing-01-002.flac, {DEV}, eval/enroll, eval/test and {LISTS}",
    tuple(
        Need((path,), _ARCHIVE)
        for path in (
            "data",
            DEV,
            "eval/enroll",
            "eval/test",
            f"{LISTS}/enroll.lst",
            f"{LISTS}/enroll.map",
            f"{LISTS}/trials.lst",
        )
    ),
    read_cnceleb1,
)

# CN-Celeb2: 2 000 further speakers in the genres of CN-Celeb1, for training.
#
# Layout: https://www.openslr.org/82/ (cn-celeb2_v2.tar.gz); L. Li et al., "CN-Celeb: multi-genre speaker recognition",
# Speech Communication 137, 2022. It has no division of its own, so there are no splits and no trials.

SPEAKERS = "spk.lst"


def read_cnceleb2(work: Work) -> None:
    """Read the folder of CN-Celeb2."""
    roster = speaker_list(work, SPEAKERS)
    for speaker, name in recordings(work, "data", depth=2, suffixes=SUFFIXES):
        if roster.labels(speaker) is not None:
            known_as = f"{speaker}/{name}"
            add_recording(work, f"data/{known_as}", utterance=known_as, speaker=speaker, name=name, split="")
    roster.close(work)
    names_of(work)


CNCELEB2 = Preparation(
    "CN-Celeb2",
    f"data/id10000/singing-01-002.flac and {SPEAKERS}",
    (Need(("data",), "the unpacked recordings"), Need((SPEAKERS,), "cn-celeb2_v2.tar.gz of openslr.org/82")),
    read_cnceleb2,
)

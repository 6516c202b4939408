"""CN-Celeb1 and 2: Chinese celebrities in eleven genres, which the names of the files say.

Layout: https://www.openslr.org/82/ (cn-celeb_v2.tar.gz, cn-celeb2_v2.tar.gz); Y. Fan et al., "CN-Celeb: a challenging
Chinese speaker recognition dataset", ICASSP 2020; L. Li et al., "CN-Celeb: multi-genre speaker recognition", Speech
Communication 137, 2022.

CN-Celeb1 has 800 speakers to train on and 200 to evaluate with. ``dev/dev.lst`` lists the speakers of the split
"train", whose recordings lie in ``data``. The evaluation compares the files of ``eval/test`` with a model for each
speaker, which is the one file of ``eval/enroll`` (``enroll.lst``), or the separate recordings in ``data`` which that
file was put together of (``enroll.map``). Both come as trials. The lists say .wav, the files are .flac.

CN-Celeb2 has 2 000 further speakers for training. It has no division of its own, so there are no splits and no trials.
"""

from __future__ import annotations

from dataclasses import replace

from curvox.corpora.corpus import Utterance
from curvox.corpora.preparing.preparation import (
    Names,
    Need,
    OfficialTrials,
    Preparation,
    Roster,
    Work,
    add_trials,
    match_name,
    names_of,
    numbered_lines,
    recordings,
    renamed,
)
from curvox.corpora.trials.list_files import read_enrolments
from curvox.corpora.trials.trial_list import EnrolmentMap

DEV, LISTS, SPEAKERS2 = "dev/dev.lst", "eval/lists", "spk.lst"
SUFFIXES = (".flac", ".wav")


def read_cnceleb1(work: Work) -> None:
    """Read the folder of CN-Celeb1: the speakers to train on, those to evaluate with, and the trials."""
    roster = _speaker_list(work, DEV)
    work.refuse_problems()
    parts_of_models = read_enrolments(work.folder / f"{LISTS}/enroll.map", style="cnceleb").models
    wanted = {part.rpartition(".")[0] for parts in parts_of_models.values() for part in parts}
    _add_data(work, roster, wanted, {model.removesuffix("-enroll") for model in parts_of_models})
    _add_enrolments(work)
    for (name,) in recordings(work, "eval/test", depth=1, suffixes=SUFFIXES):
        speaker, _, rest = name.partition("-")
        _add_recording(work, f"eval/test/{name}", f"test/{name}", speaker, rest, "test")
    roster.close(work)
    work.refuse_problems()
    _add_trials(work)


def read_cnceleb2(work: Work) -> None:
    """Read the folder of CN-Celeb2."""
    roster = _speaker_list(work, SPEAKERS2)
    for speaker, name in recordings(work, "data", depth=2, suffixes=SUFFIXES):
        if roster.labels(speaker) is not None:
            _add_recording(work, f"data/{speaker}/{name}", f"{speaker}/{name}", speaker, name, "")
    roster.close(work)
    names_of(work)


def _speaker_list(work: Work, file: str) -> Roster:
    """Read a list of speakers, one a line."""
    return Roster(file, {line.strip(): {} for _, line in numbered_lines(work, file)})


def _add_recording(work: Work, path: str, utterance: str, speaker: str, name: str, split: str) -> None:
    """Take a recording whose file, less its speaker, is called ``name``: genre, session and number."""
    pattern = r"(?P<genre>[A-Za-z_]+)-(?P<session>\d+)-\d+\.\w+"
    if found := match_name(work, path, pattern, "singing-01-002.flac", name=name):
        taken = Utterance(
            utterance=utterance,
            path=path,
            speaker=speaker,
            session=f"{found['genre']}-{found['session']}",
            language="zh",
            split=split,
            extra={"genre": found["genre"]},
        )
        work.add(taken)


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
            _add_recording(work, f"data/{known_as}", known_as, speaker, name, split)
    if left_out:
        work.notes.append(
            f"data: {left_out} recordings of speakers to evaluate with were left out, for no trial uses them"
        )


def _add_enrolments(work: Work) -> None:
    for (name,) in recordings(work, "eval/enroll", depth=1, suffixes=SUFFIXES):
        path = f"eval/enroll/{name}"
        if found := match_name(work, path, r"(?P<speaker>[^-]*)-enroll\.[^.]+", "id00800-enroll.flac"):
            # Put together of several sessions and genres, so it has none.
            speaker = found["speaker"]
            work.add(Utterance(utterance=f"enroll/{name}", path=path, speaker=speaker, language="zh", split="test"))


def _add_trials(work: Work) -> None:
    names = names_of(work)
    separate = _read_models(work, f"{LISTS}/enroll.map", names)
    add_trials(work, f"{LISTS}/trials.lst", "cnceleb1_models", names, style="cnceleb", models=separate)
    trials = work.trials[-1].trials
    whole = _read_models(work, f"{LISTS}/enroll.lst", names).models
    enrolments = tuple(whole[model][0] if model in whole else model for model in trials.enrolments)
    work.trials.append(OfficialTrials("cnceleb1", replace(trials, enrolments=enrolments)))


def _read_models(work: Work, file: str, names: Names) -> EnrolmentMap:
    read = read_enrolments(work.folder / file, style="cnceleb")
    models = {model: tuple(renamed(u, names) for u in utterances) for model, utterances in read.models.items()}
    return EnrolmentMap(models, file)


_LISTS_NEEDED = tuple(f"{LISTS}/{name}" for name in ("enroll.lst", "enroll.map", "trials.lst"))
CNCELEB1 = Preparation(
    "CN-Celeb1",
    f"data/id00000/singing-01-002.flac, {DEV}, eval/enroll, eval/test and {LISTS}",
    tuple(
        Need((path,), "cn-celeb_v2.tar.gz of openslr.org/82")
        for path in ("data", DEV, "eval/enroll", "eval/test", *_LISTS_NEEDED)
    ),
    read_cnceleb1,
)
CNCELEB2 = Preparation(
    "CN-Celeb2",
    f"data/id10000/singing-01-002.flac and {SPEAKERS2}",
    (Need(("data",), "the unpacked recordings"), Need((SPEAKERS2,), "cn-celeb2_v2.tar.gz of openslr.org/82")),
    read_cnceleb2,
)

"""Read the corpora of celebrities: VoxCeleb1 and 2, CN-Celeb1 and 2.

VoxCeleb is of celebrities on YouTube, a folder for each speaker and in it one for each video.
Layout and metadata: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html and vox2.html; A. Nagrani, J. S. Chung,
A. Zisserman, "VoxCeleb: a large-scale speaker identification dataset", Interspeech 2017. VoxCeleb2 and the cleaned
lists of trials are of J. S. Chung, A. Nagrani, A. Zisserman, "VoxCeleb2: deep speaker recognition", Interspeech 2018.

The set "dev" of the metadata, which everybody trains on, becomes the split "train"; "test" stays "test". E and H are
trials among the speakers of both sets of VoxCeleb1. VoxCeleb2 has more speakers, is published as m4a (AAC), has no
official trials of its own, and the fields of its metadata end in spaces.

CN-Celeb is of Chinese celebrities in eleven genres, which the names of the files say.
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

from collections.abc import Mapping
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
    gender_of,
    match_name,
    names_of,
    numbered_lines,
    recordings,
    renamed,
)
from curvox.corpora.trials.list_files import read_enrolments
from curvox.corpora.trials.trial_list import EnrolmentMap

_VOX1_SPEAKERS, _VOX2_SPEAKERS = "vox1_meta.csv", "vox2_meta.csv"
_VOX1_FOLDERS = ("wav", "dev/wav", "test/wav")
_VOX2_FOLDERS = tuple(f"{part}{kind}" for part in ("", "dev/", "test/") for kind in ("aac", "wav"))
_VOX1_TRIALS = {
    "veri_test2.txt": "vox1_o_cleaned",
    "list_test_all2.txt": "vox1_e_cleaned",
    "list_test_hard2.txt": "vox1_h_cleaned",
}
_VOX_SPLITS = {"dev": "train", "test": "test"}
_VOX1_COLUMNS = {"speaker": "VoxCeleb1 ID", "gender": "Gender", "nationality": "Nationality", "set": "Set"}
_VOX2_COLUMNS = {"speaker": "VoxCeleb2 ID", "gender": "Gender", "set": "Set"}
_VOX_SITE = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta"

_CNCELEB1_SPEAKERS, _CNCELEB1_LISTS, _CNCELEB2_SPEAKERS = "dev/dev.lst", "eval/lists", "spk.lst"
_CNCELEB_SUFFIXES = (".flac", ".wav")


def read_voxceleb1(work: Work) -> None:
    """Read the folder of VoxCeleb1; a list of trials that is not there is noted."""
    _add_videos(work, _speaker_table(work, _VOX1_SPEAKERS, _VOX1_COLUMNS), _VOX1_FOLDERS, (".wav", ".flac"))
    names = names_of(work)
    for file, name in _VOX1_TRIALS.items():
        if (work.folder / file).is_file():
            add_trials(work, file, name, names, style="voxceleb")
        else:
            work.notes.append(f"{file}: the list is not here, so {name} was not written; it is at {_VOX_SITE}/{file}")


def read_voxceleb2(work: Work) -> None:
    """Read the folder of VoxCeleb2; recordings that have to be converted before they can be used are noted."""
    _add_videos(work, _speaker_table(work, _VOX2_SPEAKERS, _VOX2_COLUMNS), _VOX2_FOLDERS, (".m4a", ".wav", ".flac"))
    names_of(work)
    if m4a := sum(row.utterance.path.lower().endswith(".m4a") for row in work.draft.rows):
        how = '`pip install "curvox[codecs]"`; `curvox data convert --codec flac` decodes them once and for all'
        work.notes.append(f"{m4a} recordings are m4a, which PyAV decodes: {how}")


def _speaker_table(work: Work, file: str, columns: Mapping[str, str]) -> Roster:
    """Read a table of speakers with a header, separated by tabs, or by commas where the header has no tab.

    ``columns`` maps labels to names of columns; the label "speaker" is the key.
    """
    lines = numbered_lines(work, file)
    first = lines[0][1] if lines else ""
    mark = "\t" if "\t" in first else ","
    header = [name.strip() for name in first.split(mark)]
    speakers: dict[str, Mapping[str, str]] = {}
    if missing := [name for name in columns.values() if name not in header]:
        work.problem(file, 1, f'expected a header with {", ".join(columns.values())}; got "{first}", no {missing[0]}')
    for number, line in () if missing else lines[1:]:
        cells = [cell.strip() for cell in line.split(mark)]
        if len(cells) != len(header):
            work.problem(file, number, f'expected {len(header)} fields as in the header, got {len(cells)}: "{line}"')
            continue
        labels = {label: cells[header.index(name)] for label, name in columns.items()}
        labels["gender"] = gender_of(work, file, number, labels["gender"])
        if labels["speaker"] in speakers:
            work.problem(file, number, f'the speaker "{labels["speaker"]}" has a line already; keep one of them')
        speakers[labels["speaker"]] = labels
    work.refuse_problems()
    return Roster(file, speakers)


def _add_videos(work: Work, roster: Roster, folders: tuple[str, ...], suffixes: tuple[str, ...]) -> None:
    """Take the recordings below each of ``folders`` that is there; ids are paths below it, as the trial lists say."""
    for file_set in sorted({labels["set"] for labels in roster.speakers.values()} - _VOX_SPLITS.keys()):
        work.problem(roster.file, None, f'expected the sets dev and test, got "{file_set}"; correct the column Set')
    for start in folders:
        if not (work.folder / start).is_dir():
            continue
        for speaker, video, name in recordings(work, start, depth=3, suffixes=suffixes):
            if (labels := roster.labels(speaker)) is not None:
                utterance = Utterance(
                    utterance=f"{speaker}/{video}/{name}",
                    path=f"{start}/{speaker}/{video}/{name}",
                    speaker=speaker,
                    session=video,
                    gender=labels["gender"],
                    nationality=labels.get("nationality", ""),
                    split=_VOX_SPLITS.get(labels["set"], ""),
                )
                work.add(utterance)
    roster.close(work)


VOXCELEB1 = Preparation(
    "VoxCeleb1",
    f"wav/id10001/VIDEO/00001.wav and {_VOX1_SPEAKERS}",
    (
        Need(_VOX1_FOLDERS, "the unpacked recordings"),
        Need((_VOX1_SPEAKERS,), f"{_VOX_SITE}/{_VOX1_SPEAKERS}"),
    ),
    read_voxceleb1,
)
VOXCELEB2 = Preparation(
    "VoxCeleb2",
    f"dev/aac/id00012/VIDEO/00001.m4a, or .wav or .flac, and {_VOX2_SPEAKERS}",
    (
        Need(_VOX2_FOLDERS, "the unpacked recordings"),
        Need((_VOX2_SPEAKERS,), f"{_VOX_SITE}/{_VOX2_SPEAKERS}"),
    ),
    read_voxceleb2,
)


def read_cnceleb1(work: Work) -> None:
    """Read the folder of CN-Celeb1: the speakers to train on, those to evaluate with, and the trials."""
    roster = _speaker_list(work, _CNCELEB1_SPEAKERS)
    work.refuse_problems()
    parts_of_models = read_enrolments(work.folder / f"{_CNCELEB1_LISTS}/enroll.map", style="cnceleb").models
    wanted = {part.rpartition(".")[0] for parts in parts_of_models.values() for part in parts}
    _add_data(work, roster, wanted, {model.removesuffix("-enroll") for model in parts_of_models})
    _add_enrolments(work)
    for (name,) in recordings(work, "eval/test", depth=1, suffixes=_CNCELEB_SUFFIXES):
        speaker, _, rest = name.partition("-")
        _add_recording(work, f"eval/test/{name}", f"test/{name}", speaker, rest, "test")
    roster.close(work)
    work.refuse_problems()
    _add_trials(work)


def read_cnceleb2(work: Work) -> None:
    """Read the folder of CN-Celeb2."""
    roster = _speaker_list(work, _CNCELEB2_SPEAKERS)
    for speaker, name in recordings(work, "data", depth=2, suffixes=_CNCELEB_SUFFIXES):
        if roster.labels(speaker) is not None:
            _add_recording(work, f"data/{speaker}/{name}", f"{speaker}/{name}", speaker, name, "")
    roster.close(work)
    names_of(work)


def _speaker_list(work: Work, file: str) -> Roster:
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
    for speaker, name in recordings(work, "data", depth=2, suffixes=_CNCELEB_SUFFIXES):
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
    for (name,) in recordings(work, "eval/enroll", depth=1, suffixes=_CNCELEB_SUFFIXES):
        path = f"eval/enroll/{name}"
        if found := match_name(work, path, r"(?P<speaker>[^-]*)-enroll\.[^.]+", "id00800-enroll.flac"):
            # Put together of several sessions and genres, so it has none.
            speaker = found["speaker"]
            work.add(Utterance(utterance=f"enroll/{name}", path=path, speaker=speaker, language="zh", split="test"))


def _add_trials(work: Work) -> None:
    names = names_of(work)
    separate = _read_models(work, f"{_CNCELEB1_LISTS}/enroll.map", names)
    add_trials(work, f"{_CNCELEB1_LISTS}/trials.lst", "cnceleb1_models", names, style="cnceleb", models=separate)
    trials = work.trials[-1].trials
    whole = _read_models(work, f"{_CNCELEB1_LISTS}/enroll.lst", names).models
    enrolments = tuple(whole[model][0] if model in whole else model for model in trials.enrolments)
    work.trials.append(OfficialTrials("cnceleb1", replace(trials, enrolments=enrolments)))


def _read_models(work: Work, file: str, names: Names) -> EnrolmentMap:
    read = read_enrolments(work.folder / file, style="cnceleb")
    models = {model: tuple(renamed(u, names) for u in utterances) for model, utterances in read.models.items()}
    return EnrolmentMap(models, file)


_CNCELEB1_LISTS_NEEDED = tuple(f"{_CNCELEB1_LISTS}/{name}" for name in ("enroll.lst", "enroll.map", "trials.lst"))
CNCELEB1 = Preparation(
    "CN-Celeb1",
    f"data/id00000/singing-01-002.flac, {_CNCELEB1_SPEAKERS}, eval/enroll, eval/test and {_CNCELEB1_LISTS}",
    tuple(
        Need((path,), "cn-celeb_v2.tar.gz of openslr.org/82")
        for path in ("data", _CNCELEB1_SPEAKERS, "eval/enroll", "eval/test", *_CNCELEB1_LISTS_NEEDED)
    ),
    read_cnceleb1,
)
CNCELEB2 = Preparation(
    "CN-Celeb2",
    f"data/id10000/singing-01-002.flac and {_CNCELEB2_SPEAKERS}",
    (Need(("data",), "the unpacked recordings"), Need((_CNCELEB2_SPEAKERS,), "cn-celeb2_v2.tar.gz of openslr.org/82")),
    read_cnceleb2,
)

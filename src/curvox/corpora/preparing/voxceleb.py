"""VoxCeleb1 and 2: celebrities on YouTube, a folder for each speaker and in it one for each video.

Layout and metadata: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html and vox2.html; A. Nagrani, J. S. Chung,
A. Zisserman, "VoxCeleb: a large-scale speaker identification dataset", Interspeech 2017. VoxCeleb2 and the cleaned
lists of trials are of J. S. Chung, A. Nagrani, A. Zisserman, "VoxCeleb2: deep speaker recognition", Interspeech 2018.

The set "dev" of the metadata, which everybody trains on, becomes the split "train"; "test" stays "test". E and H are
trials among the speakers of both sets of VoxCeleb1. VoxCeleb2 has more speakers, is published as m4a (AAC), has no
official trials of its own, and the fields of its metadata end in spaces.
"""

from __future__ import annotations

from collections.abc import Mapping

from curvox.corpora.corpus import Utterance
from curvox.corpora.preparing.preparation import (
    Need,
    Preparation,
    Roster,
    Work,
    add_trials,
    gender_of,
    names_of,
    numbered_lines,
    recordings,
)

META1, META2 = "vox1_meta.csv", "vox2_meta.csv"
FOLDERS1 = ("wav", "dev/wav", "test/wav")
FOLDERS2 = tuple(f"{part}{kind}" for part in ("", "dev/", "test/") for kind in ("aac", "wav"))
LISTS = {
    "veri_test2.txt": "vox1_o_cleaned",
    "list_test_all2.txt": "vox1_e_cleaned",
    "list_test_hard2.txt": "vox1_h_cleaned",
}
SPLITS = {"dev": "train", "test": "test"}
_COLUMNS1 = {"speaker": "VoxCeleb1 ID", "gender": "Gender", "nationality": "Nationality", "set": "Set"}
_COLUMNS2 = {"speaker": "VoxCeleb2 ID", "gender": "Gender", "set": "Set"}
_SITE = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta"


def read_voxceleb1(work: Work) -> None:
    """Read the folder of VoxCeleb1; a list of trials that is not there is noted."""
    _add_videos(work, _speaker_table(work, META1, _COLUMNS1), FOLDERS1, (".wav", ".flac"))
    names = names_of(work)
    for file, name in LISTS.items():
        if (work.folder / file).is_file():
            add_trials(work, file, name, names, style="voxceleb")
        else:
            work.notes.append(f"{file}: the list is not here, so {name} was not written; it is at {_SITE}/{file}")


def read_voxceleb2(work: Work) -> None:
    """Read the folder of VoxCeleb2; recordings that have to be converted before they can be used are noted."""
    _add_videos(work, _speaker_table(work, META2, _COLUMNS2), FOLDERS2, (".m4a", ".wav", ".flac"))
    names_of(work)
    if m4a := sum(row.utterance.path.lower().endswith(".m4a") for row in work.draft.rows):
        how = '`pip install "curvox[codecs]"`; `curvox data convert --codec flac` decodes them once and for all'
        work.notes.append(f"{m4a} recordings are m4a, which PyAV decodes: {how}")


def _speaker_table(work: Work, file: str, columns: Mapping[str, str]) -> Roster:
    """Read a table of speakers with a header, separated by tabs, or by commas where the header has no tab.

    Fields and names of columns are stripped of spaces. ``columns`` maps labels to names of columns; the label
    "speaker" is the key.
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
    for file_set in sorted({labels["set"] for labels in roster.speakers.values()} - SPLITS.keys()):
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
                    split=SPLITS.get(labels["set"], ""),
                )
                work.add(utterance)
    roster.close(work)


VOXCELEB1 = Preparation(
    "VoxCeleb1",
    f"wav/id10001/VIDEO/00001.wav and {META1}",
    (Need(FOLDERS1, "the unpacked recordings"), Need((META1,), f"{_SITE}/{META1}")),
    read_voxceleb1,
)
VOXCELEB2 = Preparation(
    "VoxCeleb2",
    f"dev/aac/id00012/VIDEO/00001.m4a, or .wav or .flac, and {META2}",
    (Need(FOLDERS2, "the unpacked recordings"), Need((META2,), f"{_SITE}/{META2}")),
    read_voxceleb2,
)

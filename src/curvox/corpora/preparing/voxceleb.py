"""VoxCeleb1: celebrities on YouTube, a folder for each speaker and in it one for each video.

Layout and metadata: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html; A. Nagrani, J. S. Chung, A. Zisserman,
"VoxCeleb: a large-scale speaker identification dataset", Interspeech 2017. The cleaned lists of trials are of
J. S. Chung, A. Nagrani, A. Zisserman, "VoxCeleb2: deep speaker recognition", Interspeech 2018.

The set "dev" of the metadata, which everybody trains on, becomes the split "train"; "test" stays "test". E and H are
trials among the speakers of both.
"""

from __future__ import annotations

from curvox.corpora.corpus import Utterance
from curvox.corpora.preparing.preparation import (
    Need,
    Preparation,
    Roster,
    Work,
    add_trials,
    names_of,
    recordings,
    speaker_table,
)

# The recordings of either VoxCeleb: speaker/video/number, the speakers' labels from its metadata.

SPLITS = {"dev": "train", "test": "test"}


def add_videos(work: Work, roster: Roster, folders: tuple[str, ...], suffixes: tuple[str, ...]) -> None:
    """Take the recordings below each of ``folders`` that is there; ids are paths below it, as the trial lists say."""
    for file_set in sorted({labels["set"] for labels in roster.speakers.values()} - SPLITS.keys()):
        work.problem(roster.file, None, f'expected the sets dev and test, got "{file_set}"; correct the column Set')
    for start in folders:
        if not (work.folder / start).is_dir():
            continue
        for parts in recordings(work, start, depth=3, suffixes=suffixes):
            speaker, video, _ = parts
            labels = roster.labels(speaker)
            if labels is None:
                continue
            work.add(
                Utterance(
                    utterance="/".join(parts),
                    path="/".join((start, *parts)),
                    corpus=work.draft.name,
                    speaker=speaker,
                    session=video,
                    gender=labels["gender"],
                    nationality=labels.get("nationality", ""),
                    split=SPLITS.get(labels["set"], ""),
                )
            )


META1 = "vox1_meta.csv"
FOLDERS1 = ("wav", "dev/wav", "test/wav")
LISTS = {
    "veri_test2.txt": "vox1_o_cleaned",
    "list_test_all2.txt": "vox1_e_cleaned",
    "list_test_hard2.txt": "vox1_h_cleaned",
}
_COLUMNS1 = {"speaker": "VoxCeleb1 ID", "gender": "Gender", "nationality": "Nationality", "set": "Set"}
_SITE = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta"


def read_voxceleb1(work: Work) -> None:
    """Read the folder of VoxCeleb1; a list of trials that is not there is noted."""
    roster = speaker_table(work, META1, _COLUMNS1)
    work.refuse_problems()
    add_videos(work, roster, FOLDERS1, (".wav", ".flac"))
    roster.close(work)
    names = names_of(work)
    for file, name in LISTS.items():
        if (work.folder / file).is_file():
            add_trials(work, file, name, names, style="voxceleb")
        else:
            work.notes.append(f"{file}: the list is not here, so {name} was not written; it is at {_SITE}/{file}")


VOXCELEB1 = Preparation(
    "VoxCeleb1",
    f"wav/id10001/VIDEO/00001.wav and {META1}",
    (Need(FOLDERS1, "the unpacked recordings"), Need((META1,), f"{_SITE}/{META1}")),
    read_voxceleb1,
)

# VoxCeleb2: as VoxCeleb1, with more speakers, and published as m4a (AAC).
#
# Layout and metadata: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox2.html; J. S. Chung, A. Nagrani, A. Zisserman,
# "VoxCeleb2: deep speaker recognition", Interspeech 2018. The fields of the metadata end in spaces.
#
# The set "dev" becomes the split "train"; "test" stays "test". There are no official trials of its own.

META2 = "vox2_meta.csv"
FOLDERS2 = tuple(f"{part}{kind}" for part in ("", "dev/", "test/") for kind in ("aac", "wav"))
_COLUMNS2 = {"speaker": "VoxCeleb2 ID", "gender": "Gender", "set": "Set"}


def read_voxceleb2(work: Work) -> None:
    """Read the folder of VoxCeleb2; recordings that have to be converted before they can be used are noted."""
    roster = speaker_table(work, META2, _COLUMNS2)
    work.refuse_problems()
    add_videos(work, roster, FOLDERS2, (".m4a", ".wav", ".flac"))
    roster.close(work)
    names_of(work)
    if m4a := sum(row.utterance.path.lower().endswith(".m4a") for row in work.draft.rows):
        how = '`pip install "curvox[codecs]"`; `curvox data convert --audio flac` decodes them once and for all'
        work.notes.append(f"{m4a} recordings are m4a, which PyAV decodes: {how}")


VOXCELEB2 = Preparation(
    "VoxCeleb2",
    f"dev/aac/id00012/VIDEO/00001.m4a, or .wav or .flac, and {META2}",
    (
        Need(FOLDERS2, "the unpacked recordings"),
        Need((META2,), f"https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta/{META2}"),
    ),
    read_voxceleb2,
)

"""VoxCeleb1: celebrities on YouTube, a folder for each speaker and in it one for each video.

Layout and metadata: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html; A. Nagrani, J. S. Chung, A. Zisserman,
"VoxCeleb: a large-scale speaker identification dataset", Interspeech 2017. The cleaned lists of trials are of
J. S. Chung, A. Nagrani, A. Zisserman, "VoxCeleb2: deep speaker recognition", Interspeech 2018.

The set "dev" of the metadata, which everybody trains on, becomes the split "train"; "test" stays "test". E and H are
trials among the speakers of both.
"""

from __future__ import annotations

from curvox.corpora.preparing.metadata import speaker_table
from curvox.corpora.preparing.official_trials import add_trials, names_of
from curvox.corpora.preparing.preparation import Need, Preparation, Work
from curvox.corpora.preparing.videos import add_videos

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

"""VoxCeleb2: as VoxCeleb1, with more speakers, and published as m4a (AAC).

Layout and metadata: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox2.html; J. S. Chung, A. Nagrani, A. Zisserman,
"VoxCeleb2: deep speaker recognition", Interspeech 2018. The fields of the metadata end in spaces.

The set "dev" becomes the split "train"; "test" stays "test". There are no official trials of its own.
"""

from __future__ import annotations

from curvox.corpora.preparing.metadata import speaker_table
from curvox.corpora.preparing.official_trials import names_of
from curvox.corpora.preparing.preparation import Need, Preparation, Work
from curvox.corpora.preparing.videos import add_videos

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

"""CN-Celeb2: 2 000 further speakers in the genres of CN-Celeb1, for training.

Layout: https://www.openslr.org/82/ (cn-celeb2_v2.tar.gz); L. Li et al., "CN-Celeb: multi-genre speaker recognition",
Speech Communication 137, 2022. It has no division of its own, so there are no splits and no trials.
"""

from __future__ import annotations

from curvox.corpora.preparing.genres import SUFFIXES, add_recording
from curvox.corpora.preparing.metadata import speaker_list
from curvox.corpora.preparing.official_trials import names_of
from curvox.corpora.preparing.preparation import Need, Preparation, Work
from curvox.corpora.preparing.tree import recordings

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

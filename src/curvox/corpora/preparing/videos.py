"""The recordings of either VoxCeleb: speaker/video/number, the speakers' labels from its metadata."""

from __future__ import annotations

from curvox.corpora.corpus import Utterance
from curvox.corpora.preparing.metadata import Roster
from curvox.corpora.preparing.preparation import Work
from curvox.corpora.preparing.tree import recordings

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

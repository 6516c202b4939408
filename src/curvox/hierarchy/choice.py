"""Choosing the recordings and the levels of a label tree, and saying what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curvox.corpora import Corpus, read_trials
from curvox.errors import InputError
from curvox.hierarchy.layout import spread_over_speakers
from curvox.hierarchy.paths import TreePaths, tree_paths

FEWEST = 4
"""Recordings that a tree needs, of two speakers."""


@dataclass(frozen=True, eq=False)
class ChosenRecordings:
    """The recordings that are looked at.

    Attributes:
        corpus: where they stand.
        utterances: which.
        name: what they are called together.
        of_how_many: how many there were to choose from.
        of_speakers: of how many speakers those were.
    """

    corpus: Corpus
    utterances: tuple[str, ...]
    name: str
    of_how_many: int
    of_speakers: int


def choose_recordings(
    corpus: Corpus, *, split: str = "test", trials: Path | None = None, at_most: int | None = None, seed: int = 0
) -> ChosenRecordings:
    """Return the recordings of a split or of a trial list; where they are too many a sample, even over speakers.

    Raises:
        CorpusError: there is no such split; the message names those present.
        InputError: fewer than 4 recordings, or only one speaker.
    """
    if trials is None:
        part = corpus.split(split)
        names, name = tuple(utterance.utterance for utterance in part.utterances), f"{corpus.name}/{split}"
    else:
        listed = read_trials(trials)
        listed.check_against(corpus)
        names, name = tuple(listed.utterances), f"{corpus.name}, recordings of {trials.name}"
    speakers = [corpus[utterance].speaker for utterance in names]
    if len(names) < FEWEST or len(set(speakers)) < 2:
        raise InputError(
            f"a tree needs at least {FEWEST} recordings of 2 speakers, {name} has {len(names)} of "
            f"{len(set(speakers))}; name another --split"
        )
    kept = names
    if at_most is not None and at_most < len(names):
        kept = tuple(names[i] for i in spread_over_speakers(speakers, at_most=at_most, seed=seed).tolist())
    return ChosenRecordings(corpus, kept, name, len(names), len(set(speakers)))


@dataclass(frozen=True, eq=False)
class ChosenTree:
    """The label tree of the recordings, and what was left out of it."""

    paths: TreePaths
    left_out: tuple[str, ...]


def tree_of(chosen: ChosenRecordings, levels: str | None) -> ChosenTree:
    """Return the tree that levels span, or those that the manifest declares less those that are empty.

    Raises:
        UnknownNameError: no such column; the message lists the nearest.
        InputError: a level that was asked for and is empty for all recordings, no level with labels at all, or a level
            below the speaker that belongs above.
    """
    asked = levels is not None
    wanted = tuple(part.strip() for part in levels.split(",") if part.strip()) if asked else chosen.corpus.levels
    paths = tree_paths(chosen.corpus, chosen.utterances, wanted)
    empty = tuple(level for place, level in enumerate(wanted) if not paths.known[:, place].any())
    if not empty:
        return ChosenTree(paths, ())
    if asked or len(empty) == len(wanted):
        raise InputError(
            f"nothing is known of {' and '.join(empty)} for any of the {len(chosen.utterances):,} recordings of "
            f"{chosen.name}: leave {'it' if len(empty) == 1 else 'them'} out of --levels, or fill the column"
        )
    kept = tuple(level for level in wanted if level not in empty)
    return ChosenTree(tree_paths(chosen.corpus, chosen.utterances, kept), empty)


def notes_of(chosen: ChosenRecordings, tree: ChosenTree, *, seed: int) -> Iterator[str]:
    """Yield what a reader must know of the choice before the numbers."""
    if tree.left_out:
        several = len(tree.left_out) > 1
        yield (
            f"The manifest declares the level{'s' if several else ''} {', '.join(tree.left_out)} too, which "
            f"{'are' if several else 'is'} empty for all of these recordings, so {'they are' if several else 'it is'} "
            "left out."
        )
    taken = len(chosen.utterances)
    if taken < chosen.of_how_many:
        few = f"one each of {taken:,} of the {chosen.of_speakers:,} speakers; the other speakers are not looked at"
        yield (
            f"{taken:,} of {chosen.of_how_many:,} recordings were taken, drawn with seed {seed}, "
            f"{few if taken < chosen.of_speakers else 'as many of each speaker as fit'}."
        )
    known = tree.paths.known.mean(axis=0)
    shares = zip(tree.paths.levels, known.tolist(), strict=True)
    poor = [f"{level} ({100 * share:.0f} %)" for level, share in shares if share < 0.5]
    if poor:
        yield f"Few recordings have a label of {', '.join(poor)}: what is said of it is said of those alone."

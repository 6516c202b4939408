"""The tree that labels span: gender → accent → speaker → session, or the levels that a manifest declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from curvox.corpora.corpus import COLUMNS, LEVELS, Corpus, Utterance
from curvox.errors import CorpusError, InputError, UnknownNameError, nearest

UNKNOWN = "unknown"
# A gender that is unknown or that somebody prefers not to say.
UNDISCLOSED = ("", "p")

Leaf = tuple[str, ...]


@dataclass(frozen=True)
class LabelTree:
    """Where each utterance hangs, by the ``levels`` of its corpus: gender, accent (native language), speaker and
    session where the manifest declares no others.

    The leaves are sessions there, so two utterances of one session hang at the same leaf. A field that is empty, and a
    gender that somebody prefers not to say, is the node "unknown" of its parent: nothing is guessed, and speakers of
    unknown gender share a node. Build it with :meth:`from_corpus`.
    """

    leaves: Mapping[str, Leaf]
    levels: tuple[str, ...] = LEVELS

    @staticmethod
    def from_corpus(corpus: Corpus) -> LabelTree:
        """Hang every utterance of a corpus.

        Raises:
            CorpusError: a speaker has two of a level above, such as two genders, so would hang in two places.
        """
        above = corpus.levels.index("speaker")
        leaves = {u.utterance: _leaf(u, corpus.levels) for u in corpus.utterances}
        place: dict[str, tuple[Utterance, Leaf]] = {}
        for utterance in corpus.utterances:
            leaf = leaves[utterance.utterance]
            first, other = place.setdefault(utterance.speaker, (utterance, leaf))
            if other[:above] != leaf[:above]:
                raise CorpusError(
                    f'the speaker "{utterance.speaker}" is {" / ".join(other[:above])} in "{first.utterance}" and '
                    f'{" / ".join(leaf[:above])} in "{utterance.utterance}"; a speaker has one of each'
                )
        return LabelTree(leaves, corpus.levels)

    def __len__(self) -> int:
        return len(self.leaves)

    def __getitem__(self, utterance: str) -> Leaf:
        """Return the path of an utterance from the root to its leaf.

        Raises:
            UnknownNameError: the utterance is not in the tree.
        """
        if utterance not in self.leaves:
            raise UnknownNameError(f'unknown utterance "{utterance}": {nearest(utterance, self.leaves)}')
        return self.leaves[utterance]

    def tree_distance(self, a: str, b: str) -> int:
        """Return the number of edges between the leaves of two utterances, twice the levels in which they differ.

        Of the usual four levels these are 0, 2 (session), 4 (speaker), 6, or 8.
        """
        return path_distance(self[a], self[b], levels=self.levels)

    def tree_distances(self, utterances: Sequence[str]) -> np.ndarray:
        """Return the distances between all pairs of these utterances: int64 (utterances, utterances)."""
        paths = [self[utterance] for utterance in utterances]
        shared = np.zeros((len(paths), len(paths)), dtype=np.int64)
        for depth in range(1, len(self.levels) + 1):
            # The same number for the same node; a node is its whole path, as session "1" hangs below many speakers.
            numbers: dict[tuple[str, ...], int] = {}
            nodes = np.array([numbers.setdefault(path[:depth], len(numbers)) for path in paths], dtype=np.int64)
            shared += nodes[:, None] == nodes[None, :]
        return 2 * (len(self.levels) - shared)

    @cached_property
    def nodes(self) -> Mapping[str, tuple[tuple[str, ...], ...]]:
        """The nodes of each level, as paths from the root, sorted."""
        leaves = set(self.leaves.values())
        return {
            level: tuple(sorted({leaf[:depth] for leaf in leaves})) for depth, level in enumerate(self.levels, start=1)
        }


def path_distance(a: Sequence[str], b: Sequence[str], *, levels: Sequence[str] = LEVELS) -> int:
    """Return the edges between two nodes, given as paths from the root, by way of their lowest common ancestor.

    Raises:
        InputError: a path is longer than the tree is deep.
    """
    if max(len(a), len(b)) > len(levels):
        raise InputError(f"a path has at most {len(levels)} steps ({', '.join(levels)}), got {len(a)} and {len(b)}")
    shared = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        shared += 1
    return len(a) + len(b) - 2 * shared


def _leaf(utterance: Utterance, levels: Sequence[str]) -> Leaf:
    return tuple(label_of(utterance, level) or UNKNOWN for level in levels)


def label_of(utterance: Utterance, level: str) -> str:
    """Return the label of an utterance at a level, a known or further column; empty where it is not known."""
    if level == "gender":
        return "" if utterance.gender in UNDISCLOSED else utterance.gender
    return utterance.extra.get(level, "") if level not in COLUMNS else str(getattr(utterance, level) or "")

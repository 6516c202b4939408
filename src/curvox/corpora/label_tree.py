"""Build the tree that labels span: gender → accent → speaker → session, or the levels that a manifest declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from curvox.corpora.corpus import COLUMNS, LEVELS, Corpus, Utterance
from curvox.errors import CorpusError, UnknownNameError, nearest

UNKNOWN = "unknown"
# A gender that is unknown or that somebody prefers not to say.
UNDISCLOSED = ("", "p")

# Columns of one recording, or of the speaker and below.
NOT_OF_SPEAKERS = {
    *("utterance", "path", "speaker", "session", "split"),
    *("sampling_rate_hz", "duration_s", "start_s", "segment_s"),
}

Leaf = tuple[str, ...]


@dataclass(frozen=True)
class LabelTree:
    """The leaf of each utterance, as the labels of the ``levels`` of its corpus from the root down.

    By default these are gender, accent (native language), speaker and session, so two utterances of one session hang
    at the same leaf. A field that is empty, and a gender that somebody prefers not to say, is the node "unknown" of its
    parent: nothing is guessed, and speakers of unknown gender share a node. A label above the speaker in some of a
    speaker's lines holds for all of them. Build it with :meth:`from_corpus`.
    """

    leaves: Mapping[str, Leaf]
    levels: tuple[str, ...] = LEVELS

    @staticmethod
    def from_corpus(corpus: Corpus) -> LabelTree:
        """Hang every utterance of a corpus.

        Raises:
            CorpusError: a speaker has two of a level above, such as two genders, so would hang in two places.
        """
        paths = zip(corpus.utterances, label_paths(corpus.utterances, corpus.levels), strict=True)
        leaves = {utterance.utterance: tuple(label or UNKNOWN for label in path) for utterance, path in paths}
        return LabelTree(leaves, corpus.levels)

    def __len__(self) -> int:
        return len(self.leaves)

    def __getitem__(self, utterance: str) -> Leaf:
        """Return the path of an utterance from the root to its leaf; an unknown one raises `UnknownNameError`."""
        if utterance not in self.leaves:
            raise UnknownNameError(f'unknown utterance "{utterance}": {nearest(utterance, self.leaves)}')
        return self.leaves[utterance]

    def tree_distance(self, a: str, b: str) -> int:
        """Return the number of edges between the leaves of two utterances, twice the levels in which they differ.

        Of the usual four levels these are 0, 2 (session), 4 (speaker), 6, or 8.
        """
        pairs = zip(self[a], self[b], strict=True)
        return 2 * (len(self.levels) - sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)))


def label_paths(
    utterances: Sequence[Utterance], levels: Sequence[str], *, further: Sequence[Utterance] = ()
) -> list[tuple[str, ...]]:
    """Return the labels of utterances at every level, empty where they are not known.

    Above the speaker a label that stands in some lines of a speaker and is empty in others is the speaker's.

    Args:
        levels: columns of the manifest, known or further ones, from the root down.
        further: lines that may know what is empty in all of a speaker's utterances.
    """
    above = levels.index("speaker") if "speaker" in levels else 0
    columns = []
    for place, level in enumerate(levels):
        column = [label_of(utterance, level) for utterance in utterances]
        if place < above:
            gaps = {utterance.speaker for utterance, label in zip(utterances, column, strict=True) if not label}
            known = one_label_each([*utterances, *(line for line in further if line.speaker in gaps)], level)
            column = [known.get(utterance.speaker, "") for utterance in utterances]
        columns.append(column)
    return list(zip(*columns, strict=True))


def one_label_each(utterances: Iterable[Utterance], level: str) -> dict[str, str]:
    """Return the label of every speaker that has one in any of its lines; two raise a `CorpusError`."""
    for speaker, labels in (found := labels_of_speakers(utterances, level)).items():
        if len(labels) > 1:
            (label, first), (other, second), *_ = labels.items()
            raise CorpusError(
                f'the speaker "{speaker}" has the {level} "{label}" in "{first}" and "{other}" in "{second}"; a level '
                "above the speaker has one label for each, so correct the manifest, or put such a column below "
                "the speaker"
            )
    return {speaker: label for speaker, labels in found.items() for label in labels}


def labels_of_speakers(utterances: Iterable[Utterance], level: str) -> dict[str, dict[str, str]]:
    """Return for every speaker the labels that are known of it, each with the first utterance that has it."""
    found: dict[str, dict[str, str]] = {}
    for utterance in utterances:
        if label := label_of(utterance, level):
            found.setdefault(utterance.speaker, {}).setdefault(label, utterance.utterance)
    return found


def label_of(utterance: Utterance, level: str) -> str:
    """Return the label of an utterance at a level, a known or further column; empty where it is not known."""
    if level == "gender":
        return "" if utterance.gender in UNDISCLOSED else utterance.gender
    return utterance.extra.get(level, "") if level not in COLUMNS else str(getattr(utterance, level) or "")


def speaker_labels(corpus: Corpus, levels: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return for each level the label of each speaker, "" where the manifest does not know it.

    A label that stands in some lines of a speaker and is empty in others is the speaker's; a gender that somebody
    prefers not to say is unknown.

    Raises:
        CorpusError: no such column (with the nearest), a column that is not above the speaker, a speaker with two
            labels, or a level at which speakers do not differ.
    """
    further = {column for u in corpus.utterances for column in u.extra}
    known = [column for column in (*COLUMNS, *sorted(further)) if column not in NOT_OF_SPEAKERS]
    for level in levels:
        if level in NOT_OF_SPEAKERS:
            what = "no level above the speaker: a level says what speakers have in common"
            raise CorpusError(f'"{level}" is {what}; {nearest("", known)}')
        if level not in known:
            raise CorpusError(f'the manifest of "{corpus.name}" has no column "{level}": {nearest(level, known)}')
    return {level: _labels(corpus, level) for level in levels}


def _labels(corpus: Corpus, level: str) -> dict[str, str]:
    labels = dict.fromkeys(corpus.speakers, "") | one_label_each(corpus.utterances, level)
    found = sorted({*labels.values()} - {""})
    if len(found) < 2:
        what = f'"{found[0]}" wherever it is known' if found else "unknown"
        raise CorpusError(
            f'the {level} of all {len(labels)} speakers of "{corpus.name}" is {what}, so there is nothing to tell '
            "apart at this level; leave it out, or fill in the column"
        )
    return labels

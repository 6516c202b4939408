"""What a manifest says of its speakers at the levels of the tree above them, such as language and gender."""

from __future__ import annotations

from collections.abc import Sequence

from curvox.corpora.corpus import COLUMNS, Corpus
from curvox.corpora.label_tree import one_label_each
from curvox.errors import CorpusError, nearest

NOT_OF_SPEAKERS = {
    *("utterance", "path", "speaker", "session", "split"),
    *("sampling_rate_hz", "duration_s", "start_s", "segment_s"),
}
"""Columns of one recording, or of the speaker and what is below."""


def speaker_labels(corpus: Corpus, levels: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return for each level the label of each speaker, "" where the manifest does not know it.

    A label that stands in some lines of a speaker and is empty in others is the speaker's; a gender that somebody
    prefers not to say is unknown.

    Args:
        corpus: its manifest has the columns.
        levels: columns above the speaker, known or further ones.

    Raises:
        CorpusError: no such column (with the nearest), a column that is not above the speaker, a speaker with two
            labels, or a level at which speakers do not differ.
    """
    further = {column for u in corpus.utterances for column in u.extra}
    known = [column for column in (*COLUMNS, *sorted(further)) if column not in NOT_OF_SPEAKERS]
    for level in levels:
        if level in NOT_OF_SPEAKERS:
            raise CorpusError(
                f'"{level}" is no level above the speaker: a level says what speakers have in common; '
                f"{nearest('', known)}"
            )
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

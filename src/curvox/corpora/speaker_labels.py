"""What a manifest says of its speakers at the levels of the tree above them, such as language and gender."""

from __future__ import annotations

from collections.abc import Sequence

from curvox.corpora.corpus import COLUMNS, Corpus, Utterance
from curvox.corpora.label_tree import UNDISCLOSED
from curvox.errors import CorpusError, nearest

_NO_LEVELS = {
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
    known = [column for column in (*COLUMNS, *sorted(further)) if column not in _NO_LEVELS]
    for level in levels:
        if level in _NO_LEVELS:
            raise CorpusError(
                f'"{level}" is no level above the speaker: a level says what speakers have in common; '
                f"{nearest('', known)}"
            )
        if level not in known:
            raise CorpusError(f'the manifest of "{corpus.name}" has no column "{level}": {nearest(level, known)}')
    return {level: _labels(corpus, level) for level in levels}


def _labels(corpus: Corpus, level: str) -> dict[str, str]:
    labels = dict.fromkeys(corpus.speakers, "")
    first: dict[str, Utterance] = {}
    for utterance in corpus.utterances:
        label = _label(utterance, level)
        if not label:
            continue
        other = first.setdefault(utterance.speaker, utterance)
        if _label(other, level) != label:
            raise CorpusError(
                f'the speaker "{utterance.speaker}" has the {level} "{_label(other, level)}" in "{other.utterance}" '
                f'and "{label}" in "{utterance.utterance}"; a level above the speaker has one label for each'
            )
        labels[utterance.speaker] = label
    found = sorted({*labels.values()} - {""})
    if len(found) < 2:
        what = f'"{found[0]}" wherever it is known' if found else "unknown"
        raise CorpusError(
            f'the {level} of all {len(labels)} speakers of "{corpus.name}" is {what}, so there is nothing to tell '
            "apart at this level; leave it out, or fill in the column"
        )
    return labels


def _label(utterance: Utterance, level: str) -> str:
    if level == "gender":
        return "" if utterance.gender in UNDISCLOSED else utterance.gender
    return str(getattr(utterance, level) if level in COLUMNS else utterance.extra.get(level, ""))

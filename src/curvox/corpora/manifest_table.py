"""A corpus as rows of text, for manifests of any separator."""

from __future__ import annotations

from collections.abc import Iterator

from curvox.corpora.corpus import COLUMNS, Corpus
from curvox.errors import InputError


def manifest_table(corpus: Corpus) -> Iterator[list[str]]:
    """Yield the names of the columns, then the fields of each utterance; an unknown one is empty.

    The columns start_s and segment_s are there when an utterance is a segment, further columns in the order of their
    names.

    Raises:
        InputError: a further column has the name of a known one.
    """
    extras = sorted({name for u in corpus.utterances for name in u.extra})
    if clash := set(extras) & set(COLUMNS):
        raise InputError(f"further columns must not be named as known ones, got {', '.join(sorted(clash))}")
    plain = not extras and all(u.start_s == 0 and u.segment_s is None for u in corpus.utterances)
    known = COLUMNS[:-2] if plain else COLUMNS
    yield [*known, *extras]
    for utterance in corpus.utterances:
        cells = [_text(getattr(utterance, name)) for name in known]
        yield cells + [utterance.extra.get(name, "") for name in extras]


def _text(value: str | float | None) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)

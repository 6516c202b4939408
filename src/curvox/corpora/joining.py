"""Several corpora as one, such as CN-Celeb1 and 2 to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from curvox.corpora.corpus import Corpus
from curvox.errors import InputError


def join_corpora(corpora: Sequence[Corpus], root: str | Path) -> Corpus:
    """Return the utterances of all ``corpora``, in their order, with paths relative to ``root``.

    Ids and speakers keep their names. What an utterance says of its corpus stays, and where it says nothing the name
    of its corpus is put there.

    Args:
        corpora: at least two; either all of them have splits or none.
        root: a folder that holds the folders of all of them.

    Raises:
        InputError: fewer than two, a corpus outside ``root``, splits in some of them only, or a name of a speaker or
            an utterance that two of them share.
    """
    if len(corpora) < 2:
        raise InputError(f"there must be at least two corpora to join, got {len(corpora)}")
    above = Path(root).resolve()
    outside = [str(corpus.root) for corpus in corpora if not corpus.root.resolve().is_relative_to(above)]
    if outside:
        raise InputError(f"{above} must hold the folders of all corpora, but {', '.join(outside)} lies elsewhere")
    if len({bool(corpus.splits) for corpus in corpora}) > 1:
        without = ", ".join(corpus.name for corpus in corpora if not corpus.splits)
        raise InputError(
            f"{without} has no splits and others have: prepare it with --dev-speakers, or give its manifest the "
            'column split, such as "train" in every line'
        )
    _refuse_shared("speaker", [set(corpus.speakers) for corpus in corpora])
    _refuse_shared("utterance", [{u.utterance for u in corpus.utterances} for corpus in corpora])
    utterances = []
    for corpus in corpora:
        way = corpus.root.resolve().relative_to(above)
        utterances += [
            replace(u, path=(way / u.path).as_posix(), corpus=u.corpus or corpus.name) for u in corpus.utterances
        ]
    return Corpus(Path(root), tuple(utterances), "+".join(corpus.name for corpus in corpora))


def _refuse_shared(what: str, names: Sequence[set[str]]) -> None:
    seen: set[str] = set()
    for of_one in names:
        if shared := seen & of_one:
            first = min(shared)
            raise InputError(
                f'{len(shared)} names of a {what} come in two corpora (first: "{first}"); a name must mean one '
                f"{what} in all of them"
            )
        seen |= of_one

"""Hold a corpus: utterances, each with the labels of openvoices, under one folder. Paths and text, no audio."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from curvox.errors import CorpusError, InputError, UnknownNameError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One stretch of speech of one speaker: a recording, or a segment inside one.

    ``path`` is relative to the root of the corpus, with forward slashes. An empty string or None means unknown.
    ``gender`` is f, m, p (prefers not to say) or empty. ``duration_s`` is the length of this utterance, of the segment
    where it is one. A segment starts at ``start_s`` and lasts ``segment_s``; None means up to the end of the recording.
    ``extra`` holds further columns by their names.
    """

    utterance: str
    path: str
    corpus: str = ""
    speaker: str
    session: str = ""
    gender: str = ""
    language: str = ""
    native_language: str = ""
    nationality: str = ""
    channel: str = ""
    sampling_rate_hz: int | None = None
    duration_s: float | None = None
    split: str = ""
    start_s: float = 0.0
    segment_s: float | None = None
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)


COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(Utterance) if f.name != "extra")
LEVELS = ("gender", "native_language", "speaker", "session")
"""The columns that span the label tree where a manifest declares no others, from the root down."""
# To fill an utterance made by ``object.__new__`` field by field, every field, before anybody else sees it: for a
# million utterances that takes half the time.
SETTERS: Mapping[str, Callable[[Utterance, Any], None]] = {
    f.name: getattr(Utterance, f.name).__set__ for f in fields(Utterance)
}


@dataclass(frozen=True)
class CorpusCounts:
    """How much speech there is; ``duration_s`` is None when the length of any utterance is unknown."""

    speakers: int
    sessions: int
    utterances: int
    duration_s: float | None


def count(utterances: Iterable[Utterance]) -> CorpusCounts:
    """Count speakers, sessions (per speaker), utterances and seconds."""
    utterances = tuple(utterances)
    durations_s = [u.duration_s for u in utterances if u.duration_s is not None]
    return CorpusCounts(
        speakers=len({u.speaker for u in utterances}),
        sessions=len({(u.speaker, u.session) for u in utterances}),
        utterances=len(utterances),
        duration_s=sum(durations_s) if len(durations_s) == len(utterances) else None,
    )


@dataclass(frozen=True)
class Corpus:
    """Utterances under ``root``, in the order of their manifest. Utterance ids are unique.

    ``levels`` are the columns that span the label tree, known or further ones, from the root down.

    Raises:
        CorpusError: two utterances have the same id.
    """

    root: Path
    utterances: tuple[Utterance, ...]
    name: str
    levels: tuple[str, ...] = LEVELS

    def __post_init__(self) -> None:
        if len(self._by_id) != len(self.utterances):
            ((twice, _),) = Counter(u.utterance for u in self.utterances).most_common(1)
            raise CorpusError(f'utterance ids must be unique, "{twice}" comes twice in the corpus "{self.name}"')

    @cached_property
    def _by_id(self) -> dict[str, Utterance]:
        return {u.utterance: u for u in self.utterances}

    @cached_property
    def _near(self) -> NameIndex:
        return NameIndex(self._by_id)

    def __len__(self) -> int:
        return len(self.utterances)

    def __contains__(self, utterance: object) -> bool:
        return utterance in self._by_id

    def __getitem__(self, utterance: str) -> Utterance:
        """Return the utterance of this id; an unknown one raises `UnknownNameError` with the nearest ids."""
        try:
            return self._by_id[utterance]
        except KeyError:
            hint = self.nearest_utterances(utterance)
            raise UnknownNameError(f'unknown utterance "{utterance}" in the corpus "{self.name}": {hint}') from None

    def nearest_utterances(self, utterance: str) -> str:
        """Return a hint with the ids nearest to one that is unknown."""
        for known in self.utterances:
            if known.path == utterance:
                return f'this is the path of the utterance "{known.utterance}"; name the utterance'
        return self._near.hint(utterance)

    @cached_property
    def speakers(self) -> tuple[str, ...]:
        """The speakers, sorted."""
        return tuple(sorted({u.speaker for u in self.utterances}))

    @cached_property
    def by_speaker(self) -> Mapping[str, tuple[Utterance, ...]]:
        """The utterances of each speaker; speakers sorted, utterances in the order of the corpus."""
        groups: dict[str, list[Utterance]] = {speaker: [] for speaker in self.speakers}
        for utterance in self.utterances:
            groups[utterance.speaker].append(utterance)
        return {speaker: tuple(group) for speaker, group in groups.items()}

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits that are present, sorted; empty where there is no split."""
        return tuple(sorted({u.split for u in self.utterances} - {""}))

    @cached_property
    def counts(self) -> CorpusCounts:
        """Speakers, sessions, utterances and seconds of the whole corpus."""
        return count(self.utterances)

    def split(self, name: str) -> Corpus:
        """Return the part of the corpus whose split is ``name``."""
        if name not in self.splits or not name:
            present = ", ".join(self.splits) or "none; holdout_speakers makes them"
            raise CorpusError(f'the corpus "{self.name}" has no split "{name}"; splits present: {present}')
        chosen = tuple(u for u in self.utterances if u.split == name)
        return replace(self, utterances=chosen, name=f"{self.name}/{name}")

    def without(self, utterances: Iterable[str]) -> Corpus:
        """Return the corpus less the utterances of these ids, for instance those whose recording cannot be read."""
        left_out = {self[utterance].utterance for utterance in utterances}
        kept = tuple(u for u in self.utterances if u.utterance not in left_out)
        if not kept:
            raise InputError(f'at least one utterance must be left, all {len(self)} of "{self.name}" were left out')
        return replace(self, utterances=kept)

    def path_of(self, utterance: Utterance | str) -> Path:
        """Return where the recording of an utterance (or of its id) lies."""
        found = self[utterance] if isinstance(utterance, str) else utterance
        return self.root / found.path


def join_corpora(corpora: Sequence[Corpus], root: str | Path) -> Corpus:
    """Return the utterances of all ``corpora``, in their order, with paths relative to ``root``, which holds them all.

    Ids and speakers keep their names; an utterance without a corpus label gets the name of its corpus.

    Raises:
        InputError: fewer than two corpora, one outside ``root``, splits in some of them only, or a speaker or an
            utterance whose name two of them share.
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
    utterances: list[Utterance] = []
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
            raise InputError(
                f'{len(shared)} names of a {what} come in two corpora (first: "{min(shared)}"); a name must mean one '
                f"{what} in all of them"
            )
        seen |= of_one


_REACH = 40
# Looking for near names takes time, and only the first problems are shown: so many get a hint.
HINTS = 25


class NameIndex:
    """Names sorted from their front and from their back; only the neighbours of a misspelt name are compared.

    difflib over tens of thousands of ids would take seconds.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._forward = sorted(names)
        self._backward = sorted(name[::-1] for name in self._forward)

    def hint(self, name: str) -> str:
        """Return ``did you mean ...?``, or a few neighbouring names when none is close."""
        front = _neighbours(self._forward, name)
        back = [found[::-1] for found in _neighbours(self._backward, name[::-1])]
        hint = nearest(name, {*front, *back})
        if hint.startswith("did you mean"):
            return hint
        if not self._forward:
            return "none are known"
        middle = len(front) // 2
        shown = front[max(0, middle - 1) : middle + 2]
        return f"none is near; {len(self._forward)} are known, for instance " + ", ".join(f'"{s}"' for s in shown)


def _neighbours(ordered: list[str], name: str) -> list[str]:
    place = bisect_left(ordered, name)
    return ordered[max(0, place - _REACH) : place + _REACH]

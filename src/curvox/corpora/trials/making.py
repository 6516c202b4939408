"""Draw trials and held-out speakers, from a seed, for a corpus that has none."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations, zip_longest

import numpy as np

from curvox.corpora.corpus import Corpus, Utterance
from curvox.corpora.label_tree import UNDISCLOSED
from curvox.corpora.trials.trial_list import TrialList
from curvox.errors import InputError, require_at_least

Pair = tuple[str, str]
_TRIES = 20
_PAIRED = 300


def make_trials(
    corpus: Corpus, *, seed: int, targets_per_speaker: int, nontargets_per_speaker: int, same_gender: bool = True
) -> TrialList:
    """Draw trials; the same corpus and seed give the same list, and no pair comes twice in either order.

    Target trials cross sessions where a speaker has several, and never compare two segments of one recording.
    Non-target trials go round the other speakers of the same ``corpus`` label and, with ``same_gender``, the same
    gender where it is known; where there is none, gender is let go first, then the corpus label. A speaker with too few
    pairs gives fewer.

    Raises:
        InputError: a number is below 1 or the seed below 0, no speaker has two recordings, or there is one speaker
        only.
    """
    require_at_least(0, seed=seed)
    require_at_least(1, targets_per_speaker=targets_per_speaker, nontargets_per_speaker=nontargets_per_speaker)
    rng = np.random.default_rng(seed)
    groups = corpus.by_speaker
    others = _Others(groups, same_gender)
    seen: set[Pair] = set()
    trials: list[tuple[bool, str, str]] = []
    for speaker, own in groups.items():
        trials += [(True, *pair) for pair in _targets(own, targets_per_speaker, rng)]
        found = _nontargets(own, [groups[s] for s in others.of(speaker)], nontargets_per_speaker, seen, rng)
        trials += [(False, *pair) for pair in found]
    labels = np.array([label for label, _, _ in trials], dtype=bool)
    if not labels.any():
        raise InputError(f'no speaker of "{corpus.name}" has two recordings, so there is no target trial')
    if labels.all():
        raise InputError(f'a non-target trial needs two speakers, "{corpus.name}" has {len(corpus.speakers)}')
    return TrialList(tuple(e for _, e, _ in trials), tuple(t for _, _, t in trials), labels, f"trials of {corpus.name}")


def _targets(own: tuple[Utterance, ...], number: int, rng: np.random.Generator) -> list[Pair]:
    pairs = [(a, b) for a, b in combinations(_some(own, rng), 2) if a.path != b.path]
    pairs = [(a, b) for a, b in pairs if a.session != b.session] or pairs
    chosen = rng.permutation(len(pairs))[:number]
    return [(pairs[i][0].utterance, pairs[i][1].utterance) for i in chosen]


def _some(own: tuple[Utterance, ...], rng: np.random.Generator) -> list[Utterance]:
    """Return at most _PAIRED utterances, evenly from the sessions; pairs grow with the square of their number."""
    sessions: dict[str, list[Utterance]] = defaultdict(list)
    for i in rng.permutation(len(own)):
        sessions[own[i].session].append(own[i])
    rounds = zip_longest(*sessions.values())
    return [u for turn in rounds for u in turn if u is not None][:_PAIRED]


class _Others:
    """The speakers that a speaker is compared with: the narrowest group that holds another one."""

    def __init__(self, groups: Mapping[str, tuple[Utterance, ...]], same_gender: bool) -> None:
        self._keys: dict[str, list[tuple[str, ...]]] = {}
        self._members: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for speaker, own in groups.items():
            corpus, gender = own[0].corpus, own[0].gender
            keys = [("corpus", corpus), ("all",)]
            if same_gender and gender not in UNDISCLOSED:
                keys = [("both", corpus, gender), ("corpus", corpus), ("gender", gender), ("all",)]
            self._keys[speaker] = keys
            for key in keys:
                self._members[key].append(speaker)

    def of(self, speaker: str) -> list[str]:
        for key in self._keys[speaker]:
            if len(self._members[key]) > 1:
                return [other for other in self._members[key] if other != speaker]
        return []


def _nontargets(
    own: tuple[Utterance, ...],
    others: list[tuple[Utterance, ...]],
    number: int,
    seen: set[Pair],
    rng: np.random.Generator,
) -> list[Pair]:
    """Go round the other speakers in random order, one new pair of each, until there are enough or no more."""
    found: list[Pair] = []
    left = deque(others[i] for i in rng.permutation(len(others)))
    while left and len(found) < number:
        other = left.popleft()
        pair = _new_pair(own, other, seen, rng)
        if pair is not None:
            seen.add(pair)
            found.append(pair)
            left.append(other)
    return found


def _new_pair(
    own: tuple[Utterance, ...], other: tuple[Utterance, ...], seen: set[Pair], rng: np.random.Generator
) -> Pair | None:
    for _ in range(_TRIES):
        a = own[rng.integers(len(own))].utterance
        b = other[rng.integers(len(other))].utterance
        if (a, b) not in seen and (b, a) not in seen:
            return a, b
    pairs = [(a.utterance, b.utterance) for a in own for b in other]
    fresh = [(a, b) for a, b in pairs if (a, b) not in seen and (b, a) not in seen]
    return fresh[rng.integers(len(fresh))] if fresh else None


def holdout_speakers(corpus: Corpus, *, dev_speakers: int, test_speakers: int = 0, seed: int) -> Corpus:
    """Give a corpus without splits the splits train, dev and test; all utterances of a speaker go together.

    The same speakers and seed give the same splits, whatever the order of the utterances.

    Raises:
        InputError: the corpus has splits, a number is out of range, or no speaker would be left to train on.
    """
    require_at_least(1, dev_speakers=dev_speakers)
    require_at_least(0, test_speakers=test_speakers, seed=seed)
    if corpus.splits:
        raise InputError(f'"{corpus.name}" has the splits {", ".join(corpus.splits)} already; use them as they are')
    speakers = corpus.speakers
    if dev_speakers + test_speakers >= len(speakers):
        raise InputError(
            f"{dev_speakers} dev and {test_speakers} test speakers leave none of {len(speakers)} to train on; take less"
        )
    order = np.random.default_rng(seed).permutation(len(speakers))
    names = ["dev"] * dev_speakers + ["test"] * test_speakers
    held = {speakers[i]: name for i, name in zip(order, names, strict=False)}
    utterances = tuple(replace(u, split=held.get(u.speaker, "train")) for u in corpus.utterances)
    return replace(corpus, utterances=utterances)

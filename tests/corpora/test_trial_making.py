from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from curvox.corpora import Corpus, Utterance, holdout_speakers, make_trials
from curvox.errors import InputError


def corpus_of(*, speakers: int = 12, utterances: int = 6, sessions: int = 2, split: str = "") -> Corpus:
    rows = [
        Utterance(
            utterance=f"s{s:02d}-{i}",
            path=f"s{s:02d}-{i}.wav",
            speaker=f"s{s:02d}",
            session=str(i % sessions),
            corpus="one" if s < speakers // 2 else "two",
            gender=("f", "m", "")[s % 3],
            split=split,
        )
        for s in range(speakers)
        for i in range(utterances)
    ]
    return Corpus(Path("made"), tuple(rows), "made")


def made(corpus: Corpus, **changes: int | bool) -> list[tuple[bool, Utterance, Utterance]]:
    options = {"seed": 0, "targets_per_speaker": 5, "nontargets_per_speaker": 7, **changes}
    trials = make_trials(corpus, **options)  # pyright: ignore[reportArgumentType]
    trials.check_against(corpus)
    assert trials.labels is not None
    rows = zip(trials.labels.tolist(), trials.enrolments, trials.tests, strict=True)
    return [(label, corpus[e], corpus[t]) for label, e, t in rows]


def test_make_trials__gives_each_speaker_its_number() -> None:
    counts = Counter((label, e.speaker) for label, e, _ in made(corpus_of()))
    assert counts == {(label, f"s{s:02d}"): 5 if label else 7 for s in range(12) for label in (True, False)}


def test_make_trials__is_a_function_of_the_seed() -> None:
    corpus = corpus_of()
    assert made(corpus, seed=1) == made(corpus, seed=1)
    assert made(corpus, seed=1) != made(corpus, seed=2)


@pytest.mark.parametrize("seed", range(5))
def test_make_trials__no_pair_comes_twice_in_either_order(seed: int) -> None:
    # 2 speakers × 3 utterances have 9 non-target pairs, all of them wanted.
    rows = made(corpus_of(speakers=2, utterances=3), seed=seed, nontargets_per_speaker=9)
    pairs = [frozenset((e.utterance, t.utterance)) for _, e, t in rows]
    assert len(pairs) == len(set(pairs))
    assert sum(not label for label, _, _ in rows) == 9


def test_make_trials__targets_cross_sessions_where_there_are_several() -> None:
    assert all(e.session != t.session for label, e, t in made(corpus_of()) if label)
    assert any(label for label, _, _ in made(corpus_of(sessions=1)))


def test_make_trials__crossing_survives_one_session_far_larger_than_the_other() -> None:
    rows = [
        Utterance(utterance=f"{s}{i}", path=f"{s}{i}.wav", speaker=s, session="big" if i else "small")
        for s in ("a", "b")
        for i in range(400)
    ]
    corpus = Corpus(Path("made"), tuple(rows), "made")
    targets = [(e, t) for label, e, t in made(corpus) if label]
    assert len(targets) == 10
    assert all({e.session, t.session} == {"big", "small"} for e, t in targets)


def test_make_trials__never_compares_segments_of_one_recording() -> None:
    rows = [
        Utterance(utterance=f"{s}{i}", path=f"{s}{i // 2}.wav", speaker=s, start_s=float(i % 2), segment_s=1.0)
        for s in ("a", "b")
        for i in range(4)
    ]
    targets = [(e, t) for label, e, t in made(Corpus(Path("x"), tuple(rows), "x")) if label]
    assert len(targets) == 8
    assert all(e.path != t.path for e, t in targets)


def test_make_trials__nontargets_keep_to_corpus_and_known_gender() -> None:
    corpus = corpus_of()
    for label, e, t in made(corpus):
        if not label:
            assert e.speaker != t.speaker
            assert e.corpus == t.corpus
            assert not e.gender or e.gender == t.gender
    assert any(e.gender and e.gender != t.gender for label, e, t in made(corpus, same_gender=False) if not label)


def test_make_trials__gender_is_let_go_before_the_corpus() -> None:
    # Each corpus has one woman only.
    rows = [
        Utterance(utterance=f"{s}{i}", path=f"{s}{i}.wav", speaker=s, corpus=s[0], gender="f" if s[1] == "1" else "m")
        for s in ("x1", "x2", "x3", "y1", "y2", "y3")
        for i in range(3)
    ]
    for label, e, t in made(Corpus(Path("x"), tuple(rows), "x"), nontargets_per_speaker=2):
        if not label:
            assert e.corpus == t.corpus
            assert (e.gender == t.gender) == (e.gender == "m")


def test_make_trials__nontargets_go_round_the_other_speakers() -> None:
    rows = made(corpus_of(speakers=4, utterances=20), same_gender=False, nontargets_per_speaker=9)
    # Speakers s00 and s01 form one corpus, s02 and s03 the other.
    assert all(abs(int(e.speaker[1:]) - int(t.speaker[1:])) == 1 for label, e, t in rows if not label)
    rows = made(corpus_of(speakers=10, utterances=20), same_gender=False, nontargets_per_speaker=8)
    counts = Counter((e.speaker, t.speaker) for label, e, t in rows if not label)
    assert set(counts.values()) == {2}


@pytest.mark.parametrize("name", ["targets_per_speaker", "nontargets_per_speaker", "seed"])
def test_make_trials__refuses_numbers_out_of_range(name: str) -> None:
    with pytest.raises(InputError, match=name):
        made(corpus_of(), **{name: -1})


def test_make_trials__refuses_a_corpus_without_pairs() -> None:
    with pytest.raises(InputError, match="no target trial"):
        made(corpus_of(utterances=1))
    with pytest.raises(InputError, match="needs two speakers"):
        made(corpus_of(speakers=1))


@pytest.mark.parametrize("seed", range(5))
def test_holdout_speakers__splits_by_speaker(seed: int) -> None:
    corpus = corpus_of()
    held = holdout_speakers(corpus, dev_speakers=3, test_speakers=2, seed=seed)
    sizes = {name: len(held.split(name).speakers) for name in held.splits}
    assert sizes == {"train": 7, "dev": 3, "test": 2}
    assert len({(u.speaker, u.split) for u in held.utterances}) == 12
    assert [u.utterance for u in held.utterances] == [u.utterance for u in corpus.utterances]


def test_holdout_speakers__does_not_depend_on_the_order_of_utterances() -> None:
    corpus = corpus_of()
    order = np.random.default_rng(0).permutation(len(corpus))
    mixed = Corpus(corpus.root, tuple(corpus.utterances[i] for i in order), corpus.name)
    one = holdout_speakers(corpus, dev_speakers=3, seed=4)
    two = holdout_speakers(mixed, dev_speakers=3, seed=4)
    assert {u.utterance: u.split for u in one.utterances} == {u.utterance: u.split for u in two.utterances}
    other = holdout_speakers(corpus, dev_speakers=3, seed=5)
    assert one.split("dev").speakers != other.split("dev").speakers


def test_holdout_speakers__refuses_splits_and_too_few_speakers() -> None:
    with pytest.raises(InputError, match="has the splits train already"):
        holdout_speakers(corpus_of(split="train"), dev_speakers=1, seed=0)
    with pytest.raises(InputError, match="leave none of 12 to train on"):
        holdout_speakers(corpus_of(), dev_speakers=6, test_speakers=6, seed=0)
    with pytest.raises(InputError, match="dev_speakers must be a whole number of at least 1"):
        holdout_speakers(corpus_of(), dev_speakers=0, seed=0)

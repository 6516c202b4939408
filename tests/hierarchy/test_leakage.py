"""Leakage between levels."""

import itertools

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.hierarchy.leakage import read_off, session_auc

SPEAKERS = np.repeat(np.arange(40), 6)
GENDERS = SPEAKERS % 2
LANGUAGES = SPEAKERS // 20


def voices(*, gender: float, seed: int = 0, dim: int = 8) -> np.ndarray:
    """Speakers at random, those of gender 1 moved along the first axis."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, dim))[SPEAKERS] + 0.2 * rng.normal(size=(240, dim))
    return x + gender * GENDERS[:, None] * (np.arange(dim) == 0)


def read(points: np.ndarray, space=None, **options):
    found = read_off(space or Euclidean(), points, GENDERS + 2 * LANGUAGES, LANGUAGES, SPEAKERS, **options)
    assert found is not None
    return found


def test_read_off__is_one_for_a_label_that_stands_apart_and_chance_for_none() -> None:
    apart = read(voices(gender=10))
    assert apart.balanced_accuracy() == 1
    assert apart.chance == pytest.approx(0.5, abs=0.1)
    assert (len(set(apart.parents)), apart.items, len(apart.rates)) == (2, 240, 40)
    values = [read(voices(gender=0, seed=seed), permutations=0).balanced_accuracy() for seed in range(20)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.06)


def test_read_off__asks_speakers_it_did_not_learn_from() -> None:
    """Labels without any meaning are not read off, though each speaker is told apart with ease."""
    values = []
    for seed in range(10):
        labels = np.random.default_rng(seed).permutation(np.repeat([0, 1], 20))[SPEAKERS]
        x = 100 * np.eye(40)[SPEAKERS] + np.random.default_rng(seed).normal(size=(240, 40))
        found = read_off(Euclidean(), x, labels, np.zeros(240), SPEAKERS, permutations=0)
        assert found is not None
        values.append(found.balanced_accuracy())
    assert np.mean(values) < 0.6


def test_read_off__tells_as_scikit_learns_discriminant() -> None:
    """Of two labels with equal speakers, on one fold that is learnt from the rest."""
    x = voices(gender=1.5, seed=3)
    found = read(x)
    right = 0
    for language in (0, 1):
        for speaker in range(20 * language, 20 * language + 20):
            others = (language == LANGUAGES) & (speaker != SPEAKERS)
            lda = LinearDiscriminantAnalysis(priors=[0.5, 0.5]).fit(x[others], GENDERS[others])
            right += np.mean(np.asarray(lda.predict(x[speaker == SPEAKERS]) == speaker % 2))
    assert found.balanced_accuracy() == pytest.approx(right / 40, abs=0.06)


def of_lda(x: np.ndarray, labels: np.ndarray, speakers: np.ndarray) -> float:
    """Balanced accuracy of scikit-learn's discriminant with equal priors, each speaker held out in turn."""
    kinds, right = np.unique(labels), np.zeros(speakers.max() + 1)
    for speaker in np.unique(speakers):
        others = speakers != speaker
        lda = LinearDiscriminantAnalysis(priors=np.full(len(kinds), 1 / len(kinds))).fit(x[others], labels[others])
        right[speaker] = np.mean(lda.predict(x[~others]) == labels[~others])
    own = labels[np.unique(speakers, return_index=True)[1]]
    return float(np.mean([right[own == label].mean() for label in kinds]))


@pytest.mark.parametrize("case", ["in one row", "in many directions", "of unlike size"])
def test_read_off__tells_several_labels_as_scikit_learns_discriminant(case: str) -> None:
    """Labels in a row blow up the variance along it, which says nothing against that direction."""
    rng = np.random.default_rng(5)
    sizes = (4, 20, 6, 12, 9) if case == "of unlike size" else (10,) * 8
    own = np.repeat(np.arange(len(sizes)), sizes)
    speakers = np.repeat(np.arange(len(own)), 6)
    labels = own[speakers]
    spread = np.array([1.0, 3, 0.3, 1, 1, 2])
    x = spread * (rng.normal(size=(len(own), 6))[speakers] + 0.3 * rng.normal(size=(len(labels), 6)))
    if case == "in many directions":
        x += 1.5 * spread * rng.normal(size=(8, 6))[labels]
    else:
        x[:, 0] += 3 * labels
    found = read_off(Euclidean(), x, labels, np.zeros(len(x)), speakers, permutations=0)
    assert found is not None
    assert 0.6 < of_lda(x, labels, speakers) < 0.95
    assert found.balanced_accuracy() == pytest.approx(of_lda(x, labels, speakers), abs=0.04)


def test_read_off__takes_labels_whose_items_are_one_point() -> None:
    labels = SPEAKERS % 4
    found = read_off(Euclidean(), np.eye(4)[labels], labels, np.zeros(240), SPEAKERS, permutations=2)
    assert found is not None
    assert found.balanced_accuracy() == 1


@pytest.mark.parametrize("space", [Hypersphere(), PoincareBall(c=2.0)])
def test_read_off__works_in_every_space(space) -> None:
    import torch

    points = space.project(torch.from_numpy(0.1 * voices(gender=8))).numpy()
    assert read(points, space).balanced_accuracy() > 0.85


def test_balanced_accuracy__is_the_mean_over_labels_then_over_parents() -> None:
    found = read(voices(gender=1.0, seed=1))
    by_hand = np.mean(
        [np.mean([found.rates[found.classes == 2 * place + k].mean() for k in (0, 1)]) for place in (0, 1)]
    )
    assert found.balanced_accuracy() == pytest.approx(by_hand)
    drawn = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40)).astype(float)
    assert 0 <= found.balanced_accuracy(drawn) <= 1
    gone = np.where(found.classes == 0, 0.0, 1.0)
    assert np.isnan(found.balanced_accuracy(gone))


def test_read_off__leaves_out_labels_of_few_speakers() -> None:
    labels = np.where(SPEAKERS < 2, 7, GENDERS)
    found = read_off(Euclidean(), voices(gender=5), labels, np.zeros(240), SPEAKERS)
    assert found is not None
    assert len(found.rates) == 38
    assert read_off(Euclidean(), voices(gender=5), SPEAKERS, np.zeros(240), SPEAKERS) is None


def test_read_off__refuses_a_speaker_with_two_labels() -> None:
    labels = GENDERS.copy()
    labels[0] = 1
    with pytest.raises(InputError, match="the speaker 0 has several"):
        read_off(Euclidean(), voices(gender=0), labels, np.zeros(240), SPEAKERS)


def test_session_auc__is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(4)
    x, speakers, sessions = rng.normal(size=(30, 2)), np.repeat([5, 6, 7], 10), np.zeros(30, dtype=int)
    sessions[:20] = np.arange(20) // 4 % 3
    found, areas, pairs = session_auc(Euclidean(), x, sessions, speakers)
    np.testing.assert_array_equal(found, [5, 6])  # the third has one session
    assert pairs == 90
    for name, area in zip(found, areas, strict=True):
        own = np.flatnonzero(speakers == name)
        pair = [(np.linalg.norm(x[i] - x[j]), sessions[i] == sessions[j]) for i, j in itertools.combinations(own, 2)]
        wins = [far > near for near, one in pair if one for far, other in pair if not other]
        assert area == pytest.approx(np.mean(wins))


def test_session_auc__is_one_where_sessions_stand_apart_and_half_where_nothing_does() -> None:
    rng = np.random.default_rng(5)
    speakers, sessions = np.repeat(np.arange(10), 12), np.arange(120) // 4
    near = rng.normal(size=(120, 4))
    assert session_auc(Euclidean(), near + 100 * sessions[:, None], sessions, speakers)[1].tolist() == [1.0] * 10
    assert session_auc(Euclidean(), near, sessions, speakers)[1].mean() == pytest.approx(0.5, abs=0.08)
    assert session_auc(Euclidean(), np.zeros((120, 4)), sessions, speakers)[1].tolist() == [0.5] * 10

"""Paths of items in a tree of labels."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from curvox.corpora import Corpus, LabelTree, Utterance, speaker_labels
from curvox.errors import CorpusError, InputError, UnknownNameError
from curvox.hierarchy.paths import TreePaths, planted_paths, tree_paths

LEVELS = ("gender", "native_language", "speaker", "session")


def utterance(name: str, speaker: str, session: str = "1", **labels) -> Utterance:
    return Utterance(utterance=name, path=f"{name}.wav", speaker=speaker, session=session, **labels)


@pytest.fixture
def corpus() -> Corpus:
    utterances = (
        utterance("a1", "a", gender="f", native_language="hindi", extra={"town": "Pune"}),
        utterance("a2", "a", session="2", gender="f", native_language="hindi", extra={"town": "Pune"}),
        utterance("b1", "b", gender="f", native_language="", extra={"town": "Agra"}),
        utterance("c1", "c", gender="p", native_language="hindi"),
        utterance("d1", "d", gender="", native_language="hindi"),
        utterance("a3", "a", gender="f", native_language="hindi", extra={"town": "Pune"}),
    )
    return Corpus(Path("."), utterances, "made up")


def test_tree_distance__is_that_of_the_label_tree(corpus: Corpus) -> None:
    names = [u.utterance for u in corpus.utterances][::-1]
    paths, tree = tree_paths(corpus, names, LEVELS), LabelTree.from_corpus(corpus)
    every = np.arange(len(names))
    expected = [[tree.tree_distance(a, b) for b in names] for a in names]
    np.testing.assert_array_equal(paths.tree_distance(every[:, None], every), expected)
    for i, j in itertools.product(every, every):
        assert paths.tree_distance(i, j) == tree.tree_distance(names[i], names[j])


def test_paths__of_sessions_hang_below_their_speaker(corpus: Corpus) -> None:
    paths = tree_paths(corpus, ["a1", "a3", "a2", "b1"], ("speaker", "session"))
    assert paths.names == (("a", "b"), ("a / 1", "a / 2", "b / 1"))
    np.testing.assert_array_equal(paths.nodes, [[0, 0], [0, 0], [0, 1], [1, 2]])
    np.testing.assert_array_equal(paths.parents("session"), [0, 0, 1])
    np.testing.assert_array_equal(paths.parents("speaker"), [0, 0])


def test_paths__of_unknown_labels_hang_at_the_unknown_node_of_their_parent(corpus: Corpus) -> None:
    paths = tree_paths(corpus, ["a1", "b1", "c1", "d1"], ("gender", "native_language"))
    assert paths.names[0] == ("f", "unknown")
    assert paths.names[1] == ("f / hindi", "f / unknown", "unknown / hindi")
    np.testing.assert_array_equal(paths.known, [[True, True], [True, False], [False, True], [False, True]])


def test_paths__take_further_columns(corpus: Corpus) -> None:
    paths = tree_paths(corpus, ["a1", "b1", "c1"], ("town", "speaker"))
    assert paths.names[0] == ("Agra", "Pune", "unknown")


@pytest.mark.parametrize("levels", [(), "gender", ("gender", "gender")])
def test_paths__refuse_levels_that_are_no_levels(corpus: Corpus, levels) -> None:
    with pytest.raises(InputError, match="different columns"):
        tree_paths(corpus, ["a1"], levels)


def test_paths__refuse_what_the_corpus_does_not_know(corpus: Corpus) -> None:
    with pytest.raises(UnknownNameError, match='did you mean "gender"'):
        tree_paths(corpus, ["a1"], ("gendre",))
    with pytest.raises(UnknownNameError, match='"a9"'):
        tree_paths(corpus, ["a9"], ("gender",))
    with pytest.raises(InputError, match="at least one utterance"):
        tree_paths(corpus, [], ("gender",))


def test_paths__refuse_a_speaker_in_two_places() -> None:
    twice = Corpus(Path("."), (utterance("a1", "a", language="en"), utterance("a2", "a", language="zh")), "two")
    with pytest.raises(CorpusError, match='"a" has the language "en" in "a1" and "zh" in "a2"'):
        tree_paths(twice, ["a1", "a2"], ("language", "speaker"))
    assert tree_paths(twice, ["a1", "a2"], ("speaker", "language")).names[1] == ("a / en", "a / zh")


def manifest(*lines: str) -> Corpus:
    """Each line is an id, whose first letter is the speaker, then gender, language, town and session; - is empty."""
    utterances = []
    for line in lines:
        name, gender, language, town, session = (word.replace("-", "") for word in line.split())
        labels = {"gender": gender, "language": language, "extra": {"town": town}}
        utterances.append(utterance(name, name[0], session, **labels))
    return Corpus(Path("."), tuple(utterances), "made up")


def test_paths__fill_above_the_speaker_what_other_lines_of_the_speaker_say() -> None:
    """The label of training, see `speaker_labels`; lines that are not chosen count too, sessions are never filled."""
    full = manifest("a1 f en x 1", "a2 f en x 1", "b1 m zh y 1", "b2 m zh y 2", "c1 m en x 1")
    gaps = manifest("a1 f - x 1", "a2 p en - 1", "b1 - zh y 1", "b2 m - - -", "c1 m en x 1")
    levels, names = ("language", "gender", "town", "speaker"), ["a1", "a2", "b1", "c1"]
    found, expected = tree_paths(gaps, names, levels), tree_paths(full, names, levels)
    assert (found.names, found.nodes.tolist()) == (expected.names, expected.nodes.tolist())
    assert found.known.all()
    with_sessions = tree_paths(gaps, ["b1", "b2"], ("gender", "speaker", "session"))
    np.testing.assert_array_equal(with_sessions.known, [[True, True, True], [True, True, False]])
    by_training = speaker_labels(gaps, levels[:-1])
    for place, level in enumerate(levels[:-1]):
        own = [found.names[place][node].split(" / ")[-1] for node in found.nodes[:, place]]
        assert own == [by_training[level][name[0]] for name in names]


def test_paths__of_labels_that_contradict_are_refused_where_they_would_be_needed() -> None:
    torn = manifest("a1 f - x 1", "a2 f en x 1", "a3 f zh x 1", "b1 m en x 1")
    with pytest.raises(CorpusError, match='"a" has the language "en" in "a2" and "zh" in "a3"'):
        tree_paths(torn, ["a1", "b1"], ("language", "speaker"))
    assert tree_paths(torn, ["a2", "b1"], ("language", "speaker")).names[0] == ("en",)


def test_paths__of_the_word_unknown_are_no_paths_without_a_label() -> None:
    corpus = manifest("a1 f unknown x 1", "b1 f - x 1", "c1 f unknown x 1", "d1 f en x 1")
    paths = tree_paths(corpus, ["a1", "b1", "c1", "d1"], ("language", "speaker"))
    np.testing.assert_array_equal(paths.known[:, 0], [True, False, True, True])
    said, empty, again, english = paths.nodes[:, 0].tolist()
    assert said == again
    assert len({said, empty, english}) == 3
    assert not paths.certain(0, 1)
    assert paths.certain(0, 3)


@pytest.mark.parametrize(
    ("levels", "right"),
    [
        (("speaker", "language"), "language,speaker"),
        (("gender", "speaker", "language", "session"), "gender,language,speaker,session"),
        (("speaker", "session", "gender", "town"), "gender,town,speaker,session"),
    ],
)
def test_paths__refuse_below_the_speaker_what_speakers_share(levels, right) -> None:
    corpus = manifest("a1 f en x 1", "a2 f en x 2", "b1 m en x 1", "b2 m - x 1", "c1 m zh y 1", "d1 f zh y 1")
    with pytest.raises(InputError, match=f"before the speaker, as in {right}, or"):
        tree_paths(corpus, ["a1", "a2", "b1", "c1", "d1"], levels)
    assert len(tree_paths(corpus, ["a1", "c1"], right.split(","))) == 2


def test_paths__take_below_the_speaker_what_is_of_one_recording() -> None:
    """One session each, the same word for all; towns that speakers change, if in other lines; towns of one's own."""
    corpus = manifest("a1 f en x 1", "b1 m en x 1", "b2 m en y 1", "c1 f zh x 1")
    assert tree_paths(corpus, ["a1", "b1", "c1"], ("speaker", "session")).names[1] == ("a / 1", "b / 1", "c / 1")
    assert tree_paths(corpus, ["a1", "b1", "c1"], ("speaker", "town")).names[1] == ("a / x", "b / x", "c / x")
    own = manifest("a1 f en x 1", "b1 m en y 1", "c1 f zh z 1")
    assert tree_paths(own, ["a1", "b1", "c1"], ("speaker", "town")).names[1] == ("a / x", "b / y", "c / z")


def test_usable__takes_the_labels_above_too_but_not_above_a_speaker(corpus: Corpus) -> None:
    paths = tree_paths(corpus, ["a1", "b1", "c1"], LEVELS)
    np.testing.assert_array_equal(paths.usable("gender"), [True, True, False])
    np.testing.assert_array_equal(paths.usable("native_language"), [True, False, False])
    np.testing.assert_array_equal(paths.usable("session"), [True, True, True])


def test_certain__are_pairs_that_part_at_known_nodes() -> None:
    """a and b are known; c's gender is not, nor d's; all are of one language, e is of another."""
    people = {"a": "f", "b": "m", "c": "", "d": "", "e": ""}
    utterances = [
        utterance(f"{name}{k}", name, gender=gender, language="zh" if name == "e" else "en")
        for name, gender in people.items()
        for k in (1, 2)
    ]
    names = ["a1", "a2", "b1", "c1", "c2", "d1", "e1"]
    paths = tree_paths(Corpus(Path("."), tuple(utterances), "made up"), names, ("language", "gender", "speaker"))
    every = np.arange(len(names))
    uncertain = {(names[i], names[j]) for i, j in itertools.combinations(every, 2) if not paths.certain(i, j)}
    # Two people of the same language, one of unknown gender. c1 and c2 are of one speaker, and e of another language.
    assert uncertain == {(x, y) for x in ("a1", "a2", "b1") for y in ("c1", "c2", "d1")} | {("c1", "d1"), ("c2", "d1")}
    np.testing.assert_array_equal(paths.certain(every[:, None], every), paths.certain(every[:, None], every).T)


def test_planted__is_the_full_tree() -> None:
    paths = planted_paths((2, 3), 2)
    assert len(paths) == 12
    assert paths.levels == ("level 1", "level 2")
    assert paths.names == (("1", "2"), ("1 / 1", "1 / 2", "1 / 3", "2 / 1", "2 / 2", "2 / 3"))
    np.testing.assert_array_equal(paths.nodes[:, 0], [0] * 6 + [1] * 6)
    np.testing.assert_array_equal(paths.nodes[:, 1], np.repeat(np.arange(6), 2))
    np.testing.assert_array_equal(paths.tree_distance([0, 0, 0], [1, 2, 11]), [0, 2, 4])
    assert paths.known.all()


@pytest.mark.parametrize(("branching", "items"), [((), 2), ((2, 0), 2), ((2,), 0)])
def test_planted__refuses_trees_without_items(branching, items) -> None:
    with pytest.raises(InputError, match="at least 1"):
        planted_paths(branching, items)


def test_rows__keep_the_numbers_of_the_nodes() -> None:
    paths = planted_paths((2, 2), 1).rows([3, 1])
    np.testing.assert_array_equal(paths.nodes, [[1, 3], [0, 1]])
    np.testing.assert_array_equal(paths.parents("level 2"), [-1, 0, -1, 1])
    with pytest.raises(UnknownNameError, match='unknown level "level2"'):
        paths.place("level2")


@pytest.mark.parametrize(
    ("nodes", "names", "message"),
    [
        ([[0, 0], [1, 0]], (("a", "b"), ("c",)), "hangs below two"),
        ([[0, 0], [0, 1]], (("a",), ("c",)), "must be below 1"),
        ([[0], [0]], (("a",), ("c",)), r"\(items, 2\)"),
        ([[0, 0]], (("a",),), "each with its names"),
    ],
)
def test_paths__refuse_numbers_that_are_no_tree(nodes, names, message) -> None:
    with pytest.raises(InputError, match=message):
        TreePaths(("u", "v"), np.array(nodes), names, np.ones(np.shape(nodes), dtype=bool))

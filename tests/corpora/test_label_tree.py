from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvox.corpora import Corpus, LabelTree, Utterance, check_corpus, read_corpus, write_manifest
from curvox.errors import CorpusError, UnknownNameError


def random_corpus(seed: int, utterances: int = 40) -> Corpus:
    rng = np.random.default_rng(seed)
    genders, accents = rng.choice(["f", "m", "", "p"], 12), rng.choice(["hindi", "english", ""], 12)
    rows = []
    for i in range(utterances):
        s = int(rng.integers(12))
        session = str(rng.choice(["1", "2", ""]))
        rows.append(
            Utterance(
                utterance=f"u{i}",
                path=f"{i}.wav",
                speaker=f"s{s}",
                session=session,
                gender=str(genders[s]),
                native_language=str(accents[s]),
            )
        )
    return Corpus(Path("x"), tuple(rows), "x")


@pytest.mark.parametrize("seed", range(5))
def test_tree_distance__is_the_shortest_path_in_the_drawn_tree(seed: int) -> None:
    corpus = random_corpus(seed)
    tree = LabelTree.from_corpus(corpus)
    graph = networkx.Graph()
    for u in corpus.utterances:
        gender = "unknown" if u.gender in ("", "p") else u.gender
        leaf = (gender, u.native_language or "unknown", u.speaker, u.session or "unknown")
        assert tree[u.utterance] == leaf
        networkx.add_path(graph, [leaf[:depth] for depth in range(5)])
    lengths = dict(networkx.all_pairs_shortest_path_length(graph))
    names = [u.utterance for u in corpus.utterances]
    for a, b in product(names, repeat=2):
        assert tree.tree_distance(a, b) == lengths[tree[a]][tree[b]]


def test_tree_distance__counts_the_levels_apart(voices: Corpus) -> None:
    tree = LabelTree.from_corpus(voices)
    assert tree.tree_distance("ada-1", "ada-1") == 0
    assert tree.tree_distance("ada-1", "ada-2") == 2
    assert tree.tree_distance("ada-1", "bea-1") == 6  # both women, another accent
    assert tree.tree_distance("ada-1", "cid-1") == 8
    assert tree["dee-1"] == ("unknown", "unknown", "dee", "1")
    assert len(tree) == 8


LEAVES = st.tuples(*[st.sampled_from("ab")] * 4)


@given(LEAVES, LEAVES, LEAVES)
def test_tree_distance__is_a_metric(a: tuple, b: tuple, c: tuple) -> None:
    distance = LabelTree({"a": a, "b": b, "c": c}).tree_distance
    assert (distance("a", "b") == 0) == (a == b)
    assert distance("a", "b") == distance("b", "a")
    assert distance("a", "c") <= distance("a", "b") + distance("b", "c")


def test_label_tree__a_speaker_hangs_in_one_place(voices: Corpus) -> None:
    first, *others = voices.utterances
    for changes in ({"gender": "m"}, {"native_language": "tamil"}):
        torn = Corpus(voices.root, (replace(first, **changes), *others), "torn")
        with pytest.raises(CorpusError, match=r'the speaker "ada" has the .* in "ada-1" and .* in "ada-2"'):
            LabelTree.from_corpus(torn)


def test_label_tree__what_some_lines_of_a_speaker_say_holds_for_all(voices: Corpus) -> None:
    """Above the speaker; a session is that of one recording."""
    first, *others = voices.utterances
    for changes in ({"gender": ""}, {"gender": "p"}, {"native_language": ""}):
        sparse = Corpus(voices.root, (replace(first, **changes), *others), "sparse")
        assert LabelTree.from_corpus(sparse).leaves == LabelTree.from_corpus(voices).leaves
    sparse = Corpus(voices.root, (replace(first, session=""), *others), "sparse")
    assert LabelTree.from_corpus(sparse)[first.utterance][-1] == "unknown"


def test_label_tree__refuses_what_is_not_in_it(voices: Corpus) -> None:
    tree = LabelTree.from_corpus(voices)
    with pytest.raises(UnknownNameError, match='did you mean "ada-1"'):
        tree.tree_distance("ada-11", "ada-2")


def declared(folder: Path, line: str) -> Path:
    (folder / "manifest.tsv").write_text(
        f"{line}\nutterance\tpath\tspeaker\tgender\tregion\n"
        "a1\ta1\ta\tf\tnorth\na2\ta2\ta\tf\tnorth\nb\tb\tb\tf\tnorth\nc\tc\tc\tm\tnorth\nd\td\td\tm\t\n"
    )
    return folder


def test_label_tree__has_the_levels_that_the_manifest_declares(tmp_path: Path) -> None:
    corpus = read_corpus(declared(tmp_path, "# levels: region, gender, speaker"), check_files=False)
    tree = LabelTree.from_corpus(corpus)
    assert tree.levels == corpus.levels == ("region", "gender", "speaker")
    assert (tree["a1"], tree["d"]) == (("north", "f", "a"), ("unknown", "m", "d"))
    assert [tree.tree_distance("a1", other) for other in ("a2", "b", "c", "d")] == [0, 2, 4, 6]
    assert corpus.without(["d"]).levels == corpus.levels
    written = write_manifest(corpus, tmp_path / "again.tsv")
    assert read_corpus(written, check_files=False).levels == corpus.levels


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("# levels: regio, speaker", '"regio": did you mean "region"'),
        ("# levels: region", "speaker among them"),
        ("# levels: speaker, speaker", "each named once"),
        ("# my corpus", 'as "# levels: gender'),
    ],
)
def test_label_tree__a_declaration_that_is_wrong_is_named(tmp_path: Path, line: str, expected: str) -> None:
    (problem,) = check_corpus(declared(tmp_path, line), check_files=False).problems
    assert (problem.line, expected in problem.message) == (1, True)


def test_label_tree__lines_are_counted_with_the_declaration(tmp_path: Path) -> None:
    manifest = declared(tmp_path, "# levels: region, speaker") / "manifest.tsv"
    manifest.write_text(manifest.read_text() + "a1\te\te\tf\tsouth\n")
    assert [p.line for p in check_corpus(manifest, check_files=False).problems] == [8]

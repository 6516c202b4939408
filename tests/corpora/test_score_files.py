from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from curvox.corpora import TRIAL_STYLES, ScoreList, TrialList, align, read_scores, write_scores
from curvox.errors import CorpusError, InputError, OutputExistsError

FILES = {
    "voxceleb": "0.5 ann b\n-1.25 ann c\n",
    "kaldi": "ann b 0.5\nann c -1.25\n",
    "cnceleb": "ann b 0.5\nann c -1.25\n",
    "nist": "modelid\tsegmentid\tside\tLLR\nann\tb\ta\t0.5\nann\tc\ta\t-1.25\n",
    "nist_key": "ann b a 0.5\nann c a -1.25\n",
}
STYLES = sorted(TRIAL_STYLES)


def saved(folder: Path, text: str) -> Path:
    path = folder / "scores.txt"
    path.write_text(text)
    return path


def listed(pairs: str) -> TrialList:
    enrolments, tests = zip(*(pair.split() for pair in pairs.split(",")), strict=True)
    return TrialList(enrolments, tests, None, "mine.txt")


def scored(pairs: str, values: list[float]) -> ScoreList:
    trials = listed(pairs)
    return ScoreList(trials.enrolments, trials.tests, np.array(values, dtype=np.float64), source="scores.txt")


@pytest.mark.parametrize("style", STYLES)
def test_read_scores__every_style_says_the_same(tmp_path: Path, style: str) -> None:
    scores = read_scores(saved(tmp_path, FILES[style]), style=style)
    tail = ":a" if style == "nist_key" else ""
    assert scores.enrolments == ("ann", "ann")
    assert scores.tests == ("b" + tail, "c" + tail)
    assert scores.scores.tolist() == [0.5, -1.25]
    write_scores(scores, tmp_path / "again.txt", style=style)
    assert (tmp_path / "again.txt").read_text() == FILES[style]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(STYLES), st.sampled_from(["float32", "float64"]), st.data())
def test_write_scores__come_back_bit_equal(tmp_path: Path, style: str, dtype: str, data: st.DataObject) -> None:
    elements = hnp.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False)
    values = data.draw(hnp.arrays(dtype, st.integers(1, 20), elements=elements))
    path = tmp_path / "scores.txt"
    path.unlink(missing_ok=True)
    names = tuple(f"t{i}:a" for i in range(len(values)))
    write_scores(ScoreList(names, names, values), path, style=style)
    again = read_scores(path, style=style)
    assert again.tests == names
    assert again.scores.astype(dtype).tobytes() == values.tobytes()


@pytest.mark.parametrize("style", STYLES)
def test_read_scores__a_wrong_style_is_refused_with_the_right_one(tmp_path: Path, style: str) -> None:
    alike = {"kaldi", "cnceleb"}
    for told in set(STYLES) - {style} - (alike if style in alike else set()):
        with pytest.raises(CorpusError, match=rf'line 1: expected .* for style="{told}".* style="{style}"'):
            read_scores(saved(tmp_path, FILES[style]), style=told)


@pytest.mark.parametrize(
    ("style", "line", "expected"),
    [
        ("kaldi", "ann d nan\n", 'line 3: the score must be a finite number, got "nan"'),
        ("kaldi", "ann d -inf\n", 'line 3: .*got "-inf"'),
        ("kaldi", "ann d 1_0\n", 'line 3: .*got "1_0"'),
        ("kaldi", "ann d 0,5\n", 'line 3: .*got "0,5"'),
        ("kaldi", "ann d ٣\n", "line 3: the score must be"),
        ("kaldi", "ann d\n", 'line 3: expected "enrolment test score", got 2 fields'),
        ("nist", "ann\td\ta\tx\n", 'line 4: the score must be a finite number, got "x"'),
    ],
)
def test_read_scores__faults_are_named_with_their_line(tmp_path: Path, style: str, line: str, expected: str) -> None:
    with pytest.raises(CorpusError, match=expected):
        read_scores(saved(tmp_path, FILES[style] + line), style=style)


def test_read_scores__a_key_is_no_score_file(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match='there is no column "LLR"'):
        read_scores(saved(tmp_path, "modelid\tsegmentid\tside\ttargettype\na\tb\ta\ttarget\n"), style="nist")


def test_write_scores__refuses_what_could_not_be_read_back(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 of 2 are not"):
        write_scores(scored("a b,a c", [1, np.nan]), tmp_path / "new.txt")
    with pytest.raises(InputError, match="no white space"):
        write_scores(ScoreList(("a b",), ("c",), np.ones(1)), tmp_path / "new.txt")
    assert not (tmp_path / "new.txt").exists()
    with pytest.raises(OutputExistsError):
        write_scores(scored("a b", [1]), saved(tmp_path, "mine"))


def test_score_list__refuses_parts_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="float32 or float64"):
        ScoreList(("a",), ("b",), np.array([1]))
    with pytest.raises(InputError, match="float32 or float64"):
        ScoreList(("a",), ("b",), np.ones((1, 1)))
    with pytest.raises(InputError, match="as many enrolments"):
        ScoreList(("a",), ("b",), np.ones(2))


@settings(deadline=None)
@given(st.permutations([f"m{i % 3} t{i}" for i in range(9)]))
def test_align__is_the_dictionary_of_pairs(order: list[str]) -> None:
    values = {pair: float(len(order) * i) for i, pair in enumerate(order)}
    wanted = sorted(order)
    aligned = align(scored(",".join(order), list(values.values())), listed(",".join(wanted)))
    assert aligned.tolist() == [values[pair] for pair in wanted]


def test_align__keeps_the_dtype_and_copies() -> None:
    trials = listed("a b,a c")
    values = np.array([1, 2], dtype=np.float32)
    aligned = align(ScoreList.of(trials, values), trials)
    assert aligned.dtype == np.float32
    aligned[0] = 9
    assert values[0] == 1


def test_align__a_repeated_trial_takes_one_score_or_equal_ones() -> None:
    trials = listed("a b,a c,a b")
    assert align(scored("a c,a b", [1, 2]), trials).tolist() == [2, 1, 2]
    assert align(scored("a b,a c,a b", [2, 1, 2]), trials).tolist() == [2, 1, 2]
    with pytest.raises(InputError, match=r'pairs with more than one score: 1 \("a b"\)'):
        align(scored("a b,a c,a b", [2, 1, 3]), trials)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (scored("a b", [1]), r'pairs without a score: 2 \("a c", "d c"\)$'),
        (
            scored("a b,c a,d c", [1, 2, 3]),
            r'pairs without a score: 1 \("a c"\), of which 1 with the sides swapped',
        ),
        (scored("a b,a c,d c,a b", [1, 2, 3, 1]), r'pairs with more than one score: 1 \("a b"\)$'),
        (scored("a b,a c,d c", [1, np.nan, np.inf]), r'a score that is not finite: 2 \("a c", "d c"\)$'),
        (scored("a b,a c,d c,x y", [1, 2, 3, 4]), r'pairs of no trial: 1 \("x y"\)$'),
        (
            scored("p q,p r,p s,p t,a b,a c", [1, 2, 3, 4, 5, np.nan]),
            r'a score: 1 \("d c"\); .*not finite: 1 \("a c"\); pairs of no trial: 4 \("p q", "p r", "p s", …\)$',
        ),
    ],
)
def test_align__names_what_does_not_fit(scores: ScoreList, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        align(scores, listed("a b,a c,d c"))

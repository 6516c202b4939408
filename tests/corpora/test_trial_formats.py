from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curvox.corpora import TRIAL_STYLES, TrialList, read_trials, write_trials
from curvox.errors import CorpusError, InputError, UnknownNameError

# The same three trials as each style has them.
FILES = {
    "voxceleb": "1 ann b\n0 ann c\n0 dan c\n",
    "kaldi": "ann b target\nann c nontarget\ndan c nontarget\n",
    "cnceleb": "ann b 1\nann c 0\ndan c 0\n",
    "nist": "modelid\tsegmentid\tside\ttargettype\nann\tb\ta\ttarget\nann\tc\ta\tnontarget\ndan\tc\ta\tnontarget\n",
    "nist_key": "ann b a target\nann c a nontarget\ndan c a nontarget\n",
}
UNLABELLED = {
    "voxceleb": "ann b\nann c\ndan c\n",
    "kaldi": "ann b\nann c\ndan c\n",
    "cnceleb": "ann b\nann c\ndan c\n",
    "nist": "modelid\tsegmentid\tside\nann\tb\ta\nann\tc\ta\ndan\tc\ta\n",
    "nist_key": "ann b a\nann c a\ndan c a\n",
}
STYLES = sorted(TRIAL_STYLES)
IDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6)


def saved(folder: Path, text: str) -> Path:
    path = folder / "list.txt"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("style", STYLES)
def test_read_trials__every_style_says_the_same(tmp_path: Path, style: str, labelled: bool) -> None:
    text = (FILES if labelled else UNLABELLED)[style]
    trials = read_trials(saved(tmp_path, text), style=style, labelled=labelled)
    tail = ":a" if style == "nist_key" else ""
    assert trials.enrolments == ("ann", "ann", "dan")
    assert trials.tests == ("b" + tail, "c" + tail, "c" + tail)
    assert (trials.labels is None) == (not labelled)
    assert trials.labels is None or trials.labels.tolist() == [True, False, False]
    write_trials(trials, tmp_path / "again.txt", style=style)
    assert (tmp_path / "again.txt").read_bytes() == text.encode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(STYLES),
    st.dictionaries(st.tuples(IDS, IDS), st.booleans(), min_size=1, max_size=8),
    st.booleans(),
    st.booleans(),
)
def test_write_trials__reads_back_the_same_in_every_style(
    tmp_path: Path, style: str, pairs: dict, labelled: bool, repeated: bool
) -> None:
    path = tmp_path / "trials.txt"
    path.unlink(missing_ok=True)
    rows = [(*pair, label) for pair, label in pairs.items()] * (2 if repeated else 1)
    enrolments, tests, labels = zip(*rows, strict=True)
    tests = tuple(f"{test}:a" for test in tests) if style == "nist_key" else tests
    write_trials(TrialList(enrolments, tests, np.array(labels) if labelled else None), path, style=style)
    again = read_trials(path, style=style, labelled=labelled)
    assert (again.enrolments, again.tests) == (enrolments, tests)
    assert (None if again.labels is None else again.labels.tolist()) == (list(labels) if labelled else None)


def test_read_trials__nist_columns_are_kept_in_any_order(tmp_path: Path) -> None:
    text = "gender\tsegment\tmodelid\ttargettype\tside\nmale\tb.sph\tm1\ttarget\ta\nfemale\tc.sph\tm1\tnontarget\ta\n"
    trials = read_trials(saved(tmp_path, text), style="nist")
    assert (trials.enrolments, trials.tests) == (("m1", "m1"), ("b.sph", "c.sph"))
    assert trials.columns == {"gender": ("male", "female"), "side": ("a", "a")}
    again = read_trials(write_trials(trials, tmp_path / "again.tsv", style="nist"), style="nist")
    assert (again.tests, dict(again.columns)) == (trials.tests, trials.columns)


def test_read_trials__a_path_stays_the_id(tmp_path: Path) -> None:
    line = "1 id10270/x6uYqmx31kE/00001.wav id10270/8jEAjG6SegY/00008.wav\n"
    trials = read_trials(saved(tmp_path, line))
    assert trials.utterances == ("id10270/8jEAjG6SegY/00008.wav", "id10270/x6uYqmx31kE/00001.wav")


def test_read_trials__windows_ends_marks_and_gz_change_nothing(tmp_path: Path) -> None:
    text = FILES["nist"].replace("\n", "\r\n")
    path = tmp_path / "list.tsv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.encode()))
    assert read_trials(path, style="nist").enrolments == ("ann", "ann", "dan")


@pytest.mark.parametrize("told", STYLES)
@pytest.mark.parametrize("style", STYLES)
def test_read_trials__a_wrong_style_is_refused_with_the_right_one(tmp_path: Path, style: str, told: str) -> None:
    if told == style:
        return
    with pytest.raises(CorpusError, match=rf'line 1: expected .* for style="{told}".* style="{style}"'):
        read_trials(saved(tmp_path, FILES[style]), style=told)


@pytest.mark.parametrize(
    ("style", "text", "labelled", "expected"),
    [
        ("kaldi", "a b target\na c\n", True, "line 2: .*the trial has no label"),
        ("kaldi", "a b\na c target\n", False, "line 2: .*the trial has a label"),
        ("kaldi", "a b target\na b nontarget\n", True, 'line 2, label: "a" and "b" have another label in line 1'),
        ("kaldi", "a b target\na c imposter\n", True, 'line 2: the label must be target or nontarget, got "imposter"'),
        ("cnceleb", "a b 1\na c 2\n", True, 'line 2: the label must be 1 or 0, got "2"'),
        ("nist", "a\tb\ta\ttarget\n", True, 'line 1: expected a header "modelid segmentid side targettype"'),
        ("nist", "modelid\tside\n", False, 'line 1: expected a header "modelid segmentid side" separated by tabs'),
        ("nist", FILES["nist"] + "a\tb\n", True, "line 5: expected 4 fields separated by tabs, got 2"),
        ("nist", FILES["nist"] + "a\t\ta\ttarget\n", True, 'line 5, test: an id is not empty .*got ""'),
        ("nist", FILES["nist"] + "a x\tb\ta\ttarget\n", True, 'line 5, enrolment: an id .*got "a x"'),
        ("nist", FILES["nist"] + "a\tb\tb\ttarget\n", True, 'line 5, side: the segment "b" has the sides "a" and "b"'),
        ("nist", FILES["nist"], False, "line 1: the trials have labels .*labelled=True"),
        ("nist", UNLABELLED["nist"], True, 'line 1: there is no column "targettype"; .*labelled=False'),
        ("nist", "modelid\tsegmentid\tx\tx\n", False, "line 1: column names are not empty and come once, got 'x'"),
        ("nist", "modelid\tsegmentid\tside\n", False, "has a header and no further line"),
        ("nist", "", True, "is empty; expected a header"),
        ("nist_key", "m b a target\nm b\n", True, 'line 2: expected "enrolment segment side label", got 2 fields'),
    ],
)
def test_read_trials__faults_of_each_style_are_named_with_their_line(
    tmp_path: Path, style: str, text: str, labelled: bool, expected: str
) -> None:
    with pytest.raises(CorpusError, match=expected):
        read_trials(saved(tmp_path, text), style=style, labelled=labelled)


def test_read_trials__an_unknown_style_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match='unknown trial style "cn-celeb": did you mean "cnceleb"'):
        read_trials(saved(tmp_path, FILES["cnceleb"]), style="cn-celeb")


def test_read_trials__a_header_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").write_bytes(b"modelid\t\xff\n" + FILES["nist"].encode())
    with pytest.raises(CorpusError, match=r"bad.tsv, line 1: byte 9 of the line is not UTF-8"):
        read_trials(tmp_path / "bad.tsv", style="nist")


def test_write_trials__refuses_what_a_style_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'style="nist_key" needs test ids of the form segment:side.*got "b"'):
        write_trials(TrialList(("a",), ("b",), None), tmp_path / "list", style="nist_key")
    with pytest.raises(InputError, match="holds no tab"):
        write_trials(TrialList(("a",), ("b",), None, columns={"x": ("1\t2",)}), tmp_path / "list", style="nist")
    with pytest.raises(InputError, match='cannot be called "modelid"'):
        write_trials(TrialList(("a",), ("b",), None, columns={"modelid": ("1",)}), tmp_path / "list", style="nist")
    assert not (tmp_path / "list").exists()


def test_trial_list__columns_have_a_text_for_each_trial() -> None:
    with pytest.raises(InputError, match='the column "side" needs 1 texts'):
        TrialList(("a",), ("b",), None, columns={"side": ("a", "a")})

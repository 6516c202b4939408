"""Manifests by tabs and by commas are read with every fault named by line, and read back as written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from builders import write_unread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curvox.corpora import COLUMNS, Corpus, Utterance, check_corpus, read_corpus, write_csv, write_manifest
from curvox.corpora.formats.reading import detect_format
from curvox.errors import CorpusError, InputError, OutputExistsError

GOOD = "utterance\tpath\tspeaker\tsplit\na\ta.wav\ts\ttrain\nb\tb.wav\tt\tdev\n"


@pytest.fixture
def three_files(tmp_path: Path) -> Path:
    return write_unread(tmp_path, "a.wav", "b.wav", "c.wav")


def problems(folder: Path, text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "manifest.tsv").write_bytes(data)
    report = check_corpus(folder, format="tsv")
    assert report.ok == (not report.problems)
    if not report.ok:
        with pytest.raises(CorpusError):
            read_corpus(folder, format="tsv")
    return [str(p) for p in report.problems]


def test_tsv__good_manifest_has_no_problem(three_files: Path) -> None:
    assert problems(three_files, GOOD) == []
    report = check_corpus(three_files)
    assert (report.format, report.speakers, report.utterances, report.duration_s) == ("tsv", 2, 2, None)
    assert {name: counts.utterances for name, counts in report.splits.items()} == {"train": 1, "dev": 1}


@pytest.mark.parametrize("change", [("\n", "\r\n"), ("utterance", "\ufeffutterance"), ("dev\n", "dev")])
def test_tsv__line_ends_and_byte_order_mark_do_not_matter(three_files: Path, change: tuple[str, str]) -> None:
    (three_files / "manifest.tsv").write_text(GOOD, newline="")
    plain = read_corpus(three_files)
    (three_files / "manifest.tsv").write_text(GOOD.replace(*change), encoding="utf-8", newline="")
    assert read_corpus(three_files) == plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("speaker", "speakr"), r'manifest.tsv, line 1, speakr: .*did you mean "speaker"'),
        (GOOD.replace("speaker", "who"), r'line 1, speaker: the column "speaker" is missing; .*utterance, path, who'),
        (GOOD.replace("split", "duration"), r'line 1, duration: .*did you mean "duration_s"'),
        (GOOD.replace("split", "path"), r'line 1, path: the column "path" comes twice'),
        (GOOD.replace("split", ""), r"line 1: column 4 has no name"),
        (GOOD.replace("\t", ","), r"line 1: fields must be separated by tabs, .*seem separated by \",\""),
        (GOOD + "a\tc.wav\ts\ttrain\n", r'line 4, utterance: the id "a" is already that of line 2, here line 4'),
        (
            GOOD + "c\tc.wav\ts\tdev\n",
            r'line 4, speaker: the speaker "s" is in split "train" \(line 2\) and in split "dev" \(line 4\)',
        ),
        (GOOD + "c\tc.wav\tu\t\n", r"line 4, split: no split"),
        (GOOD + "c\t/etc/c.wav\tu\tdev\n", r'line 4, path: "/etc/c.wav" is absolute'),
        (GOOD + "c\t../c.wav\tu\tdev\n", r'line 4, path: "../c.wav" may leave'),
        (GOOD + "c\tx/../../c.wav\tu\tdev\n", r"line 4, path: .*may leave"),
        (GOOD + "c\tc\0.wav\tu\tdev\n", r"line 4, path: .*may leave"),
        (GOOD + "c\td.wav\tu\tdev\n", r'line 4, path: no recording at "d.wav" \(No such file'),
        (GOOD + "c\ta.wav\tu\tdev\n", r'line 4, path: the same speech as the utterance "a" \(line 2\)'),
        (GOOD + "c\tc.wav\t\tdev\n", r"line 4, speaker: the field is empty"),
        (GOOD + "\tc.wav\tu\tdev\n", r"line 4, utterance: the field is empty"),
        (GOOD + "c c\tc.wav\tu\tdev\n", r'line 4, utterance: the id "c c" holds white space'),
        (GOOD + "c\tc.wav\tu\n", r"line 4: expected 4 fields separated by tabs, got 3"),
        (GOOD + "c\tc.wav\tu\tdev\t\n", r"line 4: expected 4 fields separated by tabs, got 5"),
        (GOOD + "\nc\tc.wav\tu\tdev\n", r"line 4: .*got 1 \(an empty line\)"),
        (GOOD.encode() + b"c\tc.wav\t\xff\tdev\n", r"line 4: byte 9 of the line is not UTF-8 \(0xff\)"),
        (b"utterance\tp\xe4th\tspeaker\n", r"line 1: byte 12 of the line is not UTF-8"),
        ("", r"the file is empty"),
        ("utterance\tpath\tspeaker\n", r"the corpus is empty"),
    ],
)
def test_tsv__each_fault_is_named_with_its_line(three_files: Path, text: str | bytes, expected: str) -> None:
    found = problems(three_files, text)
    assert len(found) == 1, found
    assert re.search(expected, found[0]), found[0]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        *(("duration_s", bad) for bad in ("x", "0", "-1", "nan", "inf", "1_0", "١", "1,5")),
        *(("sampling_rate_hz", bad) for bad in ("x", "0", "-8000", "8000.0", "1_000", "²")),
        *(("start_s", bad) for bad in ("-0.1", "nan")),
        *(("segment_s", bad) for bad in ("0", "inf")),
    ],
)
def test_tsv__bad_numbers_are_named(three_files: Path, column: str, text: str) -> None:
    (found,) = problems(three_files, f"utterance\tpath\tspeaker\t{column}\na\ta.wav\ts\t{text}\n")
    assert found.startswith(f"manifest.tsv, line 2, {column}: expected")
    assert found.endswith(f'got "{text}"')


def test_tsv__every_problem_is_reported_in_the_order_of_lines(three_files: Path) -> None:
    found = problems(three_files, GOOD + "c\n" + "a\td.wav\ts\tdev\n" + "e\te.wav\n")
    lines = [int(match[1]) for text in found if (match := re.search(r"line (\d+)", text))]
    assert lines == [4, 5, 5, 5, 6]


def test_read_corpus__lists_twenty_problems_and_counts_the_rest(three_files: Path) -> None:
    rows = [f"u{i}\tnone{i}.wav\ts" for i in range(33)]
    (three_files / "manifest.tsv").write_text("\n".join(["utterance\tpath\tspeaker", *rows]) + "\n")
    with pytest.raises(CorpusError) as caught:
        read_corpus(three_files)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("has 33 problems:")
    assert len(lines) == 22
    assert lines[-1] == "  and 13 more"
    assert len(read_corpus(three_files, check_files=False)) == 33


def test_tsv__links_out_of_the_folder_are_refused(three_files: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "c.wav").write_bytes(b"secret")
    (three_files / "c.wav").unlink()
    (three_files / "c.wav").symlink_to(outside / "c.wav")
    (three_files / "d").symlink_to(outside, target_is_directory=True)
    (three_files / "e.wav").symlink_to(three_files / "a.wav")
    (three_files / "manifest.tsv").write_text(
        "utterance\tpath\tspeaker\nc\tc.wav\ts\nd\td/c.wav\ts\ne\te.wav\ts\nf\td/none.wav\ts\n"
    )
    for check_files in (True, False):
        found = [p.line for p in check_corpus(three_files, check_files=check_files).problems]
        assert found == [2, 3, 5]


def test_tsv__files_that_are_none_are_refused(three_files: Path) -> None:
    (three_files / "c.wav").write_bytes(b"")
    (three_files / "d.wav").mkdir()
    found = problems(three_files, "utterance\tpath\tspeaker\nc\tc.wav\ts\nd\td.wav\ts\n")
    assert "is empty (0 bytes)" in found[0]
    assert "is not a file" in found[1]


def test_tsv__audio_root_is_where_paths_begin(three_files: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    manifest = elsewhere / "list.tsv"
    manifest.write_text(GOOD)
    corpus = read_corpus(manifest, audio_root=three_files)
    assert corpus.root == three_files
    assert corpus.name == "list"
    assert check_corpus(manifest).problems[0].message.startswith("no recording")
    with pytest.raises(CorpusError, match="audio_root must be a folder"):
        read_corpus(manifest, audio_root=three_files / "none")


def test_write_manifest__reads_back_the_same(voices: Corpus) -> None:
    write_manifest(voices, voices.root / "manifest.tsv")
    assert read_corpus(voices.root) == voices


def test_write_manifest__refuses_to_overwrite(voices: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "manifest.tsv"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="is left as it is"):
        write_manifest(voices, path)
    assert path.read_text() == "mine"
    (tmp_path / "dangling.tsv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExistsError):
        write_manifest(voices, tmp_path / "dangling.tsv")
    assert not (tmp_path / "nowhere").exists()


def test_write_manifest__works_where_there_are_no_hard_links(
    voices: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = write_manifest(voices, tmp_path / "manifest.tsv")
    assert len(read_corpus(path, audio_root=voices.root)) == len(voices)
    assert sorted(os.listdir(tmp_path)) == ["manifest.tsv", "voices"]
    with pytest.raises(OutputExistsError):
        write_manifest(voices, path)


def test_write_manifest__leaves_nothing_when_it_fails(
    voices: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(os.listdir(tmp_path))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_manifest(voices, tmp_path / "manifest.tsv")
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("changes", [{"session": "a\tb"}, {"session": "a\nb"}, {"extra": {"split": "x"}}])
def test_write_manifest__refuses_what_would_not_read_back(tmp_path: Path, changes: dict) -> None:
    utterance = Utterance(utterance="a", path="a.wav", speaker="s", **changes)
    with pytest.raises(InputError):
        write_manifest(Corpus(tmp_path, (utterance,), "x"), tmp_path / "manifest.tsv")
    assert not (tmp_path / "manifest.tsv").exists()


# Anything but the end of a line, a tab and NUL; no lone surrogates, which UTF-8 cannot hold.
FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r\0"), max_size=8)
NAME = FIELD.filter(lambda text: len(text.split()) == 1 and text == text.strip())
SECONDS = st.floats(1e-6, 1e6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(NAME, NAME, FIELD, SECONDS | st.none(), st.floats(0, 1e6), SECONDS | st.none(), FIELD),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row[0],
    ),
    st.sampled_from(["age", "session length", "start", "türk"]),
)
def test_write_manifest__any_text_reads_back(tmp_path: Path, rows: list, extra: str) -> None:
    utterances = tuple(
        Utterance(
            utterance=name,
            path=f"{number}/{session}x".replace("..", "").removeprefix("/"),
            speaker=speaker,
            session=session,
            duration_s=duration_s,
            start_s=start_s,
            segment_s=segment_s,
            extra={extra: text} if text else {},
        )
        for number, (name, speaker, session, duration_s, start_s, segment_s, text) in enumerate(rows)
    )
    path = tmp_path / "manifest.tsv"
    path.unlink(missing_ok=True)
    corpus = Corpus(tmp_path, utterances, tmp_path.name)
    write_manifest(corpus, path)
    assert read_corpus(tmp_path, check_files=False) == corpus


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["..", ".", "a", "b c", "", "~", "...", "out"]), min_size=1, max_size=6))
def test_tsv__no_path_leads_outside(tmp_path: Path, steps: list[str]) -> None:
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    if not (root / "out").is_symlink():
        (root / "out").symlink_to(tmp_path)
    path = "/".join(steps)
    (root / "manifest.tsv").write_text(f"utterance\tpath\tspeaker\nu\t{path}\ts\n")
    try:
        corpus = read_corpus(root, check_files=False)
    except CorpusError:
        return
    assert corpus.path_of("u").resolve().is_relative_to(root.resolve())


def test_columns__are_those_of_the_manifest() -> None:
    assert COLUMNS[:3] == ("utterance", "path", "corpus")
    assert COLUMNS[-3:] == ("split", "start_s", "segment_s")


def csv_problems(folder: Path, text: str) -> list[str]:
    (folder / "x.csv").write_bytes(text.encode())
    return [str(problem) for problem in check_corpus(folder / "x.csv", check_files=False).problems]


def test_csv__quoted_fields_hold_commas_quotes_and_ends_of_lines(tmp_path: Path) -> None:
    text = '\ufeffutterance,path,speaker,note\r\nu1,"a, b.wav",ann,"said ""no""\nand left"\r\nu2,c.wav,bob,\r\n'
    (tmp_path / "manifest.csv").write_bytes(text.encode())
    corpus = read_corpus(tmp_path, check_files=False)
    assert detect_format(tmp_path) == "csv"
    assert [(u.utterance, u.path, u.speaker) for u in corpus.utterances] == [
        ("u1", "a, b.wav", "ann"),
        ("u2", "c.wav", "bob"),
    ]
    assert corpus["u1"].extra == {"note": 'said "no"\nand left'}


def test_csv__path_and_speaker_are_enough(tmp_path: Path) -> None:
    assert csv_problems(tmp_path, "path,speaker\na b.wav,ann\nc.wav,bob\n") == []
    corpus = read_corpus(tmp_path / "x.csv", check_files=False)
    assert [(u.utterance, u.path) for u in corpus.utterances] == [("a_b.wav", "a b.wav"), ("c.wav", "c.wav")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path\tspeaker\na\tb\n", "line 1: fields must be separated by commas, here they seem separated by '\\t'"),
        ("path;speaker\na;b\n", "separated by ';'"),
        ("path,speakr\na,b\n", 'did you mean "speaker"'),
        ("path,speaker\na,b,c\n", "line 2: expected 2 fields separated by commas, got 3"),
        ("path,speaker\n\na,b\n", "line 2: expected 2 fields separated by commas, got 0 (an empty line)"),
        ("path,speaker\na,\n", "line 2, speaker: the field is empty"),
        ('path,speaker,x\na,b,"1\n2"\nc,d\n', "line 4: expected 3 fields"),
        ('path,speaker\na,b\nc,"d" e\n', "line 3: the quoting is broken"),
        ("path,speaker,duration_s\na,b,1;5\n", "line 2, duration_s: expected a number"),
        ("path,speaker\n../a,b\n", "line 2, path"),
        ("", "the file is empty"),
    ],
)
def test_csv__each_fault_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = csv_problems(tmp_path, text)
    assert expected in found


def test_write_csv__reads_back_the_same(voices: Corpus) -> None:
    write_csv(voices, voices.root / "manifest.csv")
    assert read_corpus(voices.root) == voices
    odd = Utterance(utterance="u", path='a,"b".wav', speaker="x\ty", start_s=0.1, segment_s=0.25, extra={"k, l": " "})
    corpus = Corpus(voices.root, (odd,), "odd")
    assert read_corpus(write_csv(corpus, voices.root / "odd.csv"), check_files=False) == corpus
    broken = Corpus(voices.root, (Utterance(utterance="u", path="a", speaker="x\ny"),), "broken")
    with pytest.raises(InputError, match="no end of line"):
        write_csv(broken, voices.root / "broken.csv")

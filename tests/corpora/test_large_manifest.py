"""A manifest of many lines is kept in little memory, and looked at with few calls to the file system."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from curvox.corpora import check_corpus, read_corpus

HEADER = "utterance\tpath\tspeaker\tsession\tgender\tsampling_rate_hz\tduration_s\tsplit"
LINES = 4000


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = []
    for number in range(LINES):
        path = f"dev/aac/id{number // 80:05d}/video{number // 8:06d}/{number % 8:05d}.m4a"
        rows.append(
            f"{path}\t{path}\tid{number // 80:05d}\tvideo{number // 8:06d}\tf\t16000\t{4 + number % 50 / 10}\ttrain"
        )
    path = tmp_path / "manifest.tsv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_read_corpus__keeps_repeated_text_and_numbers_once(manifest: Path) -> None:
    first, second, *_ = read_corpus(manifest, check_files=False).utterances
    assert first.utterance is first.path
    assert first.speaker is second.speaker
    assert first.session is second.session
    assert first.sampling_rate_hz is second.sampling_rate_hz
    assert first.extra is second.extra


def test_read_corpus__takes_less_than_1000_bytes_a_line_at_its_peak(manifest: Path) -> None:
    read_corpus(manifest, check_files=False)
    tracemalloc.start()
    try:
        corpus = read_corpus(manifest, check_files=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(corpus) == LINES
    assert peak / LINES < 1000


def _looks(manifest: Path, monkeypatch: pytest.MonkeyPatch, *, check_files: bool) -> list[str]:
    """Which places below the manifest's folder a check asks the file system about."""
    looks: list[str] = []
    look = os.lstat
    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", lambda place, **options: (looks.append(str(place)), look(place, **options))[1])
        check_corpus(manifest, check_files=check_files)
    return [place for place in looks if place.startswith(f"{manifest.parent}/")]


def test_check_corpus__looks_once_at_each_file_and_folder(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        folder = manifest.parent / f"dev/aac/id{number // 10:05d}/video{number:06d}"
        folder.mkdir(parents=True)
        for clip in range(8):
            (folder / f"{clip:05d}.m4a").write_bytes(b"x")
    looks = _looks(manifest, monkeypatch, check_files=True)
    assert len(looks) == len(set(looks))
    assert sum(place.endswith(".m4a") for place in looks) == LINES
    assert len(check_corpus(manifest).problems) == LINES - 160
    assert not any(place.endswith(".m4a") for place in _looks(manifest, monkeypatch, check_files=False))


def test_check_corpus__line_numbers_are_those_of_the_file(manifest: Path) -> None:
    lines = manifest.read_text().splitlines()
    lines[3000] = lines[3000].replace("\ttrain", "\tdev")
    lines[2000] = lines[1000]
    manifest.write_text("\n".join(lines) + "\n")
    found = [(problem.line, problem.column) for problem in check_corpus(manifest, check_files=False).problems]
    assert found == [(2001, "utterance"), (3001, "speaker")]


def test_tsv__a_number_as_the_name_of_a_file_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "manifest.tsv").write_text("utterance\tpath\tspeaker\tduration_s\nu\t1\t1\t1\n")
    (utterance,) = read_corpus(tmp_path, check_files=False).utterances
    assert (utterance.path, utterance.speaker, utterance.duration_s) == ("1", "1", 1.0)

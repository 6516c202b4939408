"""``curvox data shard``, and that the commands after it take what it wrote."""

from __future__ import annotations

from pathlib import Path

from command_line import curvox_here

from curvox.testing.dummies import DUMMIES


def test_shard__then_check_finds_no_problem(tmp_path: Path) -> None:
    folder = DUMMIES.load("cnceleb1")(tmp_path / "CN-Celeb_flac")
    curvox_here("data", "prepare", "cnceleb1", folder, "-o", folder)
    command = ("data", "shard", folder, "-o", tmp_path / "shards", "--shard-mb", "0.1", "--threads", "1")
    written = curvox_here(*command)
    assert written.returncode == 0, written.stderr
    assert "16 recordings in " in written.stdout
    checked = curvox_here("data", "check", tmp_path / "shards")
    assert checked.returncode == 0, checked.stdout
    assert "(shards): 4 speakers, 16 utterances" in checked.stdout
    assert (tmp_path / "shards" / "trials" / "cnceleb1.txt").is_file()
    again = curvox_here(*command)
    assert again.returncode == 1
    assert "is left as it is" in again.stderr


def test_shard__lists_what_it_left_out(tmp_path: Path) -> None:
    folder = DUMMIES.load("cnceleb1")(tmp_path / "CN-Celeb_flac")
    curvox_here("data", "prepare", "cnceleb1", folder, "-o", folder)
    bad = sorted((folder / "data").rglob("*.flac"))[0]
    bad.write_text("only words")
    strict = curvox_here("data", "shard", folder, "-o", tmp_path / "shards")
    assert strict.returncode == 1
    assert "1 of 16 recordings cannot be read" in strict.stderr
    lenient = curvox_here("data", "shard", folder, "-o", tmp_path / "shards", "--allowed-bad-share", "0.1")
    assert lenient.returncode == 0, lenient.stderr
    assert "1 recordings could not be read and are left out" in lenient.stdout
    assert bad.name in (tmp_path / "shards" / "bad_files.tsv").read_text()

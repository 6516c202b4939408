"""Whatever the disk, the user or the kernel does while a folder is written, a whole one is there afterwards."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from failing_disk import FAULTS, Fault, KilledError, failing_disk
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.errors import CheckpointError
from curvox.files import replace_folder, replace_text, settle_folder

FILES = ("one", "two")


def write(folder: Path, version: int) -> None:
    """Fill a folder with several files that tell which version they belong to."""

    def fill(fresh: Path) -> None:
        for name in FILES:
            (fresh / name).write_text(f"{name} of version {version}")

    replace_folder(folder, fill)


def version_in(folder: Path) -> int | None:
    """The version a folder holds, all of it; None where there is no folder."""
    if not folder.exists():
        return None
    assert {path.name for path in folder.iterdir()} == set(FILES)
    versions = {int(text.rpartition(" ")[2]) for name in FILES if (text := (folder / name).read_text())}
    assert len(versions) == 1
    return versions.pop()


def operations_of_a_save() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "last"
        write(folder, 0)
        with failing_disk(None) as disk:
            write(folder, 1)
    return disk.done


OPERATIONS = operations_of_a_save()
attempts = st.lists(st.tuples(st.integers(0, OPERATIONS), st.sampled_from(FAULTS)), min_size=1, max_size=5)


def test_save__has_operations_to_fail_at() -> None:
    """Both files in halves, their flushes, three of folders, the renames and what is cleared away."""
    assert OPERATIONS >= 12


@settings(max_examples=40)
@given(attempts)
def test_folder__is_whole_and_never_older_than_the_last_save_that_succeeded(plan: list[tuple[int, Fault]]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "last"
        write(folder, 0)
        kept = 0
        for version, (at, fault) in enumerate(plan, start=1):
            try:
                with failing_disk(at, fault):
                    write(folder, version)
                kept = version
            except (CheckpointError, KeyboardInterrupt, KilledError):
                pass
            settle_folder(folder)  # as the next reader does
            found = version_in(folder)
            assert found in (kept, version)
            kept = found
        write(folder, 99)
        assert version_in(folder) == 99
        assert [path.name for path in Path(temporary).iterdir()] == ["last"]


@pytest.mark.parametrize("fault", FAULTS)
def test_file__is_whole_at_whatever_operation_its_writing_fails(fault: Fault, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    at, cut = 0, True
    while cut:
        replace_text(path, "old text")
        with failing_disk(at, fault) as disk, contextlib.suppress(CheckpointError, KeyboardInterrupt, KilledError):
            replace_text(path, "new text, longer")
        assert path.read_text() in ("old text", "new text, longer")
        at, cut = at + 1, disk.done > at
    assert at > 5


def test_save__that_fails_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "last", 0)
    with failing_disk(3, "full from here"), pytest.raises(CheckpointError, match="last is untouched; free some space"):
        write(tmp_path / "last", 1)
    with failing_disk(3, "error once"), pytest.raises(CheckpointError, match="make sure that the disk is there"):
        write(tmp_path / "last", 1)

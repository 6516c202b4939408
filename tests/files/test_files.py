"""A folder is written as one act."""

import errno
from pathlib import Path

import pytest
import torch

from curvox.errors import CheckpointError, OutputExistsError
from curvox.files import new_folder, replace_folder, settle_folder, tensors_from_file, tensors_to_file


def write_text(text: str):
    return lambda folder: (folder / "file").write_text(text)


def test_replace_folder__leaves_only_the_new_content(tmp_path: Path) -> None:
    folder = tmp_path / "last"
    replace_folder(folder, write_text("one"))
    (folder / "stale").write_text("old")
    replace_folder(folder, write_text("two"))
    assert {p.name: p.read_text() for p in folder.iterdir()} == {"file": "two"}
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_replace_folder__keeps_the_previous_one_when_writing_fails(tmp_path: Path, failure: BaseException) -> None:
    folder = tmp_path / "last"
    replace_folder(folder, write_text("one"))

    def fail(fresh: Path) -> None:
        (fresh / "file").write_text("half")
        raise failure

    with pytest.raises((CheckpointError, KeyboardInterrupt)) as caught:
        replace_folder(folder, fail)
    if isinstance(failure, OSError):
        assert "No space left" in str(caught.value)
        assert "previous last is untouched" in str(caught.value)
    assert (folder / "file").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def test_settle_folder__brings_back_the_previous_after_a_crash_between_the_renames(tmp_path: Path) -> None:
    folder = tmp_path / "last"
    replace_folder(folder, write_text("one"))
    folder.rename(tmp_path / ".last.previous")
    settle_folder(folder)
    assert (folder / "file").read_text() == "one"


def test_settle_folder__clears_the_previous_after_a_crash_behind_the_renames(tmp_path: Path) -> None:
    folder = tmp_path / "last"
    replace_folder(folder, write_text("two"))
    (tmp_path / ".last.previous").mkdir()
    settle_folder(folder)
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def test_new_folder__refuses_an_existing_one(tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="exists already"):
        new_folder(tmp_path, write_text("x"))


def test_tensors__survive_the_file_also_when_they_share_memory(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    tensors_to_file({"whole": whole, "same": whole, "part": whole[::2]}, tmp_path / "t.safetensors")
    back = tensors_from_file(tmp_path / "t.safetensors")
    torch.testing.assert_close(back, {"whole": whole, "same": whole, "part": whole[::2]})


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\x80\x04\x95pickle"])
def test_tensors__of_another_kind_of_file_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        tensors_from_file(path)

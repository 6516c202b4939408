"""Writing a folder as one act: after a crash, a full disk or an interrupt the previous one is still there, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from curvox.errors import CheckpointError, OutputExistsError


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill a new folder by ``write`` and put it in the place of ``folder``.

    Everything is written and flushed beside it first. The exchange itself is two renames; an interrupt exactly between
    them leaves the old folder as ``.<name>.previous``, and `settle_folder` brings it back.

    Raises:
        CheckpointError: the disk is full or cannot be written; ``folder`` is untouched.
    """
    folder = folder.absolute()
    fresh, previous = folder.with_name(f".{folder.name}.writing"), previous_folder(folder)
    settle_folder(folder)
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        write(fresh)
        for file in fresh.iterdir():
            _flush(file)
        _flush(fresh)
        if folder.exists():
            folder.rename(previous)
        fresh.rename(folder)
        _flush(folder.parent)  # before the old one is cleared away
    except OSError as error:
        kept = f"; the previous {folder.name} is untouched" if folder.exists() or previous.exists() else ""
        raise CheckpointError(f"{folder} could not be written: {error}{kept}; {remedy(error)} and resume") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        with contextlib.suppress(OSError):  # a disk that fails now leaves it to the next reader
            settle_folder(folder)


def new_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill a folder that must not exist yet, all of it or nothing."""
    if folder.exists():
        raise OutputExistsError(f"{folder} exists already; name another folder or move it away")
    replace_folder(folder, write)


def replace_text(path: Path, text: str) -> None:
    """Write a small file whole, or leave the previous one.

    Raises:
        CheckpointError: the disk is full or cannot be written.
    """
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file whole, or leave the previous one; see `replace_text`."""
    # Of this process alone: two may write one file, and the last one wins.
    fresh = path.with_name(f".{path.name}.{os.getpid()}.writing")
    try:
        fresh.write_bytes(content)
        _flush(fresh)
        fresh.replace(path)
    except OSError as error:
        raise CheckpointError(f"{path} could not be written: {error}; {remedy(error)} and try again") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def remedy(error: OSError) -> str:
    """Return what helps against a file that cannot be read or written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make it writable"
    return "make sure that the disk is there and sound"


def settle_folder(folder: Path) -> None:
    """Finish an exchange that was interrupted: bring the previous folder back, or clear it away.

    Several processes may do so at the same time.
    """
    folder = folder.absolute()
    previous = previous_folder(folder)
    if previous.exists():
        if folder.exists():
            shutil.rmtree(previous, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                previous.rename(folder)


def previous_folder(folder: Path) -> Path:
    """Return where `replace_folder` keeps the old folder for the moment between its two renames."""
    return folder.with_name(f".{folder.name}.previous")


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def tensors_to_file(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors; each gets its own bytes, also when two share memory."""
    owned = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    path.write_bytes(save(owned, metadata=dict(metadata) if metadata else None))


def tensors_from_file(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        CheckpointError: the file is missing, or is not a whole safetensors file.
    """
    try:
        return load(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a whole safetensors file ({error}); copy the folder again") from error

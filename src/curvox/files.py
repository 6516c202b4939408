"""Write a file or a folder as one act, and lock between processes; nothing else in curvox opens a file for writing.

After a crash, a full disk or an interrupt the previous file or folder is still there, whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from curvox.errors import CheckpointError, CurvoxError, OutputExistsError

if TYPE_CHECKING:
    from torch import Tensor

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

T = TypeVar("T")

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)
"""What a file system without locks answers."""


@contextmanager
def whole_file(path: Path, *, new: bool = False) -> Iterator[BinaryIO]:
    """Write ``path`` beside its place and put it there at the end; after any failure what was there is untouched.

    Folders on the way are made. Several processes may write one file, and the last one wins.

    Args:
        path: the file.
        new: whether to refuse a file that is there at the end; it is never overwritten.

    Yields:
        The open file, whose ``name`` is that of the temporary one.

    Raises:
        OutputExistsError: see ``new``.
        OSError: the disk is full or cannot be written; see `replace_bytes` for a CurvoxError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(path)
    try:
        with fresh.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if new:
            _put_new(fresh, path)
        else:
            fresh.replace(path)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def new_file(path: Path) -> AbstractContextManager[BinaryIO]:
    """Refuse an existing ``path``, or a folder that cannot be written, now and not after the work; return `whole_file`.

    Raises:
        OutputExistsError: ``path`` exists, or has come into being by the end.
    """
    refuse_existing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(path)
    fresh.touch(exist_ok=False)
    fresh.unlink()
    return whole_file(path, new=True)


def new_text(path: Path, text: str) -> None:
    """Write a text as UTF-8 into a file that must not exist; see `new_file`."""
    refuse_existing(path)
    with whole_file(path, new=True) as file:
        file.write(text.encode())


def replace_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole, or leave the previous file; see `replace_bytes`."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file whole, or leave the previous one.

    Raises:
        CheckpointError: the disk is full or cannot be written.
    """
    with disk_errors(path), whole_file(path) as file:
        file.write(content)


def replace_folder(folder: Path, write: Callable[[Path], T]) -> T:
    """Fill a new folder by ``write`` and put it in the place of ``folder``; return what ``write`` returned.

    Everything is written and flushed beside it first. The exchange itself is two renames; an interrupt exactly between
    them leaves the old folder as ``.<name>.previous``, and `settle_folder` brings it back. One process at a time may do
    so; it clears away what a killed one left.

    Raises:
        CheckpointError: the disk is full or cannot be written; ``folder`` is untouched.
    """
    folder = folder.absolute()
    fresh, previous = folder.with_name(f".{folder.name}.writing"), previous_folder(folder)
    settle_folder(folder)
    try:
        with disk_errors(folder, "try again, a training with --resume"):
            shutil.rmtree(fresh, ignore_errors=True)
            made = _fill(fresh, write)
            if folder.exists():
                folder.rename(previous)
            fresh.rename(folder)
            _flush(folder.parent)  # before the old one is cleared away
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        with contextlib.suppress(OSError):  # a disk that fails now leaves it to the next reader
            settle_folder(folder)
    return made


def new_folder(folder: Path, write: Callable[[Path], T], *, or_empty: bool = False) -> T:
    """Fill a folder that must not exist yet, all of it or nothing; return what ``write`` returned.

    Args:
        folder: the folder.
        write: fills the folder that it is given.
        or_empty: whether ``folder`` may exist when it is empty.

    Raises:
        OutputExistsError: ``folder`` exists, or has come into being by the end.
        CheckpointError: the disk is full or cannot be written.
    """
    folder = folder.absolute()
    refuse_existing(folder, or_empty=or_empty)
    fresh = _beside(folder)
    try:
        with disk_errors(folder):
            made = _fill(fresh, write)
            put_new_folder(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return made


def put_new_folder(finished: Path, folder: Path) -> None:
    """Give a finished folder its name, unless something else has that name."""
    try:
        finished.rename(folder)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise _exists(folder) from None
        raise
    _flush(folder.parent)


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


def refuse_existing(path: Path, *, or_empty: bool = False) -> None:
    """Refuse a path that exists, also as a broken link; ``or_empty`` allows an empty folder."""
    if os.path.lexists(path) and not (or_empty and path.is_dir() and not any(path.iterdir())):
        raise _exists(path)


def require_replaceable(folder: Path, own: Collection[str], what: str, *, overwrite: bool) -> None:
    """Refuse a taken output folder; only one that holds nothing but an earlier output is ever replaced.

    Args:
        folder: where the output goes.
        own: names of the files that an output is made of.
        what: an earlier output, for the message, such as "an evaluation".
        overwrite: whether it may be replaced.

    Raises:
        OutputExistsError: the folder exists and ``overwrite`` is not set, or it holds something else too.
    """
    if not folder.exists():
        return
    if not overwrite:
        raise OutputExistsError(f"{folder} exists already: replace it with --overwrite, or name another --output")
    foreign = {path.name for path in folder.iterdir()} - set(own) if folder.is_dir() else {folder.name}
    if foreign:
        raise OutputExistsError(
            f"{folder} holds more than {what} ({', '.join(sorted(foreign)[:5])}), so it is not replaced; "
            "name another --output"
        )


def read_bytes(path: Path, *, limit_bytes: int | None = None) -> bytes:
    """Read a file whole; nothing else, such as a pipe or a device that never ends.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger than ``limit_bytes``.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, f"{path} is not a regular file")
    if limit_bytes is not None and state.st_size > limit_bytes:
        raise OSError(errno.EFBIG, f"expected at most {limit_bytes:,} bytes, got {state.st_size:,}")
    return path.read_bytes()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def disk_errors(path: Path, again: str = "try again", *, error: type[CurvoxError] = CheckpointError) -> Iterator[None]:
    """Turn what the disk says of ``path``, or of a file in it, into an error that names ``path`` and the repair."""
    try:
        yield
    except (OSError, CheckpointError) as raised:
        cause = raised.__cause__ if isinstance(raised, CurvoxError) else raised
        if not isinstance(cause, OSError):
            raise
        is_kept = path.exists() or previous_folder(path).exists()
        kept = f"; the previous {path.name} is untouched" if is_kept else ""
        raise error(f"{path} could not be written: {cause}{kept}; {remedy(cause)}, then {again}") from cause


def remedy(error: OSError) -> str:
    """Return what helps against a file that cannot be read or written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make it writable"
    return "make sure that the disk is there and sound"


def tensors_to_file(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, whole or not at all; each gets its own bytes, also when two share memory.

    Raises:
        CheckpointError: the disk is full or cannot be written.
    """
    from safetensors.torch import save

    owned = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    replace_bytes(path, save(owned, metadata=dict(metadata) if metadata else None))


def tensors_from_file(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        CheckpointError: the file is missing, or is not a whole safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(read_bytes(path))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a whole safetensors file ({error}); copy the folder again") from error


@dataclass(frozen=True)
class Lock:
    """A lock file that is open: its descriptor, and whether it is locked; a file system may have no locks."""

    descriptor: int
    held: bool


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[Lock]:
    """Keep other processes out that lock the same ``path``, a file made for this alone.

    Raises:
        BlockingIOError: another process has it, and ``wait`` is not set.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        yield Lock(file.fileno(), _lock(file.fileno(), exclusive=True, wait=wait))


def mark_in_use(descriptor: int) -> bool:
    """Keep an open file from `remove_unless_in_use`; False if it is just being removed."""
    try:
        _lock(descriptor, exclusive=False, wait=False)
    except BlockingIOError:
        return False
    return True


def remove_unless_in_use(path: Path) -> bool:
    """Remove a file that no process has marked by `mark_in_use`; say whether it was removed.

    Where there are no locks nothing is removed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        if not _lock(descriptor, exclusive=True, wait=False):
            return False
        path.unlink(missing_ok=True)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def clear_leftovers(path: Path) -> None:
    """Remove what killed processes left beside ``path`` in `whole_file`; only for one who is alone, see `locked`."""
    left = re.compile(rf"\.{re.escape(path.name)}\.\d+-[0-9a-f]{{8}}\.writing")
    for file in path.parent.iterdir():
        if left.fullmatch(file.name):
            file.unlink(missing_ok=True)


def _lock(descriptor: int, *, exclusive: bool, wait: bool) -> bool:
    """Lock an open file until it is closed; False where there are no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _beside(path: Path) -> Path:
    """Return a name that no other process, and no other thread, takes."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.writing")


def _put_new(fresh: Path, path: Path) -> None:
    # A hard link fails when the name was taken meanwhile, where a rename would overwrite.
    try:
        os.link(fresh, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without hard links
        refuse_existing(path)
        fresh.rename(path)


def _fill(fresh: Path, write: Callable[[Path], T]) -> T:
    fresh.mkdir(parents=True)
    made = write(fresh)
    for folder, _, names in os.walk(fresh):
        for name in names:
            _flush(Path(folder, name))
        _flush(Path(folder))
    return made


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(f"{path} exists already and is left as it is; name another output or move it away")

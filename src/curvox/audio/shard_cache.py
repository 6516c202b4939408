"""Remote shards in a bounded local folder, shared by all processes of a machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curvox.audio.remote import fetch
from curvox.audio.retrying import UnreachableError
from curvox.audio.shard_index import Shard
from curvox.errors import CurvoxError

try:
    import fcntl
except ImportError:  # Windows: no such locks, and no eviction
    fcntl = None


class ShardCache:
    """Whole shards in ``folder``, at most ``limit_bytes`` of them, those opened longest ago leaving first.

    Copies are named by their checksum, so several remote folders share one cache. A shard is downloaded by one process
    while the others wait, and appears under its name only when it is whole and has its checksum. One that any process
    has open is locked and is never removed; so the limit is passed when all of them are open at once.
    """

    def __init__(self, url: str, folder: Path, limit_bytes: int) -> None:
        self.url, self.folder, self.limit_bytes = url.rstrip("/"), folder, limit_bytes

    def open(self, shard: Shard) -> int:
        """Return a file descriptor of a local copy; until it is closed the copy stays.

        Raises:
            UnreachableError: the shard cannot be fetched.
            CurvoxError: the cache cannot be written.
        """
        path = self.path_of(shard)
        while True:
            self.fetch(shard)
            try:
                handle = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue  # removed between the two by another process
            if _share(handle) and _still_there(handle, path):
                os.utime(path)
                return handle
            os.close(handle)

    def fetch(self, shard: Shard) -> None:
        """Make sure that a whole copy of ``shard`` is in the folder; make room for it before."""
        path = self.path_of(shard)
        try:
            with self._alone(f"{path.name}.lock"):
                if path.is_file() and path.stat().st_size == shard.size:
                    return
                self._make_room(shard.size)
                fetch(f"{self.url}/{shard.name}", path, sha256=shard.sha256)
        except UnreachableError:
            raise
        except OSError as error:
            raise CurvoxError(
                f'the cache of shards "{self.folder}" cannot be written: {error.strerror or error}; free some space or '
                "lower data.cache_gb, then continue the run with --resume"
            ) from error

    def path_of(self, shard: Shard) -> Path:
        """Return where the copy of a shard is, or would be."""
        return self.folder / f"{shard.sha256[:24]}.tar"

    def _make_room(self, size: int) -> None:
        with self._alone("room.lock"):
            held = {path: path.stat() for path in self.folder.glob("*.tar")}
            total = sum(state.st_size for state in held.values()) + size
            for path in sorted(held, key=lambda path: held[path].st_mtime_ns):
                if total <= self.limit_bytes:
                    return
                if _remove_unless_open(path):
                    total -= held[path].st_size

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / name).open("w") as lock:
            if fcntl is not None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                except OSError as error:
                    if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
                        raise
            yield


def _share(handle: int) -> bool:
    """Mark an open file as in use."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False  # it is being removed
    except OSError:
        return True  # a file system without locks
    return True


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _remove_unless_open(path: Path) -> bool:
    """Remove a shard that no process has open; say whether it was removed."""
    if fcntl is None:
        return False
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)

"""Keep remote shards in a bounded local folder that all processes of a machine share."""

from __future__ import annotations

import os
from pathlib import Path

from curvox.audio.sources.remote import UnreachableError, fetch
from curvox.audio.sources.shard_index import Shard
from curvox.errors import CurvoxError
from curvox.files import locked, mark_in_use, remove_unless_in_use


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
            if mark_in_use(handle) and _still_there(handle, path):
                os.utime(path)
                return handle
            os.close(handle)

    def fetch(self, shard: Shard) -> None:
        """Make sure that a whole copy of ``shard`` is in the folder; make room for it before."""
        path = self.path_of(shard)
        try:
            with locked(self.folder / f"{path.name}.lock"):
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
        with locked(self.folder / "room.lock"):
            held = {path: path.stat() for path in self.folder.glob("*.tar")}
            total = sum(state.st_size for state in held.values()) + size
            for path in sorted(held, key=lambda path: held[path].st_mtime_ns):
                if total <= self.limit_bytes:
                    return
                if remove_unless_in_use(path):
                    total -= held[path].st_size


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False

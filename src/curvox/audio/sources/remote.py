"""Fetch files of other machines through fsspec (s3://, http:// …), with retries; keep shards in a bounded folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from curvox.audio.sources.shard_index import Shard
from curvox.errors import CurvoxError, InputError, MissingExtraError, import_extra
from curvox.files import locked, mark_in_use, remove_unless_in_use, sha256_of, whole_file

Result = TypeVar("Result")

WAITS_S: tuple[float, ...] = (1.0, 5.0, 20.0)
"""Seconds before each further try."""


class UnreachableError(CurvoxError):
    """What recordings lie on cannot be read: a mount that is lost, a download that fails. No recording is at fault."""


def with_retries(action: Callable[[], Result], what: str, way_on: str) -> Result:
    """Return what ``action`` returns; while it raises OSError, say so and try again after `WAITS_S`.

    Disks and networks may be away for a moment.

    Args:
        what: what failed, as a message begins.
        way_on: what its reader can do.
    """
    for wait_s in WAITS_S:
        try:
            return action()
        except OSError as error:
            print(f"{what}: {_reason(error)}; trying again in {wait_s:g} s", file=sys.stderr, flush=True)
            time.sleep(wait_s)
    try:
        return action()
    except OSError as error:
        tries = len(WAITS_S) + 1
        raise UnreachableError(f"{what}, also after {tries} tries: {_reason(error)}; {way_on}") from error


def _reason(error: OSError) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "http": "aiohttp", "https": "aiohttp", "gs": "gcsfs", "gcs": "gcsfs"}


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` names a place on another machine."""
    return isinstance(path, str) and "://" in path


def fetch(url: str, target: Path, *, sha256: str | None = None) -> None:
    """Copy a remote file to ``target``, whole or not at all; a download that fails is tried again.

    Raises:
        UnreachableError: it cannot be had, or is another file than ``sha256`` says.
        MissingExtraError: fsspec, or what it needs for this protocol, is not installed.
    """
    way_on = "check the network and the credentials, then continue the run with --resume"
    with_retries(lambda: _fetch_once(url, target, sha256), f"{url} cannot be fetched", way_on)


def _fetch_once(url: str, target: Path, sha256: str | None) -> None:
    try:
        files, path = _file_system(url)
        with whole_file(target) as file:
            files.get_file(path, str(file.name))
            if sha256 is not None and sha256_of(Path(file.name)) != sha256:
                size = Path(file.name).stat().st_size
                raise ConnectionError(f"what came, {size} bytes, has another checksum than its index says")
    except FileNotFoundError as error:
        raise InputError(f"{url} does not exist; check the address") from error
    except (OSError, MissingExtraError, InputError):
        raise
    except Exception as error:  # each protocol has errors of its own
        raise ConnectionError(f"{type(error).__name__}: {error}") from error


def _file_system(url: str) -> tuple[Any, str]:
    protocol = url.split("://", 1)[0]
    also = f", pip install {_PACKAGES[protocol]}" if protocol in _PACKAGES else ""
    fsspec: Any = import_extra("fsspec", f'{url} needs fsspec: pip install "curvox[remote]"{also}')
    try:
        return fsspec.url_to_fs(url)
    except ImportError as error:
        raise MissingExtraError(f"{url} needs a further package{also}: {error}") from error
    except ValueError as error:
        raise InputError(f"{url} cannot be opened: {error}") from error


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

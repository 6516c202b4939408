"""Read files on other machines through fsspec (s3://, http://, memory:// …), and try again when one is away."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from curvox.audio.sources.shard_index import sha256_of
from curvox.errors import CurvoxError, InputError, MissingExtraError
from curvox.files import whole_file

# Disks and networks may be away for a moment: a few more tries with messages, then an error that says what to do.

Result = TypeVar("Result")

WAITS_S: tuple[float, ...] = (1.0, 5.0, 20.0)
"""Seconds before each further try."""


class UnreachableError(CurvoxError):
    """What recordings lie on cannot be read: a mount that is lost, a download that fails. No recording is at fault."""


def with_retries(action: Callable[[], Result], what: str, way_on: str) -> Result:
    """Return what ``action`` returns; while it raises OSError, try again after `WAITS_S`.

    Args:
        what: what failed, as a message begins.
        way_on: what its reader can do.

    Raises:
        UnreachableError: the last try failed too.
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
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(f'{url} needs fsspec: pip install "curvox[remote]"{_also(protocol)}') from error
    try:
        return cast("Any", fsspec).url_to_fs(url)
    except ImportError as error:
        raise MissingExtraError(f"{url} needs a further package{_also(protocol)}: {error}") from error
    except ValueError as error:
        raise InputError(f"{url} cannot be opened: {error}") from error


def _also(protocol: str) -> str:
    return f", pip install {_PACKAGES[protocol]}" if protocol in _PACKAGES else ""

"""A disk that fails at a chosen operation: once, from then on, or because the process was killed in it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

Fault = Literal["error once", "full from here", "interrupt", "interrupted twice", "killed"]
FAULTS: tuple[Fault, ...] = ("error once", "full from here", "interrupt", "interrupted twice", "killed")

_CHANGES = ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync")
_REMOVALS = ("unlink", "rmdir")


class KilledError(BaseException):
    """The process is gone: nothing that it would still do reaches the disk."""


class FailingDisk:
    """Counts what changes the disk, each write of a file as two halves, and fails at operation ``at`` (0-based).

    What fails has no effect, except that the first half of a write may be on the disk already. To flush takes no time.
    """

    def __init__(self, at: int | None, fault: Fault):
        self.at, self.fault, self.done = at, fault, 0

    def pass_or_fail(self, operation: str) -> None:
        number, self.done = self.done, self.done + 1
        if self.at is None or number < self.at:
            return
        if self.fault == "killed":
            raise KilledError
        if self.fault == "full from here" and operation not in _REMOVALS:
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.fault == "error once" and number == self.at:
            raise OSError(errno.EIO, "Input/output error")
        if self.fault == "interrupt" and number == self.at:
            raise KeyboardInterrupt
        if self.fault == "interrupted twice" and number in (self.at, self.at + 2):
            raise KeyboardInterrupt


@contextlib.contextmanager
def failing_disk(at: int | None, fault: Fault = "killed") -> Iterator[FailingDisk]:
    """Let everything in this process that goes through ``os`` and ``open`` see the disk fail."""
    disk = FailingDisk(at, fault)
    plain_open = io.open

    def watched(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **options: Any) -> Any:
            disk.pass_or_fail(name)
            return None if name == "fsync" else plain(*arguments, **options)

        return operation

    def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if not set(mode) & set("wax+"):
            return plain_open(file, mode, *arguments, **options)
        disk.pass_or_fail("open")
        return _TornFile(plain_open(file, mode, *arguments, **options), disk)

    with pytest.MonkeyPatch.context() as patch:
        for name in _CHANGES:
            patch.setattr(os, name, watched(name, getattr(os, name)))
        patch.setattr(io, "open", opened)
        yield disk


class _TornFile:
    """An open file whose writes can fail when one half is on the disk."""

    def __init__(self, file: Any, disk: FailingDisk):
        self._file, self._disk = file, disk

    def write(self, content: Any) -> int:
        half = len(content) // 2
        self._file.write(content[:half])
        self._file.flush()
        self._disk.pass_or_fail("write")
        self._file.write(content[half:])
        return len(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _TornFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

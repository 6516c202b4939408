"""Measuring on a shared, noisy machine: interleaved repeats, ratios of neighbours, peak memory of a step."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import torch

Step = Callable[[], object]
Name = TypeVar("Name")
Result = TypeVar("Result")


def interleaved(
    steps: Mapping[Name, Step], repeats: int, *, before: Callable[[Name], object] | None = None
) -> dict[Name, list[float]]:
    """Seconds of every step, run in turn ``repeats`` times after two runs that do not count.

    ``before`` is called with the name of a step ahead of each run of it, outside the seconds.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in steps}
    for round_ in range(repeats + 2):
        for name, step in steps.items():
            if before is not None:
                before(name)
            wait_for_device()
            begin = time.perf_counter()
            step()
            wait_for_device()
            if round_ >= 2:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def ratio(first: list[float], second: list[float]) -> float:
    """The median of ``first / second``, each measured next to the other."""
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def give_back_freed_memory() -> None:
    """Make glibc return every larger block to the system when it is freed, so that a peak is a peak."""
    ctypes.CDLL("libc.so.6").mallopt(-3, 65536)  # M_MMAP_THRESHOLD, which otherwise grows by itself


def glibc_memory_setting() -> None:
    """Set what glibc comes to by itself in a process that frees large blocks, and return what is free to the system.

    Its threshold for mapped blocks grows with the blocks that are freed, up to 32 MB, and that for the top of the heap
    is twice as much; once another setting was made the two no longer move, so they are set to where they end.
    """
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
    libc.mallopt(-1, 64 << 20)  # M_TRIM_THRESHOLD
    libc.malloc_trim(0)


def peak_bytes(step: Step) -> int:
    """How far the process's memory rises above what it held before the step, after one run that does not count."""
    step()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status("VmRSS")
    step()
    return max(0, _status("VmHWM") - before)


def once(step: Callable[[], Result]) -> tuple[Result, float, float, int]:
    """What a step returns, its seconds, its seconds of processors, and how far the memory rose, of a single run."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before, wall, cpu = _status("VmRSS"), time.perf_counter(), time.process_time()
    result = step()
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    return result, seconds, cpu_seconds, max(0, _status("VmHWM") - before)


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise KeyError(key)


def wait_for_device() -> None:
    """Wait for a GPU to finish, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def setting(threads: int) -> str:
    """Date, machine and versions, one line."""
    return f"{date.today().isoformat()}, {machine()}, {threads} thread(s), torch {torch.__version__}"


def machine() -> str:
    """Cores and processor."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores of {model}"


def keep_as_they_come(outcomes: Iterable[Any], count: int, log: Path, told: Callable[[Any], str]) -> None:
    """Append each outcome, a dataclass, to a file of JSON lines, and say how many minutes are left.

    Args:
        outcomes: as they are ready. count: how many will come. told: one outcome to what is said of it.
    """
    started = time.monotonic()
    for done, outcome in enumerate(outcomes, start=1):
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
        left_s = (time.monotonic() - started) / done * (count - done)
        print(f"{done:4d}/{count}  {left_s / 60:4.1f} min left  {told(outcome)}", file=sys.stderr, flush=True)

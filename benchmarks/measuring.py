"""Measuring on a shared, noisy machine: interleaved repeats, ratios of neighbours, peak memory of a step."""

from __future__ import annotations

import ctypes
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TypeVar

import torch

Step = Callable[[], object]
Name = TypeVar("Name")
Result = TypeVar("Result")


def interleaved(steps: Mapping[Name, Step], repeats: int) -> dict[Name, list[float]]:
    """Seconds of every step, run in turn ``repeats`` times after two runs that do not count."""
    for step in (*steps.values(), *steps.values()):
        step()
    seconds: dict[Name, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            wait_for_device()
            begin = time.perf_counter()
            step()
            wait_for_device()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def ratio(first: list[float], second: list[float]) -> float:
    """The median of ``first / second``, each measured next to the other."""
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def give_back_freed_memory() -> None:
    """Make glibc return every larger block to the system when it is freed, so that a peak is a peak."""
    ctypes.CDLL("libc.so.6").mallopt(-3, 65536)  # M_MMAP_THRESHOLD, which otherwise grows by itself


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

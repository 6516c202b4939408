"""What ends a training from outside, in words: the disk, the memory, a worker or another process that is gone."""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as pl
import torch
import torch.distributed as dist
from lightning.pytorch.loggers import TensorBoardLogger

from curvox.errors import CurvoxError
from curvox.files import remedy


def how_to_go_on(last: Path) -> str:
    """Return what to do with a run that was cut short, by whether it has a checkpoint ``last``."""
    if last.exists():
        return f"{last} is whole: continue it with --resume"
    return "no checkpoint was written yet; --resume starts it again"


def lost_another(error: BaseException) -> bool:
    """Whether ``error`` is what a process gets whose connection to another one broke."""
    said = str(error)
    return isinstance(error, RuntimeError) and (
        isinstance(error, dist.DistError) or "gloo" in said or "onnection" in said
    )


def fault_in_words(error: BaseException, world_size: int, cause: str | None = None) -> str | None:
    """Return what happened and what helps, or None where ``error`` is no such fault.

    ``cause`` is why another process is gone, where that is known.
    """
    if isinstance(error, CurvoxError):
        return None
    said = " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"a file could not be read or written: {said}; {remedy(error)}"
    if not isinstance(error, RuntimeError):
        return None
    if "DataLoader worker" in said:
        return (
            f"a process that loads data is gone: {said.rstrip('. ')}. Killed: the machine ran out of memory, lower "
            "data.workers or data.batch_size; bus error: a disk that recordings are mapped from went away, or /dev/shm "
            "is full"
        )
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in said:
        return (
            f"out of memory: {said[:200]}; lower data.batch_size, or compute it in parts by training.accumulate_batches"
        )
    if world_size > 1 and lost_another(error):
        return cause or (
            f"another of the {world_size} processes is gone ({said[:160]}); where it left no message, look for the "
            "kernel's in dmesg: it may have run out of memory"
        )
    return None


def check_logs(trainer: pl.Trainer) -> None:
    """Refuse to go on when the thread that writes TensorBoard's file has died, which it does without a word.

    Raises:
        OSError: it has.
    """
    for logger in trainer.loggers:
        if not trainer.is_global_zero or not isinstance(logger, TensorBoardLogger):
            continue
        writer = getattr(logger.experiment.file_writer, "event_writer", None)
        thread = getattr(writer, "_worker", None)
        if thread is not None and not thread.is_alive():
            raise OSError(f"{logger.log_dir}: nothing more can be written there, the disk may be full")

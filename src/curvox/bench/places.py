"""How the cores and GPUs of a machine are shared out among cells that are trained at the same time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from curvox.bench.cells import Cell
from curvox.errors import InputError

_BYTES_A_CELL = 2 * 2**30
_THREADS, _DEVICES = "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"


def default_jobs(*, gpus: int, cores: int, memory_bytes: int) -> int:
    """Return how many cells run at once: one for each GPU; without any one for each core, as 2 GiB a cell allow.

    Training small encoders on one thread each wastes nothing, on several at least the time they wait for each other.
    """
    return gpus or max(1, min(cores, memory_bytes // _BYTES_A_CELL))


def share_out(cells: Sequence[Cell], jobs: int | None, environment: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    """Return the environment of the processes of each place, of which there are as many as cells run at once.

    Each place gets an equal share of the cores as ``OMP_NUM_THREADS``, unless the environment sets it already, and one
    of the GPUs in turn as ``CUDA_VISIBLE_DEVICES``. Cells that train on several devices run one after the other, and
    see all of them.

    Args:
        cells: what is to be run; one that is trained on the CPU by its recipe counts no GPU.
        jobs: how many at once; None: `default_jobs`.
        environment: of this process.

    Raises:
        InputError: fewer than one, or several at once of cells that want several devices.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be at least 1, got {jobs}")
    training = [cell.recipe.training for cell in cells]
    if any(recipe.devices != 1 or recipe.nodes != 1 for recipe in training):
        if jobs not in (None, 1):
            raise InputError(f"a setting trains on several devices, so cells run one after the other; got jobs {jobs}")
        return (dict(environment),)
    on_cpu = all(recipe.accelerator == "cpu" for recipe in training)
    gpus = () if on_cpu else visible_gpus(environment)
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    jobs = min(jobs or default_jobs(gpus=len(gpus), cores=cores, memory_bytes=memory), max(1, len(cells)))
    shared = {_THREADS: str(max(1, cores // jobs)), **environment}
    return tuple({**shared, **({_DEVICES: gpus[place % len(gpus)]} if gpus else {})} for place in range(jobs))


def visible_gpus(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    import torch

    count = torch.cuda.device_count()
    named = [name.strip() for name in environment.get(_DEVICES, "").split(",") if name.strip()]
    return tuple(named[:count]) if named else tuple(map(str, range(count)))

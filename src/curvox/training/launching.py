"""How the processes of a training were started: by Lightning itself, by torchrun, or by srun."""

from __future__ import annotations

import os

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from curvox.errors import RecipeError

_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK")
"""Each is 0 in the first process of a training, where it is set at all; Lightning, torchrun and srun set some."""


def is_first_process() -> bool:
    """False in the further processes of a training, on whatever device or node; known before they have met."""
    return all(int(os.environ.get(name, "0")) == 0 for name in _RANKS)


def cluster_environments() -> list[ClusterEnvironment]:
    """Return what Lightning must be told of the cluster: under SLURM, that a requeue is not its affair."""
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


def check_started_processes(world_size: int) -> None:
    """Refuse to train in another number of processes than torchrun or srun has started.

    Raises:
        RecipeError: they would train one beside the other, in one folder.
    """
    if TorchElasticEnvironment.detect():
        starter, started = "torchrun", int(os.environ["WORLD_SIZE"])
    elif SLURMEnvironment.detect():
        starter, started = "srun", int(os.environ["SLURM_NTASKS"])
    else:
        return
    if started != world_size:
        raise RecipeError(
            f"{starter} has started {started} processes, but training.nodes x training.devices = {world_size}: set "
            "training.nodes to the number of machines and training.devices to the processes on each"
        )

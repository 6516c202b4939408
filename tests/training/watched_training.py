"""A training that writes down its batches and how many classes it holds, and can be cut off; as a script, on several
processes.

Batch normalisation stands still in it: its statistics are those of the part of a batch that one process has, which is
the one thing in which several processes differ from one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from curvox.training import recipe_from, train
from curvox.training.step.module import SpeakerModule

Step = Callable[[SpeakerModule, dict[str, Tensor]], Tensor]


def watched(notes: Path, cut_at: int | None, cut: Callable[[], Any]) -> Step:
    """Return what to put in the place of ``SpeakerModule.embed_batch``; ``cut`` is called at step ``cut_at``."""
    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, Tensor]) -> Tensor:
        if module.global_step == cut_at:
            cut()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.eval()
        rows = [len(p.to_local()) for p in module.loss.parameters() if isinstance(p, DTensor)]
        (notes / f"rows{module.global_rank}.json").write_text(json.dumps(rows))
        with (notes / f"rank{module.global_rank}.txt").open("a") as file:
            print(module.global_step, *dict.fromkeys(batch["seeds"].tolist()), file=file)  # copies have one seed
        return original(module, batch)

    return embed_batch


def kill_second() -> None:
    """End the second process as the kernel does when memory is short."""
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def noted(path: Path) -> dict[int, list[int]]:
    """Return the seeds of the batch of each step."""
    rows = [[int(word) for word in line.split()] for line in path.read_text().splitlines()]
    return {row[0]: row[1:] for row in rows}


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text())
    step = watched(Path(job["notes"]), job["cut_at"], kill_second)
    SpeakerModule.embed_batch = step  # pyright: ignore
    result = train(recipe_from(job["recipe"]), job["run"], resume=job["resume"])
    rank = dist.get_rank()
    Path(job["notes"], f"best{rank}.json").write_text(json.dumps(result.best and result.best.eer))

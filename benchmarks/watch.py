"""What does the doctor cost that watches a training?

    python benchmarks/watch.py [--data FOLDER] [--recipe recipes/openvoices_ham.yaml] [--blocks 10] [--threads 2]

Without --data a small synthetic corpus stands in. One run of ``curvox train``, in which blocks of ten steps with the
watch (which looks once a block) and without it take turns. Printed are the medians of a step in either, the median
ratio of neighbouring blocks, and by itself the time within the watch, its logs included, over the time of its blocks:
that one is sharp where the machine is noisy. The goal is at most 2 % more.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from measuring import setting
from rich.console import Console

from curvox.training import read_recipe, train
from curvox.training.run import train as train_module
from curvox.training.run.watch import VitalWatch
from curvox.training.step.module import SpeakerModule

BLOCK = 10
WARM_UP_BLOCKS = 2


class TimedWatch(VitalWatch):
    """Watches every second block of ten steps, and keeps the time."""

    starts: list[float]
    within_s: list[float]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        begin = time.perf_counter()
        assert isinstance(pl_module, SpeakerModule)
        self.starts.append(begin)
        self.within_s.append(0.0)
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        if (trainer.global_step // BLOCK) % 2 == 0:
            pl_module.watched = False
        self.within_s[-1] += time.perf_counter() - begin

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        begin = time.perf_counter()
        super().on_before_optimizer_step(trainer, pl_module, optimizer)
        self.within_s[-1] += time.perf_counter() - begin

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        begin = time.perf_counter()
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self.within_s[-1] += time.perf_counter() - begin


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    TimedWatch.starts, TimedWatch.within_s = [], []
    train_module.VitalWatch = TimedWatch
    with tempfile.TemporaryDirectory() as temporary:
        _train(arguments, Path(temporary))
    print(
        json.dumps(
            {**_results(TimedWatch.starts, TimedWatch.within_s), "setting": setting(arguments.threads)}, indent=1
        )
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--recipe", default="recipes/openvoices_ham.yaml")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=10, help="Pairs of blocks that count.")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _train(arguments: argparse.Namespace, folder: Path) -> None:
    path = arguments.data
    if path is None:
        from curvox.testing.voices import synthesise_corpus

        path = synthesise_corpus(folder / "voices", train_speakers=24, dev_speakers=2, test_speakers=2, workers=1)
    steps = BLOCK * (WARM_UP_BLOCKS + 2 * arguments.blocks) + 1
    recipe = read_recipe(
        arguments.recipe,
        [
            f"data.path={path}",
            f"data.batch_size={arguments.batch_size}",
            f"data.crops_per_epoch={steps * arguments.batch_size}",
            "data.dev_trials=null",
            f"training.max_steps={steps}",
            "training.accelerator=cpu",
        ],
    )
    train(recipe, folder / "run", console=Console(quiet=True), watch_every=BLOCK)


def _results(starts: list[float], within_s: list[float]) -> dict[str, Any]:
    blocks_s = [starts[i + BLOCK] - starts[i] for i in range(0, len(starts) - BLOCK, BLOCK)][WARM_UP_BLOCKS:]
    inside_s = [sum(within_s[i : i + BLOCK]) for i in range(0, len(starts) - BLOCK, BLOCK)][WARM_UP_BLOCKS:]
    without, watched = blocks_s[0::2], blocks_s[1::2]
    return {
        "without_ms": round(1000 * statistics.median(without) / BLOCK, 2),
        "watched_ms": round(1000 * statistics.median(watched) / BLOCK, 2),
        "watched_over_without": round(statistics.median(a / b for a, b in zip(watched, without, strict=True)), 4),
        "time_within_over_block": round(sum(inside_s[1::2]) / sum(watched), 5),
        "pairs_of_blocks": len(watched),
    }


if __name__ == "__main__":
    main()

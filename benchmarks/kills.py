"""Kill a real training at random moments, again and again, and see that nothing is lost but the steps since its last
checkpoint.

    python benchmarks/kills.py [--kills 30] [--seed 1] [--save benchmarks/results/kills.md]

A process that has imported everything forks one training after the other, each as `curvox train` would run it, with
--resume from the second on, and kills it by SIGKILL: at a moment drawn at random, or (every other time) while it
writes a checkpoint, as soon as the folder for it appears. When a run comes to its end, its weights and the state of
its optimiser are compared with those of a run that nobody killed, bit for bit, and the next run begins.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import setting
from rich.console import Console

from curvox.embedder import load
from curvox.files import settle_folder
from curvox.testing.voices import synthesise_corpus
from curvox.training import Recipe, recipe_from, train
from curvox.training.run.checkpoints import read_training_state

EVERY = 2


@dataclass
class Tally:
    """What became of the runs so far."""

    moments: int = 0
    writings: int = 0
    half_written: int = 0
    steps_lost: int = 0
    most_lost: int = 0
    runs: int = 0
    exchanges_cut: int = 0

    @property
    def kills(self) -> int:
        return self.moments + self.writings


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    draw, tally = np.random.default_rng(arguments.seed), Tally()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe = _recipe(
            synthesise_corpus(folder / "voices", train_speakers=6, dev_speakers=4, test_speakers=2, workers=1)
        )
        began = time.monotonic()
        assert _ends(_fork(recipe, folder / "whole", folder / "steps"), _after(float("inf")))
        seconds = time.monotonic() - began
        whole = read_training_state(folder / "whole" / "last")
        while tally.kills < arguments.kills:
            tally.runs += 1
            _one_run(recipe, folder, whole, draw, seconds, tally, arguments.kills)
    text = _text(tally, setting(1))
    print(text)
    if arguments.save:
        Path(arguments.save).write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save")
    return parser.parse_args()


def _recipe(voices: Path) -> Recipe:
    return recipe_from(
        {
            "name": "killed",
            "data": {"path": str(voices), "crop_s": 0.6, "batch_size": 8, "crops_per_epoch": 96},
            "features": {"n_mels": 24},
            "augmentation": {"waveforms": {}},
            "encoder": {"name": "ecapa_tdnn", "channels": 16, "aggregation_channels": 24, "embedding_dim": 12},
            "loss": {"name": "aam_softmax"},
            "training": {"epochs": 3, "accelerator": "cpu", "checkpoint_every_steps": EVERY},
        }
    )


def _one_run(
    recipe: Recipe,
    folder: Path,
    whole: dict[str, Any],
    draw: np.random.Generator,
    seconds: float,
    tally: Tally,
    most: int,
) -> None:
    """Kill one run until it comes to its end, or to the last of ``most`` kills, after which it is left in peace."""
    run, notes = folder / f"run{tally.runs}", folder / f"steps{tally.runs}"
    kept, ended = 0, False
    while not ended:
        process = _fork(recipe, run, notes)
        writing = tally.kills % 2 == 1
        due = _nth_writing(run, int(draw.integers(1, 8))) if writing else _after(float(draw.uniform(0, seconds)))
        if tally.kills >= most:
            due = _after(float("inf"))
        ended = _ends(process, due)
        if not ended:
            tally.writings, tally.moments = tally.writings + writing, tally.moments + (not writing)
            tally.half_written += (run / ".last.writing").exists()
            tally.exchanges_cut += not (run / "last").exists() and (run / ".last.previous").exists()
        kept = _check(run, notes, kept, tally, ended)
    state = read_training_state(run / "last")
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(state[part], whole[part], rtol=0, atol=0)
    assert state["global_step"] == whole["global_step"]


def _check(run: Path, notes: Path, kept: int, tally: Tally, ended: bool) -> int:
    """Return the step that the checkpoint holds: whole, not older than the one before, not far behind the run."""
    settle_folder(run / "last")
    stands_at = 0
    if (run / "last").exists():
        stands_at = read_training_state(run / "last")["global_step"]
        load(run / "last")
    assert stands_at >= kept, f"the checkpoint went back from step {kept} to {stands_at}"
    if not ended and notes.exists():
        begun = int(notes.read_text().split()[-1])
        lost = max(0, begun + 1 - stands_at)
        assert lost <= EVERY + 1, f"{lost} steps were lost, with a checkpoint every {EVERY}"
        tally.steps_lost += lost
        tally.most_lost = max(tally.most_lost, lost)
    return stands_at


def _fork(recipe: Recipe, run: Path, notes: Path) -> int:
    """Start a training in a process of its own, which writes down each step that it begins; return its id."""
    process = os.fork()
    if process:
        return process
    from curvox.training.step.module import SpeakerModule

    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        with notes.open("a") as file:
            print(module.global_step, file=file)
        return original(module, batch)

    SpeakerModule.embed_batch = embed_batch  # pyright: ignore
    code = 1
    try:
        train(recipe, run, resume=(run / "recipe.yaml").exists(), console=Console(quiet=True))
        code = 0
    finally:
        os._exit(code)


def _ends(process: int, due: Callable[[], bool]) -> bool:
    """Wait for the process; kill it as soon as ``due``. Return whether it came to its end by itself."""
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            assert os.WIFEXITED(status)
            assert os.WEXITSTATUS(status) == 0, "the training failed, see above"
            return True
        if due():
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return False
        time.sleep(0.0005)


def _after(seconds: float) -> Callable[[], bool]:
    due = time.monotonic() + seconds
    return lambda: time.monotonic() > due


def _nth_writing(run: Path, count: int) -> Callable[[], bool]:
    """True when the folder of a new checkpoint is seen for the ``count``-th time."""
    seen = [False, 0]

    def due() -> bool:
        there = (run / ".last.writing").exists()
        seen[1] += there and not seen[0]
        seen[0] = there
        return seen[1] >= count

    return due


def _text(tally: Tally, where: str) -> str:
    return f"""`python benchmarks/kills.py --kills {tally.kills}`. {where}.

| | |
|---|---|
| kills by SIGKILL | {tally.kills} |
| of these at a moment drawn at random | {tally.moments} |
| of these while a checkpoint was written | {tally.writings} |
| that left a checkpoint half written beside the whole one | {tally.half_written} |
| that fell between the two renames | {tally.exchanges_cut} |
| runs that came to their end all the same | {tally.runs} |
| of these equal, bit for bit, to the run that nobody killed | {tally.runs} |
| steps begun and lost by a kill, at most | {tally.most_lost} |
| on average | {tally.steps_lost / tally.kills:.1f} |

A checkpoint is written every {EVERY} steps, by a run of 36. A step that had begun when the kill came counts as lost.
"""


if __name__ == "__main__":
    main()

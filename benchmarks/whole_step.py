"""What a step of ``curvox train`` costs beside a plain loop, and what loading and augmentation cost.

Part of train_step.py (``--whole``). The model is that of the README, the batch 64 × 2 s; augmentation is off and timed
by itself. In one process, turn by turn: the plain network in a plain loop (PlainECAPA and PlainHAM beside this file;
the filter banks are curvox's), curvox's encoder and loss in the same loop, the loading of a batch, and the encoder's
matrix products alone, which are the floor. Then, in turns of several steps, the plain loop and ``curvox train`` itself,
with Lightning, guard, schedules, logs and loading, from one step's start to the next.
"""

from __future__ import annotations

import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from measuring import interleaved, setting
from plain_ecapa import PlainECAPA, PlainHAM
from rich.console import Console
from torch import Tensor, nn

from curvox.audio import augment, mask_features
from curvox.training import Recipe, build_model, read_recipe, train
from curvox.training.data.loading import PreparedData, prepare_data, training_loader
from curvox.training.step.module import SpeakerModule

SPEAKERS = 510
BLOCKS, BLOCK_STEPS = 5, 8


def print_whole_step(data_path: str | None, recipe: str, threads: int, repeats: int) -> None:
    """Print the figures as JSON; without ``data_path`` a small synthetic corpus stands in."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as temporary:
        parsed, data = _prepare(data_path, recipe, Path(temporary))
        results = _measure(parsed, data, repeats)
        results |= _measure_whole(parsed, data, Path(temporary))
    print(json.dumps({**results, "setting": setting(threads)}, indent=1))


def _prepare(path: str | None, recipe: str, folder: Path) -> tuple[Recipe, PreparedData]:
    if path is None:
        from curvox.testing.voices import synthesise_corpus

        voices = synthesise_corpus(folder / "voices", train_speakers=24, dev_speakers=2, test_speakers=2, workers=1)
        path = str(voices)
    parsed = read_recipe(recipe, [f"data.path={path}", "data.batch_size=64", "data.crop_s=2.0"])
    return parsed, prepare_data(parsed.data, seed=1, cache=folder / "cache")


def _measure(recipe: Recipe, data: PreparedData, repeats: int) -> dict[str, float]:
    seconds = interleaved(_programs(recipe, data), repeats)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = [a / b for a, b in zip(seconds["curvox"], seconds["plain"], strict=True)]
    return {
        **{f"{name}_ms": round(1000 * value, 1) for name, value in medians.items()},
        "curvox_over_plain": round(statistics.median(ratios), 3),
        "curvox_over_floor": round(medians["curvox"] / medians["floor"], 3),
        "loading_share_of_step": round(medians["loading"] / medians["curvox"], 4),
        "repeats": repeats,
    }


def _measure_whole(recipe: Recipe, data: PreparedData, folder: Path) -> dict[str, float]:
    """Steps of ``curvox train`` from start to start, between blocks of plain steps."""
    short = recipe.model_copy(
        update={
            "augmentation": {},
            "training": recipe.training.model_copy(update={"max_steps": BLOCK_STEPS + 2, "accelerator": "cpu"}),
        }
    )
    plainly = _programs(recipe, data)["plain"]
    starts: list[float] = []
    original = SpeakerModule.training_step

    def training_step(self: SpeakerModule, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        starts.append(time.perf_counter())
        return original(self, batch, batch_idx)

    SpeakerModule.training_step = training_step
    whole, plain, ratios = [], [], []
    for block in range(BLOCKS):
        starts.clear()
        train(short, folder / f"run{block}", cache=folder / "cache", console=Console(quiet=True))
        mine = [b - a for a, b in itertools.pairwise(starts)][1:]
        plainly()
        theirs = interleaved({"plain": plainly}, BLOCK_STEPS)["plain"]
        whole, plain = whole + mine, plain + theirs
        ratios.append(statistics.median(mine) / statistics.median(theirs))
    return {
        "curvox_train_ms": round(1000 * statistics.median(whole), 1),
        "plain_beside_it_ms": round(1000 * statistics.median(plain), 1),
        "curvox_train_over_plain": round(statistics.median(ratios), 3),
    }


def _programs(recipe: Recipe, data: PreparedData) -> dict[str, Callable[[], object]]:
    options = recipe.encoder
    embedder, loss = build_model(recipe, SPEAKERS)
    plain = PlainECAPA(80, options["channels"], options["aggregation_channels"], options["embedding_dim"])
    plain_loss = PlainHAM(options["embedding_dim"], SPEAKERS)
    fetch = itertools.chain.from_iterable(_epochs(recipe, data))
    batch = next(fetch)
    batch["speakers"] = torch.randint(0, SPEAKERS, (64,))
    seeds = batch["seeds"].tolist()

    def features() -> Tensor:
        with torch.no_grad():
            return embedder.features(batch["waveforms"])[0]

    def change() -> None:
        with torch.no_grad():
            mask_features(embedder.features(augment(batch["waveforms"], seeds))[0], seeds)

    return {
        "plain": _step(plain, features, lambda z: plain_loss(z, batch["speakers"]), plain_loss),
        "curvox": _step(embedder.encoder, features, lambda z: loss(z, batch["speakers"]).value, loss),
        "loading": lambda: next(fetch),
        "augmentation": change,
        "floor": _products(options, features()),
    }


def _epochs(recipe: Recipe, data: PreparedData) -> Iterator[Iterator[dict[str, Tensor]]]:
    """Loaders of training batches, one after the other without end."""
    for seed in itertools.count(1):
        yield iter(training_loader(data, recipe.data, seed=seed, rank=0, processes=1))


def _step(
    encoder: nn.Module, features: Callable[[], Tensor], value: Callable[[Tensor], Tensor], head: nn.Module
) -> Callable[[], None]:
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()])
    encoder.train()

    def step() -> None:
        optimizer.zero_grad()
        value(encoder(features())).backward()
        optimizer.step()

    return step


def _products(options: dict, features: Tensor) -> Callable[[], None]:
    """The encoder's matrix products alone, forward and two backward, at the same shapes."""
    c, m = options["channels"], options["aggregation_channels"]
    frames = features.shape[0] * features.shape[1]
    shapes = [(5 * 80, c)] + 6 * [(c, c)] + 21 * [(3 * c // 8, c // 8)] + [(3 * c, m), (m, 128), (128, m)]
    pairs = [(torch.randn(frames, i), torch.randn(i, o), torch.randn(frames, o)) for i, o in shapes]

    def run() -> None:
        for x, weight, gradient in pairs:
            torch.mm(x, weight)
            torch.mm(gradient, weight.T)
            torch.mm(x.T, gradient)

    return run

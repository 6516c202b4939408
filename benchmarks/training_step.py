"""Is a training step of the README's model as fast as the same network written plainly, and what does loading data
cost?

    python benchmarks/training_step.py [--data FOLDER] [--recipe recipes/openvoices_ham.yaml] [--threads 2] [--repeats
    15]

Without --data a small synthetic corpus stands in; the network, the batch of 64 × 2 s and the 510 classes are the same.
Three programs take turns on the same waveforms, in one process: the plain network in a plain loop, curvox's step with
its memory setting, and the loading of the batch alone. Augmentation is off in both steps and timed by itself. Printed
are medians and the median of the ratios of neighbouring runs; the floor is the encoder's matrix products alone.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch
from plain_ecapa import PlainECAPA, PlainHAM
from torch import Tensor

from curvox.audio import augment, mask_features
from curvox.training import build_model, read_recipe
from curvox.training.data import PreparedData, prepare_data, training_loader
from curvox.training.memory import keep_freed_memory
from curvox.training.recipe import Recipe

SPEAKERS = 510


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    if not arguments.without_memory_setting:
        keep_freed_memory()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as temporary:
        recipe, data = _prepare(arguments, Path(temporary))
        results = _measure(recipe, data, arguments.repeats)
    results |= {
        "threads": arguments.threads,
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
    }
    results["date"] = date.today().isoformat()
    print(json.dumps(results, indent=1))
    if arguments.save:
        Path(arguments.save).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--recipe", default="recipes/openvoices_ham.yaml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--without-memory-setting", action="store_true", help="Leave glibc's default in place.")
    parser.add_argument("--save", help="Also write the figures to this JSON file.")
    return parser.parse_args()


def _prepare(arguments: argparse.Namespace, folder: Path) -> tuple[Recipe, PreparedData]:
    path = arguments.data
    if path is None:
        from curvox.testing.voices import synthesise_corpus

        path = synthesise_corpus(folder / "voices", train_speakers=24, dev_speakers=2, test_speakers=2, workers=1)
    recipe = read_recipe(arguments.recipe, [f"data.path={path}", "data.batch_size=64", "data.crop_s=2.0"])
    return recipe, prepare_data(recipe.data, seed=1, cache=folder / "cache")


def _measure(recipe: Recipe, data: PreparedData, repeats: int) -> dict[str, float]:
    embedder, loss = build_model(recipe, SPEAKERS)
    options = recipe.encoder
    plain = PlainECAPA(80, options["channels"], options["aggregation_channels"], options["embedding_dim"])
    plain_loss = PlainHAM(options["embedding_dim"], SPEAKERS)
    plain.train()
    embedder.train()
    ours_optimizer = torch.optim.Adam([*embedder.parameters(), *loss.parameters()])
    plain_optimizer = torch.optim.Adam([*plain.parameters(), *plain_loss.parameters()])
    loader = iter(training_loader(data, recipe.data, seed=1, rank=0, processes=1))
    batch = next(loader)
    batch["speakers"] = torch.randint(0, SPEAKERS, (64,))

    def ours() -> None:
        ours_optimizer.zero_grad()
        with torch.no_grad():
            features, _ = embedder.features(batch["waveforms"])
        loss(embedder.encoder(features), batch["speakers"]).value.backward()
        ours_optimizer.step()

    def plainly() -> None:
        plain_optimizer.zero_grad()
        with torch.no_grad():
            features, _ = embedder.features(batch["waveforms"])
        plain_loss(plain(features), batch["speakers"]).backward()
        plain_optimizer.step()

    def change() -> None:
        seeds = batch["seeds"].tolist()
        with torch.no_grad():
            features, _ = embedder.features(augment(batch["waveforms"], seeds))
            mask_features(features, seeds)

    features, _ = embedder.features(batch["waveforms"])
    floor = _products(options, features)
    fetch = iter(training_loader(data, recipe.data, seed=2, rank=0, processes=1))
    programs: dict[str, Callable[[], object]] = {
        "plain": plainly, "curvox": ours, "loading": lambda: next(fetch), "augmentation": change, "floor": floor
    }  # fmt: skip
    seconds = _interleaved(programs, min(repeats, len(loader) - 1 if hasattr(loader, "__len__") else repeats))
    medians = {f"{name}_ms": round(1000 * statistics.median(values), 1) for name, values in seconds.items()}
    ratios = [a / b for a, b in zip(seconds["curvox"], seconds["plain"], strict=True)]
    return {
        **medians,
        "curvox_over_plain": round(statistics.median(ratios), 3),
        "curvox_over_floor": round(statistics.median(seconds["curvox"]) / statistics.median(seconds["floor"]), 3),
        "loading_share_of_step": round(statistics.median(seconds["loading"]) / statistics.median(seconds["curvox"]), 4),
        "repeats": repeats,
    }


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


def _interleaved(programs: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    for program in programs.values():
        program()
        program()
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(repeats):
        for name, program in programs.items():
            start = time.perf_counter()
            program()
            seconds[name].append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    main()

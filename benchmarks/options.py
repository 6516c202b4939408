"""What bf16, torch.compile and gradient accumulation do to a training step, and to the error rate.

    python benchmarks/options.py [--recipe recipes/openvoices_ham.yaml] [--batch 32] [--repeats 15] [--threads 2]
        [--data FOLDER] [--epochs 6] [--save benchmarks/results/options.md]

Steps of the recipe's encoder and loss on random features, in turn: as it is, under bf16 as ``training.precision:
bf16-mixed`` has it, compiled as by ``training.compile``, and in two parts as by ``training.accumulate_batches: 2``.
Printed are the medians, the median ratios of neighbours to the plain step, what the first compiled step took, and the
peak of memory in a step. Then a small encoder is trained with each option but compile, for --epochs epochs on --data
or on synthetic voices, and its best dev EER printed; with --epochs 0 this is left out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from measuring import give_back_freed_memory, interleaved, peak_bytes, ratio, setting
from rich.console import Console
from torch import Tensor

from curvox.training import Recipe, build_model, override, read_recipe, recipe_from, train

SPEAKERS = 1000
OPTIONS = {
    "plain": [],
    "bf16": ["training.precision=bf16-mixed"],
    "two parts": ["training.accumulate_batches=2"],
    "four parts": ["training.accumulate_batches=4"],
}


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    recipe = read_recipe(arguments.recipe, ["data.path=."])
    steps = _steps(recipe, arguments.batch)
    began = time.perf_counter()
    steps["compile"]()
    compile_s = time.perf_counter() - began
    give_back_freed_memory()
    peaks = {name: peak_bytes(step) for name, step in steps.items()}
    seconds = interleaved(steps, arguments.repeats)
    errors = _errors(arguments) if arguments.epochs else {}
    text = _text(arguments, seconds, peaks, compile_s, errors)
    print(text)
    if arguments.save:
        Path(arguments.save).write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="recipes/openvoices_ham.yaml")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--save")
    return parser.parse_args()


def _steps(recipe: Recipe, batch: int) -> dict[str, Callable[[], None]]:
    samples = round(recipe.data.crop_s * recipe.data.sampling_rate_hz)
    speakers = torch.randint(0, SPEAKERS, (batch,))

    def make(parts: int = 1, bf16: bool = False, with_compile: bool = False) -> Callable[[], None]:
        embedder, loss = build_model(recipe, SPEAKERS)
        embedder.train()
        with torch.no_grad():
            features = embedder.features(0.1 * torch.randn(batch, samples))[0]
        encode: Callable[[Tensor], Tensor] = (
            torch.compile(embedder.encoder.forward, dynamic=False) if with_compile else embedder.encoder
        )
        optimizer = torch.optim.Adam([*embedder.encoder.parameters(), *loss.parameters()])

        def step() -> None:
            optimizer.zero_grad()
            for some, owners in zip(features.chunk(parts), speakers.chunk(parts), strict=True):
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    embeddings = encode(some)
                (loss(embeddings.float(), owners).value / parts).backward()
            optimizer.step()

        return step

    return {
        "plain": make(),
        "bf16": make(bf16=True),
        "compile": make(with_compile=True),
        "two parts": make(parts=2),
        "four parts": make(parts=4),
    }


def _errors(arguments: argparse.Namespace) -> dict[str, float]:
    """The best dev EER of a small encoder with each option."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = arguments.data
        if path is None:
            from curvox.testing.voices import synthesise_corpus

            path = synthesise_corpus(folder / "voices", train_speakers=24, dev_speakers=8, test_speakers=2, workers=1)
        tree = {
            "name": "options",
            "data": {"path": str(path), "crop_s": 1.0, "batch_size": 32},
            "features": {"n_mels": 40},
            "encoder": {"name": "ecapa_tdnn", "channels": 32, "aggregation_channels": 64, "embedding_dim": 32},
            "loss": {"name": "aam_softmax"},
            "training": {"epochs": arguments.epochs, "accelerator": "cpu"},
        }
        found = {}
        for name, overrides in OPTIONS.items():
            recipe = recipe_from(override(tree, overrides))
            result = train(recipe, folder / name.replace(" ", "_"), cache=folder / "cache", console=Console(quiet=True))
            found[name] = float("nan") if result.best is None else result.best.eer
        return found


def _text(
    arguments: argparse.Namespace,
    seconds: dict[str, list[float]],
    peaks: dict[str, int],
    compile_s: float,
    errors: dict[str, float],
) -> str:
    rows = [
        f"| {name} | {1000 * statistics.median(values):.0f} | {ratio(values, seconds['plain']):.2f} | "
        f"{peaks[name] / 2**20:.0f} | {f'{100 * errors[name]:.1f} %' if name in errors else '–'} |"
        for name, values in seconds.items()
    ]
    return "\n".join(
        [
            f"`python benchmarks/options.py --batch {arguments.batch} --repeats {arguments.repeats} --threads "
            f"{arguments.threads} --epochs {arguments.epochs}`, {Path(arguments.recipe).stem}. "
            f"{setting(arguments.threads)}.",
            "",
            "| option | step, ms | times the plain step | memory above the model, MB | best dev EER |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"The first compiled step took {compile_s:.0f} s. The error rates are of a small encoder after "
            f"{arguments.epochs} epochs on {'synthetic voices' if arguments.data is None else 'the corpus given'}: "
            "they tell whether an option breaks training, not which one is better by a point.",
            "",
        ]
    )


if __name__ == "__main__":
    main()

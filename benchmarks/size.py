"""Print how large and how tangled the source is, beside the limits that it is held to.

    python benchmarks/size.py [--source src/curvox] [--list] [--static]

The counts are read off the source, see `structure.py`. Files on the way are counted in fresh processes: how many
modules of curvox are loaded in the end, in how many files a function ran, and in how many of them in the call alone.
`--list` also names circles, questions and imports; `--static` runs nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
from structure import SourceTree, percentile_95

REPOSITORY = Path(__file__).parent.parent

TRACE = """
import json, sys, threading
ran = set()
def note(frame, event, argument):
    # A function's own variables are fast locals (CO_OPTIMIZED), those of a module's or a class's body are not.
    if event == "call" and frame.f_code.co_flags & 1:
        ran.add(frame.f_code.co_filename)
threading.setprofile(note)
sys.setprofile(note)
"""
END = """
sys.setprofile(None)
def of_curvox(files):
    return sorted(file for file in files if file.startswith(root))
loaded = [name for name in sys.modules if name == "curvox" or name.startswith("curvox.")]
print(json.dumps([len(loaded), len(of_curvox(ran)), len(of_curvox(in_call)), of_curvox(in_call)]))
"""
VERIFY = """
import curvox
root = curvox.__path__[0]
model = curvox.load(sys.argv[1])
before, ran = ran, set()
model.verify(sys.argv[2], sys.argv[3])
in_call, ran = ran, before | ran
"""
TRAIN = """
try:
    from curvox import Recipe, train
except ImportError:
    from curvox.training import Recipe, train
import curvox
root = curvox.__path__[0]
recipe = Recipe.model_validate(json.loads(sys.argv[1]))
before, ran = ran, set()
train(recipe, sys.argv[2])
in_call, ran = ran, before | ran
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=REPOSITORY / "src" / "curvox")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--static", action="store_true")
    arguments = parser.parse_args()
    source = SourceTree(arguments.source.resolve())
    rows = static_rows(source)
    ways: dict[str, list[str]] = {}
    if not arguments.static:
        found, ways = way_rows(source.folder.parent)
        rows += found
    print("| | now | goal |\n|---|---:|---:|")
    for what, now, goal in rows:
        print(f"| {what} | {now} | {goal} |")
    if arguments.list:
        _print_lists(source, ways)


def static_rows(source: SourceTree) -> list[tuple[str, str, str]]:
    """What is read off the source: what, how much now, how much at most."""
    return [
        ("files", f"{len(source.files):,}", "≤ 300"),
        ("lines, with comments and docstrings", f"{source.lines:,}", "≤ 46,000"),
        ("95th percentile of function length, lines", str(percentile_95(source.function_lengths)), "≤ 31"),
        ("circles of imports, also for types and inside functions", str(len(source.circles)), "0"),
        ("questions which space it is, outside geometry", str(len(source.questions_of_space)), "0"),
        ("imports past another package's `__init__`", str(len(source.past_the_init)), "0"),
        (f"exported names at {source.root}", str(len(source.exported)), "≤ 15"),
    ]


def way_rows(folder: Path) -> tuple[list[tuple[str, str, str]], dict[str, list[str]]]:
    """What a verification and a short training load and run, and the files that run in the call."""
    rows, ways = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        recipe = json.dumps(_corpus_and_recipe(work))
        run, recordings = work / "run", sorted((work / "audio").rglob("*.wav"))
        steps = {
            "a training of one epoch": (TRAIN, [recipe, run], "≤ 60"),
            "`model.verify(a, b)`": (VERIFY, [run, *recordings[:2]], "≤ 16"),
        }
        for what, (code, arguments, goal) in steps.items():
            loaded, ran, in_call, files = _traced(folder, code, [str(argument) for argument in arguments])
            rows += [
                (f"files with a function that runs in {what}", str(in_call), goal),
                (f"… with load and imports before it, {what}", str(ran), ""),
                (f"modules loaded in the end, {what}", str(loaded), ""),
            ]
            ways[what] = files
    return rows, ways


def _traced(folder: Path, code: str, arguments: list[str]) -> tuple[int, int, int, list[str]]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TRACE + code + END, *arguments], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        sys.exit(done.stderr)
    loaded, ran, in_call, files = json.loads(done.stdout.splitlines()[-1])
    return loaded, ran, in_call, [str(Path(file).relative_to(folder)) for file in files]


def _corpus_and_recipe(folder: Path) -> dict[str, object]:
    """Write buzzing voices of eight speakers, and return a recipe for one epoch on them."""
    rng, lines = np.random.default_rng(0), ["utterance\tpath\tspeaker\tsplit"]
    for speaker in range(8):
        for number in range(4):
            path = folder / "audio" / f"s{speaker}" / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            time_s = np.arange(24_000) / 16_000
            buzz = sum(np.sin(2 * np.pi * k * (90 + 20 * speaker) * time_s) / k for k in range(1, 9))
            samples = np.clip(3000 * buzz + 300 * rng.normal(size=len(time_s)), -32000, 32000).astype("<i2")
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(16_000)
                file.writeframes(samples.tobytes())
            split = "train" if speaker < 6 else "dev"
            lines.append(f"s{speaker}-{number}\taudio/s{speaker}/{number}.wav\ts{speaker}\t{split}")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "name": "way",
        "data": {"path": str(folder), "crop_s": 0.6, "batch_size": 8},
        "features": {"n_mels": 24},
        "encoder": {"name": "ecapa_tdnn", "channels": 16, "aggregation_channels": 24, "embedding_dim": 12},
        "loss": {"name": "ham_softmax"},
        "training": {"epochs": 1, "accelerator": "cpu"},
    }


def _print_lists(source: SourceTree, ways: dict[str, list[str]]) -> None:
    lists = {
        "circles": [" ↔ ".join(circle) for circle in source.circles],
        "questions": source.questions_of_space,
        "imports past an __init__": source.past_the_init,
        **ways,
    }
    for title, entries in lists.items():
        print(f"\n{title}:")
        for entry in entries:
            print(f"  {entry}")


if __name__ == "__main__":
    main()

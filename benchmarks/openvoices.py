"""Train and evaluate every loss of the README's table on openvoices, and print the table.

    python benchmarks/openvoices.py --data FOLDER [--runs runs] [--jobs 2] [--print-only]

For each recipe it runs the commands of the README (``curvox train``, then ``curvox eval`` on trials/test.txt), two
recipes at a time with one thread each, and skips what an earlier call finished. Then it prints EER and minDCF, pooled
and per corpus, and the time each training took, and writes the same to benchmarks/results/openvoices.md with the date
and the machine. Test trials are scored once, at the end; choices were made on the dev trials.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from measuring import machine

from curvox.cli.runs import system_of
from curvox.metrics import Evaluation, OperatingPoint
from curvox.reports import SystemResult, markdown_table

LOSSES = ("softmax", "am", "aam", "ram", "ham", "h", "triplet", "hinge", "kl")
CURVOX = Path(sys.executable).with_name("curvox")
RESULTS = Path(__file__).parent / "results" / "openvoices.md"


def main() -> None:
    arguments = _arguments()
    names = [f"openvoices_{loss}" for loss in arguments.losses]
    if not arguments.print_only:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(lambda name: _train_and_evaluate(name, arguments), names))
    text = _table([_system(arguments.runs / name) for name in names])
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    made = f"{_scored_on(arguments.runs / names[-1])}, {machine()}, {arguments.jobs} trainings at a time."
    RESULTS.write_text(f"# openvoices, test trials\n\n{made}\n\n{text}", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    parser.add_argument("--print-only", action="store_true", help="Neither train nor score; print what is there.")
    arguments = parser.parse_args()
    if arguments.data is None and not arguments.print_only:
        parser.error("--data FOLDER is needed to train")
    return arguments


def _train_and_evaluate(name: str, arguments: argparse.Namespace) -> None:
    run, log = arguments.runs / name, arguments.runs / f"{name}.log"
    arguments.runs.mkdir(exist_ok=True)
    common = ["--data", str(arguments.data)]
    if not (run / "run.json").exists():
        resume = ["--resume"] if (run / "recipe.yaml").exists() else []
        _call(["train", f"recipes/{name}.yaml", *common, "--runs", str(arguments.runs), *resume], log, arguments.jobs)
    if not (run / "eval" / "test").exists():
        _call(["eval", str(run), "--trials", str(arguments.data / "trials" / "test.txt"), *common], log, arguments.jobs)
    print(f"{name}: done", flush=True)


def _call(command: list[str], log: Path, jobs: int) -> None:
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    with log.open("a") as file:
        subprocess.run(
            [CURVOX, *command], check=True, stdout=file, stderr=file, env={**os.environ, "OMP_NUM_THREADS": threads}
        )


def _system(run: Path) -> SystemResult:
    tree = json.loads((run / "eval" / "test" / "evaluation.json").read_text(encoding="utf-8"))
    figures = {key: value for key, value in tree.items() if key not in ("scorer", "trials")}
    return system_of(run, Evaluation.from_dict(figures))


def _table(systems: list[SystemResult]) -> str:
    corpora = tuple(systems[0].evaluation.groups)
    parts = ["EER in %, pooled and per corpus:", _narrow(markdown_table(systems, metrics=("eer",), groups=corpora))]
    for p_target in (0.01, 0.05):
        point = OperatingPoint(p_target)
        parts += [
            f"minDCF({p_target}), pooled and per corpus:",
            _narrow(markdown_table(systems, metrics=(point,), groups=corpora, group_metric=point)),
        ]
    rows = [f"| {s.title} | {(s.training_s or 0) / 60:.1f} | {s.parameters:,} |" for s in systems]
    parts.append("\n".join(["| loss | training, minutes | encoder parameters |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _scored_on(run: Path) -> str:
    return date.fromtimestamp((run / "eval" / "test" / "evaluation.json").stat().st_mtime).isoformat()


def _narrow(table: str) -> str:
    """Leave the metric's name in the first column only; that of a corpus is enough in its own."""
    head, rest = table.split("\n", 1)
    return re.sub(r"\| (\w+): [^|]*", r"| \1 ", head) + "\n" + rest.rstrip()


if __name__ == "__main__":
    main()

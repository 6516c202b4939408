"""Train and evaluate every loss of the README's table on openvoices, two with augmentation too, and print the table.

    python benchmarks/openvoices.py --data FOLDER --results benchmarks/results/openvoices.md [--jobs 2]
    python benchmarks/openvoices.py --data FOLDER --losses am am_20_epochs am_augmented --results FILE

For each recipe it runs the commands of the README (``curvox train``, ``curvox calibrate`` on trials/dev.txt, then
``curvox eval`` on trials/test.txt, plain and with AS-norm), two recipes at a time with one thread each, and skips what
an earlier call finished. Then it prints EER and minDCF, pooled and per corpus, the costs of the calibrated scores, and
the time each training took; ``--results`` names a file for the same, with the date and the machine.
Choices, calibrations and cohorts come from dev and training speakers; test trials are scored at the end.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

from measuring import machine

from curvox.evaluating import read_evaluation_folder
from curvox.metrics import Figure
from curvox.reports import SystemResult, markdown_table, system_result

LOSSES = ("softmax", "am", "aam", "ram", "ham", "h", "triplet", "hinge", "kl")
AUGMENTED = ("am_20_epochs", "am_augmented", "ham_augmented")
# Recipes that differ from that of their loss, and in what.
VARIANTS = {
    "openvoices_am_20_epochs": "20 epochs",
    "openvoices_am_augmented": "20 epochs, augmented",
    "openvoices_ham_augmented": "20 epochs, augmented",
}
AS_NORM = "as_norm"
CURVOX = Path(sys.executable).with_name("curvox")


def main() -> None:
    arguments = _arguments()
    names = [f"openvoices_{loss}" for loss in arguments.losses]
    if not arguments.print_only:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(lambda name: _train_and_evaluate(name, arguments), names))
    pairs = [_systems(arguments.runs / name) for name in names]
    text = _table([plain for plain, _ in pairs], [normed for _, normed in pairs])
    print(text)
    made = f"{_scored_on(arguments.runs / names[-1])}, {machine()}, {arguments.jobs} trainings at a time."
    if arguments.results is not None:
        arguments.results.write_text(f"# openvoices, test trials\n\n{made}\n\n{text}", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--losses", nargs="+", default=(*LOSSES, *AUGMENTED))
    parser.add_argument("--results", type=Path, help="Markdown file to write the same to.")
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
    if not (run / "best" / "decision.json").exists():
        dev = str(arguments.data / "trials" / "dev.txt")
        _call(["calibrate", str(run), "--trials", dev, *common], log, arguments.jobs)
    if not (run / "eval" / f"test-{AS_NORM}").exists():
        back_ends = ["--back-end", "plain", "--back-end", AS_NORM]
        test = str(arguments.data / "trials" / "test.txt")
        _call(["eval", str(run), "--trials", test, *back_ends, "--overwrite", *common], log, arguments.jobs)
    print(f"{name}: done", flush=True)


def _call(command: list[str], log: Path, jobs: int) -> None:
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    with log.open("a") as file:
        subprocess.run(
            [CURVOX, *command], check=True, stdout=file, stderr=file, env={**os.environ, "OMP_NUM_THREADS": threads}
        )


def _systems(run: Path) -> tuple[SystemResult, SystemResult]:
    """Plain, and with AS-norm."""
    plain, normed = (read_evaluation_folder(run / "eval" / name) for name in ("test", f"test-{AS_NORM}"))
    system = system_result(run, plain.report.evaluation)
    if run.name in VARIANTS:
        system = replace(system, title=f"{system.title}, {VARIANTS[run.name]}")
    evaluation, name, title = normed.report.evaluation, f"{system.name}-{AS_NORM}", f"{system.title}, AS-norm"
    return system, replace(system, name=name, title=title, evaluation=evaluation)


def _table(systems: list[SystemResult], normed: list[SystemResult]) -> str:
    corpora = tuple(group for group in systems[0].evaluation.groups if ":" not in group)
    rows = [system for pair in zip(systems, normed, strict=True) for system in pair]
    parts = ["In short:", _short(systems, normed)]
    parts += ["EER in %, pooled and per corpus:", _narrow(markdown_table(rows, metrics=("eer",), groups=corpora))]
    for p_target in (0.01, 0.05):
        cost = f"min_dcf:{p_target:g}"
        parts += [
            f"minDCF({p_target}), pooled and per corpus:",
            _narrow(markdown_table(rows, metrics=(cost,), groups=corpora, group_metric=cost)),
        ]
    parts += ["Calibrated on the dev trials:", _calibrated(systems), "Training:", _trained(systems)]
    return "\n\n".join(parts) + "\n"


def _short(systems: list[SystemResult], normed: list[SystemResult]) -> str:
    """The pooled EER, plain and with AS-norm, that of the easiest and the hardest corpus, and the calibrated cost."""
    lines = [["loss", "EER %", "with AS-norm", "libri", "wuw", "Cllr"], ["---", *["---:"] * 5]]
    for system, other in zip(systems, normed, strict=True):
        whole, groups = system.evaluation, system.evaluation.groups
        parts = whole, other.evaluation, groups["libri"], groups["wuw"]
        rates = [part.figure("eer") for part in parts]
        lines.append([system.title, *(_cell(rate, 100.0, 2) for rate in rates), _cell(whole.figure("cllr"))])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _calibrated(systems: list[SystemResult]) -> str:
    """What decisions of the calibrated scores cost, beside the least that any calibration could reach."""
    keys = ("cllr", "min_cllr", "act_dcf:0.05", "min_dcf:0.05")
    found = [[system.evaluation.figure(key) for key in keys] for system in systems]
    head = ["loss", *(figure.title for figure in found[0] if figure is not None)]
    lines = [head, ["---", *["---:"] * len(keys)]]
    for system, figures in zip(systems, found, strict=True):
        lines.append([system.title, *(_cell(figure) for figure in figures)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(figure: Figure | None, unit: float = 1.0, digits: int = 3) -> str:
    if figure is None:
        return "–"
    bounds = () if figure.interval is None else (figure.interval.low, figure.interval.high)
    value, *ends = (f"{unit * number:.{digits}f}" for number in (figure.value, *bounds))
    return f"{value} [{', '.join(ends)}]" if ends else value


def _trained(systems: list[SystemResult]) -> str:
    rows = [f"| {s.title} | {(s.training_s or 0) / 60:.1f} | {s.parameters:,} |" for s in systems]
    return "\n".join(["| loss | training, minutes | encoder parameters |", "|---|---|---|", *rows])


def _scored_on(run: Path) -> str:
    return date.fromtimestamp((run / "eval" / "test" / "evaluation.json").stat().st_mtime).isoformat()


def _narrow(table: str) -> str:
    """Leave the metric's name in the first column only; that of a corpus is enough in its own."""
    head, rest = table.split("\n", 1)
    return re.sub(r"\| (\w+): [^|]*", r"| \1 ", head) + "\n" + rest.rstrip()


if __name__ == "__main__":
    main()

"""What metrics cost, and whether their intervals hold what they promise.

    python benchmarks/metrics.py [--sections NAME ...] [--draws 300] [--resamples 400] [--quick]

Sections: `scores` takes all figures of ten million scores, beside the same from scikit-learn's roc_curve in turns;
`bootstrap` the intervals of all figures of 500,000 trials of 1,200 speakers; `coverage` counts how often the 95 %
intervals hold the figure of the population, `few-speakers` the same with ten and twenty of them, `thresholds` how often
those of both error rates at found thresholds hold, and `comparison` how often two equal systems are told apart. Every
section is a process of its own. Prints the tables; a run of all sections at full size writes
benchmarks/results/metrics.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import scipy
import sklearn
from measuring import Step, give_back_freed_memory, interleaved, machine, peak_bytes, ratio
from metric_coverage import Model, comparison, coverage, draw, few_speakers, thresholds
from sklearn.metrics import auc as sklearn_auc
from sklearn.metrics import roc_curve

from curvox.metrics import (
    DEFAULT_POINTS,
    DEFAULT_RATES,
    Figure,
    bootstrap_speakers,
    detection_figures,
    evaluate,
)

RESULTS = Path(__file__).parent / "results" / "metrics.md"
TARGETS = (0.01, 0.1, 0.5)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
TRIALS, RESAMPLED_TRIALS, SPEAKERS = 10_000_000, 500_000, 1200


def main() -> None:
    arguments = _arguments()
    if arguments.child is not None:
        section = peaks if arguments.child == "peaks" else SECTIONS[arguments.child]
        print(json.dumps(section(arguments)))
        return
    size = "" if not arguments.quick else " --quick"
    lines = [
        "# Metrics",
        "",
        f"`python benchmarks/metrics.py --draws {arguments.draws} --resamples {arguments.resamples}{size}`, "
        f"{date.today().isoformat()}, {machine()}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}.",
        "",
    ]
    for name in arguments.sections:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        lines += [*_child(name), ""]
    text = "\n".join(lines)
    print(text)
    if set(arguments.sections) == set(SECTIONS) and not arguments.quick:
        RESULTS.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--draws", type=int, default=300, help="of the population, for coverage and comparison")
    parser.add_argument("--resamples", type=int, default=400, help="behind each interval of coverage and comparison")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a twentieth of all sizes, to see that it runs")
    parser.add_argument("--child", choices=[*SECTIONS, "peaks"], help=argparse.SUPPRESS)
    return parser.parse_args()


def _child(section: str) -> list:
    command = [sys.executable, __file__, *sys.argv[1:], "--child", section]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **ONE_THREAD})
    return json.loads(done.stdout.splitlines()[-1])


def scores(arguments: argparse.Namespace) -> list[str]:
    """All figures of many scores: seconds, peak memory, and the same through scikit-learn."""
    trials = TRIALS // (20 if arguments.quick else 1)
    rows = []
    for targets in TARGETS:
        steps = _steps(trials, targets)
        seconds = interleaved(steps, arguments.repeats)
        cells = [f"{targets:.0%}", *(f"{statistics.median(seconds[name]):.2f} s" for name in steps)]
        rows.append([*cells, f"{ratio(seconds['scikit-learn'], seconds['curvox']):.1f} ×"])
    for row, cells in zip(rows, _child("peaks"), strict=True):
        row += cells
    titles = " | ".join(f"peak of {name}" for name in ("curvox", "evaluate", "scikit-learn"))
    return [
        "## All figures of scores, without intervals",
        "",
        f"{trials:,} scores, float64: {', '.join(_names())}. Medians of interleaved repeats; peak memory above the "
        "inputs. `evaluate` adds health, histogram, DET and calibration curve, and the checks of speakers. Through "
        "scikit-learn: EER, AUC and both minDCF from `roc_curve`, Cllr by its formula; both agree to 1e-9.",
        "",
        f"| targets | curvox | evaluate | scikit-learn | scikit-learn / curvox | {titles} |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def peaks(arguments: argparse.Namespace) -> list[list[str]]:
    """Peak memory of the steps of `scores`, in a process that gives back what it frees and is slower for it."""
    give_back_freed_memory()
    trials = TRIALS // (20 if arguments.quick else 1)
    return [[f"{peak_bytes(step) / 1e6:.0f} MB" for step in _steps(trials, targets).values()] for targets in TARGETS]


def _steps(trials: int, targets: float) -> dict[str, Step]:
    rng = np.random.default_rng(1)
    labels = rng.random(trials) < targets
    llrs = 3.3 * (rng.normal(size=trials) + 3.3 * labels - 1.65)
    enrolment = rng.integers(0, SPEAKERS, trials)
    test = np.where(labels, enrolment, (enrolment + rng.integers(1, SPEAKERS, trials)) % SPEAKERS)
    _require_same_figures(detection_figures(llrs, labels, llrs=True), through_scikit_learn(llrs, labels))

    def whole() -> object:
        return evaluate(llrs, labels, enrolment_speakers=enrolment, test_speakers=test, llrs=True, resamples=0)

    return {
        "curvox": lambda: detection_figures(llrs, labels, llrs=True),
        "evaluate": whole,
        "scikit-learn": lambda: through_scikit_learn(llrs, labels),
    }


def through_scikit_learn(llrs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """EER, AUC, minimum costs from roc_curve, and the Cllr by its formula."""
    far, accepted, _ = roc_curve(labels, llrs)
    frr = 1 - accepted
    found = {"eer": float(np.interp(1.0, far + accepted, far)), "auc": float(sklearn_auc(far, accepted))}
    for point in DEFAULT_POINTS:
        costs = (point.p_target * frr + (1 - point.p_target) * far) / min(point.p_target, 1 - point.p_target)
        found[f"min_dcf:{point.p_target:g}"] = float(costs.min())
    targets, others = np.logaddexp(0, -llrs[labels]).mean(), np.logaddexp(0, llrs[~labels]).mean()
    found["cllr"] = float((targets + others) / 2 / np.log(2))
    return found


def _require_same_figures(ours: tuple[Figure, ...], theirs: dict[str, float]) -> None:
    for figure in ours:
        if figure.key in theirs and abs(figure.value - theirs[figure.key]) > 1e-9:
            raise SystemExit(f"{figure.key}: {figure.value} here, {theirs[figure.key]} through scikit-learn")


def bootstrap(arguments: argparse.Namespace) -> list[str]:
    """Seconds of the intervals of all figures."""
    trials, resamples = RESAMPLED_TRIALS // (20 if arguments.quick else 1), 50 if arguments.quick else 1000
    table = [
        "## Speaker bootstrap",
        "",
        f"{resamples:,} resamples, {trials:,} trials, {SPEAKERS:,} speakers, all {len(_names())} figures, one thread.",
        "",
        "| targets | seconds |",
        "| ---: | ---: |",
    ]
    for targets in (0.1, 0.5):
        model = Model("", SPEAKERS, trials, targets, 3.3, 0.4)
        llrs, labels, enrolment, test = draw(model, np.random.default_rng(2))
        step = lambda s=llrs, y=labels, e=enrolment, t=test: bootstrap_speakers(  # noqa: E731
            s,
            y,
            enrolment_speakers=e,
            test_speakers=t,
            points=DEFAULT_POINTS,
            rates=DEFAULT_RATES,
            llrs=True,
            resamples=resamples,
        )
        seconds = interleaved({"bootstrap": step}, 1)["bootstrap"]
        table.append(f"| {targets:.0%} | {statistics.median(seconds):.1f} |")
    return table


def _names() -> list[str]:
    return [figure.title for figure in detection_figures([0.0, 1.0], [0, 1], llrs=True)]


SECTIONS: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "scores": scores,
    "bootstrap": bootstrap,
    "coverage": lambda arguments: coverage(_draws(arguments), arguments.resamples),
    "few-speakers": lambda arguments: few_speakers(_draws(arguments), arguments.resamples),
    "thresholds": lambda arguments: thresholds(_draws(arguments), arguments.resamples),
    "comparison": lambda arguments: comparison(_draws(arguments), arguments.resamples),
}


def _draws(arguments: argparse.Namespace) -> int:
    return max(10, arguments.draws // 10) if arguments.quick else arguments.draws


if __name__ == "__main__":
    main()

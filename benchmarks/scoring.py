"""What scoring costs: many trials, adaptive normalisation, enrolment; beside the way each is usually written.

    python benchmarks/scoring.py [--threads 2] [--repeats 5] [--sections NAME ...] [--quick]

Every section is a process of its own. Where ways are compared they take turns, and ratios are of neighbours. Peak
memory is what the process holds at most during a step above what it held before it, the float32 points. Prints the
tables and writes them to benchmarks/results/scoring.md, with --quick (a twentieth of the sizes) only prints. Five
minutes on two idle cores, 4 GB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from measuring import Step, give_back_freed_memory, interleaved, peak_bytes, ratio, setting
from torch import Tensor

from curvox.geometry import AbstractSpace, Euclidean, Hypersphere, PoincareBall
from curvox.scoring import ENROLMENTS, cohort_statistics, enrol, score_pairs

RESULTS = Path(__file__).parent / "results" / "scoring.md"
DIM, RECORDINGS, TRIALS, PLAIN_TRIALS = 192, 150_000, 10_000_000, 1_000_000
COHORT, TOP_K, PLAIN_RECORDINGS = 6_000, 300, 10_000
MODELS, OF_MODEL = 20_000, 5
SPACES: dict[str, AbstractSpace] = {
    "cosine": Hypersphere(),
    "Euclidean": Euclidean(),
    "hyperbolic": PoincareBall(),
}
Section = Callable[[int, int], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", choices=SECTIONS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    smaller = 20 if arguments.quick else 1
    if arguments.child is not None:
        give_back_freed_memory()
        print(json.dumps(SECTIONS[arguments.child](arguments.repeats, smaller)))
        return
    lines = [
        f"`python benchmarks/scoring.py --threads {arguments.threads} --repeats {arguments.repeats}`, "
        f"{setting(arguments.threads)}, NumPy {np.__version__}. D = {DIM}; medians of the repeats.",
        "",
    ]
    for name in arguments.sections:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        lines += [*_child(name, arguments), ""]
    text = "\n".join(lines)
    print(text)
    if set(arguments.sections) == set(SECTIONS) and not arguments.quick:
        RESULTS.write_text(text, encoding="utf-8")


def _child(name: str, arguments: argparse.Namespace) -> list[str]:
    options = ["--child", name, "--threads", str(arguments.threads), "--repeats", str(arguments.repeats)]
    quick = ["--quick"] if arguments.quick else []
    done = subprocess.run([sys.executable, __file__, *options, *quick], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _points(space: AbstractSpace, count: int, seed: int = 0) -> Tensor:
    with torch.no_grad():
        return space.project(torch.randn(count, DIM, generator=torch.Generator().manual_seed(seed)))


def _trials(count: int, recordings: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.integers(0, recordings, count), rng.integers(0, recordings, count)


def _mib(step: Step) -> str:
    return f"{peak_bytes(step) / 2**20:,.0f}"


def _seconds(step: Step) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def _all_trials(repeats: int, smaller: int) -> list[str]:
    """Ours on the whole list."""
    recordings, trials = RECORDINGS // smaller, TRIALS // smaller
    points = {name: _points(space, recordings) for name, space in SPACES.items()}
    enrolment, test = _trials(trials, recordings)
    steps: dict[str, Step] = {
        name: lambda name=name: score_pairs(SPACES[name], points[name], enrolment, test) for name in SPACES
    }
    score_pairs(SPACES["cosine"], points["cosine"], enrolment[:1000], test[:1000])
    seconds = {name: [_seconds(step) for _ in range(repeats)] for name, step in steps.items()}
    rows = [
        f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} | {max(times):.2f} | {_mib(steps[name])} |"
        for name, times in seconds.items()
    ]
    of_points, of_scores = recordings * DIM * 8 / 2**20, trials * 8 / 2**20
    return [
        f"#### {trials:,} trials in random order over {recordings:,} embeddings, float64 inside",
        "",
        "| scores | s | least | most | peak MiB |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"The points in float64 take {of_points:,.0f} MiB, and once more until they are prepared; the scores take "
        f"{of_scores:,.0f} MiB. The rest is the block.",
    ]


def _plain_trials(repeats: int, smaller: int) -> list[str]:
    """Cosines of fewer trials, side by side with gathering."""
    recordings, trials = RECORDINGS // smaller, PLAIN_TRIALS // smaller
    points = _points(SPACES["cosine"], recordings)
    enrolment, test = _trials(trials, recordings)
    rows = points.numpy()
    wide = points.double()

    def in_blocks() -> np.ndarray:
        scores = np.empty(trials)
        for first in range(0, trials, 2730):  # 4 MiB a side
            x, y = (wide[torch.from_numpy(side[first : first + 2730])] for side in (enrolment, test))
            scores[first : first + 2730] = (x * y).sum(-1).numpy()
        return scores

    steps: dict[str, Step] = {
        "score_pairs, float64": lambda: score_pairs(SPACES["cosine"], points, enrolment, test),
        "gather all, einsum, float32": lambda: np.einsum("td,td->t", rows[enrolment], rows[test]),
        "gather blocks, float64": in_blocks,
        "one dot product at a time, float32": lambda: _one_by_one(rows, enrolment[: trials // 20], test),
    }
    seconds = interleaved(steps, repeats)
    seconds["one dot product at a time, float32"] = [20 * s for s in seconds["one dot product at a time, float32"]]
    ours = seconds["score_pairs, float64"]
    lines = [
        f"| {name} | {statistics.median(times):.2f} | {ratio(times, ours):.1f} | {_mib(steps[name])} |"
        for name, times in seconds.items()
    ]
    return [
        f"#### Cosines of {trials:,} trials over {recordings:,} embeddings, beside the usual ways",
        "",
        "| way | s | / score_pairs | peak MiB |",
        "|---|---|---|---|",
        *lines,
        "",
        "`score_pairs` also checks and normalises the points and makes them float64, the other ways are given unit "
        "vectors. One at a time was measured on a twentieth of the trials.",
    ]


def _one_by_one(rows: np.ndarray, enrolment: np.ndarray, test: np.ndarray) -> list[float]:
    return [float(rows[e] @ rows[t]) for e, t in zip(enrolment, test, strict=False)]


def _as_norm(repeats: int, smaller: int) -> list[str]:
    """Ours on all recordings."""
    recordings, cohort_size, top_k = RECORDINGS // smaller, COHORT // smaller, TOP_K // smaller
    points = {name: _points(space, recordings) for name, space in SPACES.items()}
    cohorts = {name: _points(space, cohort_size, seed=1) for name, space in SPACES.items()}
    steps: dict[str, Step] = {
        name: lambda name=name: cohort_statistics(SPACES[name], points[name], cohorts[name], top_k=top_k)
        for name in SPACES
    }
    cohort_statistics(SPACES["cosine"], points["cosine"][:1000], cohorts["cosine"], top_k=top_k)
    seconds = {name: [_seconds(step) for _ in range(repeats)] for name, step in steps.items()}
    rows = [
        f"| {name} | {statistics.median(times):.1f} | {min(times):.1f} | {max(times):.1f} | {_mib(steps[name])} |"
        for name, times in seconds.items()
    ]
    return [
        f"#### AS-norm of {recordings:,} embeddings against {cohort_size:,} cohort speakers, top {top_k}, float64",
        "",
        "| scores | s | least | most | peak MiB |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"The matrix of all scores would take {recordings * cohort_size * 8 / 2**20:,.0f} MiB.",
    ]


def _plain_as_norm(repeats: int, smaller: int) -> list[str]:
    """Fewer recordings, side by side with sorting."""
    recordings, cohort_size, top_k = PLAIN_RECORDINGS // smaller, COHORT // smaller, TOP_K // smaller
    space = SPACES["cosine"]
    points, cohort = _points(space, recordings), _points(space, cohort_size, seed=1)
    rows, of_cohort = points.numpy(), cohort.numpy()

    def numpy_sort() -> tuple[np.ndarray, np.ndarray]:
        top = np.sort(rows @ of_cohort.T, axis=1)[:, -top_k:]
        return top.mean(1), top.std(1)

    def torch_sort() -> tuple[Tensor, Tensor]:
        top = (points @ cohort.T).sort(dim=1, descending=True).values[:, :top_k]
        return top.mean(1), top.std(1, correction=0)

    def one_by_one() -> list[tuple[float, float]]:
        found = []
        for row in rows:
            top = np.sort(of_cohort @ row)[-top_k:]
            found.append((float(top.mean()), float(top.std())))
        return found

    steps: dict[str, Step] = {
        "cohort_statistics, float64": lambda: cohort_statistics(space, points, cohort, top_k=top_k),
        "torch.sort of the whole matrix, float32": torch_sort,
        "np.sort of the whole matrix, float32": numpy_sort,
        "np.sort one recording at a time, float32": one_by_one,
    }
    seconds = interleaved(steps, repeats)
    ours = seconds["cohort_statistics, float64"]
    lines = [
        f"| {name} | {statistics.median(times):.2f} | {ratio(times, ours):.1f} | {_mib(steps[name])} |"
        for name, times in seconds.items()
    ]
    return [
        f"#### AS-norm of {recordings:,} embeddings against {cohort_size:,}, cosine, beside the usual ways",
        "",
        "| way | s | / cohort_statistics | peak MiB |",
        "|---|---|---|---|",
        *lines,
    ]


def _enrolment(repeats: int, smaller: int) -> list[str]:
    """Every way of the table, on the ball."""
    models = MODELS // smaller
    points = _points(SPACES["hyperbolic"], models * OF_MODEL)
    rows = list(np.arange(models * OF_MODEL).reshape(models, OF_MODEL))
    steps: dict[str, Step] = {
        way: lambda way=way: enrol(SPACES["hyperbolic"], points, rows, way=way) for way in ENROLMENTS
    }
    lines = [
        f"| {way} | {statistics.median(times):.2f} | {_mib(steps[way])} |"
        for way, times in interleaved(steps, repeats).items()
    ]
    return [
        f"#### Enrolment of {models:,} models with {OF_MODEL} recordings each, Poincaré ball",
        "",
        "| way | s | peak MiB |",
        "|---|---|---|",
        *lines,
    ]


SECTIONS: dict[str, Section] = {
    "all_trials": _all_trials,
    "plain_trials": _plain_trials,
    "as_norm": _as_norm,
    "plain_as_norm": _plain_as_norm,
    "enrolment": _enrolment,
}

if __name__ == "__main__":
    main()

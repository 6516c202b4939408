"""Run the bench and its tuning on openvoices, and write the results that the docs page shows.

    python benchmarks/openvoices_bench.py --data FOLDER                   # hours; what is done is not done again
    python benchmarks/openvoices_bench.py --data FOLDER --results-only    # of the runs that are there

It runs ``curvox bench benches/openvoices_tuning.yaml``, which is looked at on the dev trials alone, and ``curvox bench
benches/openvoices.yaml``, and writes into benchmarks/results:

- openvoices_bench.md: the leaderboard,
- openvoices_bench_claims.md: of its paired tests those that the claims hang on,
- openvoices_bench_runs.md: every run by itself,
- openvoices_bench_tree.md: what a loss of the label tree changes in the measures of the tree, in pairs of one seed,
- openvoices_tuning.md: the settings around the published ones, on the dev trials,

and into docs/figures the picture of the leaderboard.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from curvox.bench import BenchResults, Leaderboard, RunRecord, leaderboard, read_bench, read_results
from curvox.corpora import read_corpus
from curvox.metrics import OperatingPoint, equal_error_rate, min_dcf
from curvox.reports.figures.bench import forest_figure
from curvox.reports.pages.hierarchy import standalone
from curvox.reports.tables.bench import bench_markdown
from curvox.reports.tables.tables import markdown_rows

BENCH = Path("benches/openvoices.yaml")
TUNING = Path("benches/openvoices_tuning.yaml")
RESULTS = Path("benchmarks/results")
FIGURE = Path("docs/figures/openvoices_bench.svg")
CLAIMS = (
    ("softmax", "h_published"),
    ("am", "ham_published"),
    ("ram", "ham_published"),
    ("ham_published", "ham_rim"),
    ("am", "ham_rim"),
    ("aam", "ham_rim"),
    ("ram", "ham_rim"),
    ("triplet_sphere", "ham_rim"),
    ("ham_published", "ham_tree"),
    ("ham_published", "ham_tree_1"),
)
TREE_PAIRS = (
    ("ham_published", "ham_tree"),
    ("ham_published", "ham_tree_1"),
    ("am", "am_tree"),
    ("ham_published", "ham_soft_clip"),
    ("am", "ham_published"),
    ("ram", "ham_published"),
)
TREE_KEYS = ("map", "purity", "cophenetic", "tree_correlation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results-only", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    if not arguments.results_only:
        for bench in (TUNING, BENCH):
            command = [
                sys.executable,
                "-m",
                "curvox",
                "bench",
                bench,
                "--data",
                arguments.data,
                "--runs",
                arguments.runs,
            ]
            subprocess.run([str(word) for word in command], check=True)
    corpus = read_corpus(arguments.data)
    results = read_results(read_bench(BENCH), arguments.runs, corpus)
    board = leaderboard(results)
    made = f"{date.today()}, {', '.join(dict.fromkeys(record.machine for record in results.records))}"
    _write("openvoices_bench.md", bench_markdown(board))
    _write("openvoices_bench_claims.md", _claims_table(board))
    _write("openvoices_bench_runs.md", f"{_runs_table(results)}\nTrainings on {made}.\n")
    _write("openvoices_bench_tree.md", _tree_table(results))
    _write("openvoices_tuning.md", _tuning_table(read_results(read_bench(TUNING), arguments.runs, corpus), results))
    FIGURE.write_text(standalone(forest_figure(board, "cosine")), encoding="utf-8")


def _write(name: str, text: str) -> None:
    (RESULTS / name).write_text(text, encoding="utf-8")
    print(f"{RESULTS / name}\n\n{text}")


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _claims_table(board: Leaderboard) -> str:
    titles = {row.setting: row.title for row in board.rows}
    rows = []
    for first, second in CLAIMS:
        test = board.test(second, "cosine", first)
        if test is None:
            continue
        ends, p = test.eer.interval, (test.p_value, test.p_corrected)
        rows.append(
            [
                f"{titles[second]}, less {titles[first]}",
                f"{100 * test.eer.difference:+.2f} [{100 * ends.low:+.2f}, {100 * ends.high:+.2f}]",
                "–" if test.eer.relative is None else f"{100 * test.eer.relative:+.1f}",
                *("–" if value is None else f"{value:.2f}" for value in p),
                f"{test.seeds[1]} and {test.seeds[0]}",
            ]
        )
    head = ["setting less another", "points of EER", "relative, %", "p", "p, Holm", "seeds"]
    return markdown_rows(head, rows)


def _runs_table(results: BenchResults) -> str:
    """Return every run: EER on dev, EER and detection costs on test by the cosine, EER by the space's own distance."""
    corpora = sorted(set(results.trials["test"].corpora.tolist()))
    rows = [[record.setting, str(record.seed), *_figures(record, results, corpora)] for record in results.records]
    fixed = ["dev EER %", "test EER %", "by own distance", "minDCF(0.01)", "minDCF(0.05)"]
    return markdown_rows(["setting", "seed", *fixed, *corpora, "best epoch", "minutes"], rows)


def _figures(record: RunRecord, results: BenchResults, corpora: Sequence[str]) -> Iterator[str]:
    test = results.trials["test"]
    scores = record.scores("test", "cosine")
    yield _percent(_eer(record, results, "dev"))
    yield _percent(_eer(record, results, "test"))
    yield _percent(_eer(record, results, "test", "distance"))
    for prior in (0.01, 0.05):
        yield f"{min_dcf(scores, test.labels, OperatingPoint(prior)).value:.3f}"
    for corpus in corpora:
        own = test.corpora == corpus
        yield _percent(equal_error_rate(scores[own], test.labels[own]).value)
    yield str(record.best_epoch)
    yield f"{record.seconds / 60:.1f}"


def _eer(record: RunRecord, results: BenchResults, name: str, scorer: str = "cosine") -> float:
    return equal_error_rate(record.scores(name, scorer), results.trials[name].labels).value


def _tree_table(results: BenchResults) -> str:
    """Return differences of the tree measures, second less first, on the same recordings and seeds."""
    by_run = {(record.setting, record.seed): record for record in results.records}
    rows = []
    for first, second in TREE_PAIRS:
        seeds = [s for s in results.bench.seeds if (first, s) in by_run and (second, s) in by_run]
        if not seeds:
            continue
        pairs = [(_tree(by_run[first, seed]), _tree(by_run[second, seed])) for seed in seeds]
        for kind in pairs[0][0]:
            if kind[0] in TREE_KEYS and all(kind in side for pair in pairs for side in pair):
                steps = np.array([own[kind] - other[kind] for other, own in pairs])
                name = ", ".join(part for part in kind[1:] if part)
                rows.append([f"{second} less {first}", name, f"{steps.mean():+.3f}", _reach(steps), str(len(steps))])
    return markdown_rows(["settings", "measure", "difference", "95 % interval over seeds", "seeds"], rows, 2)


def _tree(record: RunRecord) -> dict[tuple[str, str, str | None], float]:
    measures = record.tree.measures if record.tree is not None else ()
    return {(m.key, m.title, m.level): m.value for m in measures if m.value is not None}


def _reach(steps: np.ndarray) -> str:
    """Return Student's interval of the mean over the seeds; the recordings are taken as they are."""
    if len(steps) < 2:
        return "–"
    reach = student.ppf(0.975, len(steps) - 1) * steps.std(ddof=1) / np.sqrt(len(steps))
    return f"[{steps.mean() - reach:+.3f}, {steps.mean() + reach:+.3f}]"


def _tuning_table(tuning: BenchResults, bench: BenchResults) -> str:
    """Return the EER on the dev trials of every setting of both benches, from the seeds of the tuning."""
    rows = []
    for results in (tuning, bench):
        titles = {setting.name: setting.title for setting in results.bench.settings}
        for record in results.records:
            if record.seed in tuning.bench.seeds:
                # The tuning calls the dev trials "test", for that is what a bench ranks by.
                name = "dev" if "dev" in results.trials else "test"
                eers = [_eer(record, results, name, scorer) for scorer in ("cosine", "distance")]
                rows.append((min(eers), [titles[record.setting], str(record.seed), *map(_percent, eers)]))
    head = ["setting", "seed", "dev EER % by cosine", "by own distance"]
    return markdown_rows(head, [row for _, row in sorted(rows)])


if __name__ == "__main__":
    main()

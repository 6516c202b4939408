"""Every number of the tutorial "Which threshold?": thresholds that were copied, and thresholds that were calibrated.

    python benchmarks/which_threshold.py --data FOLDER [--run runs/openvoices_aam]

Scores the dev and the test trials of each corpus of openvoices by one model. Thresholds and calibrations come from dev
trials, error rates from test trials. Prints the tables and writes them to benchmarks/results/which_threshold.md. Takes
three minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from measuring import machine

from curvox.corpora import Corpus, read_corpus, read_trials, speakers_of
from curvox.embedder import Embedder, load
from curvox.metrics import (
    Interval,
    OperatingPoint,
    actual_dcf,
    bayes_threshold,
    cllr,
    equal_error_rate,
    min_cllr,
    min_dcf,
    rates_at_thresholds,
)
from curvox.scoring import fit_calibration, score_pairs

RESULTS = Path(__file__).parent / "results" / "which_threshold.md"
DEV = ("alnum", "arabic", "dsp", "msc", "wuw")
TEST = ("alnum", "arabic", "dsp", "libri", "msc", "wuw")
POINT = OperatingPoint(0.05)
Rows = list[list[str]]


@dataclass(frozen=True)
class Scored:
    """Scores (T,) of a trial list, whether they are targets, and the speakers of both sides."""

    scores: np.ndarray
    labels: np.ndarray
    enrolment_speakers: np.ndarray
    test_speakers: np.ndarray


def main() -> None:
    arguments = _arguments()
    model, corpus = load(arguments.run, with_card=False), read_corpus(arguments.data, check_files=False)
    lists = {f"dev-{name}": name for name in DEV} | {f"test-{name}": name for name in TEST}
    scored = _score(model, corpus, arguments.data / "trials", ["dev", *lists])
    made = f"{date.today().isoformat()}, {machine()}; model {arguments.run.name}, scored by its own scorer."
    parts = [_copied(scored), _calibrated(scored)]
    text = f"`python benchmarks/which_threshold.py --data DATA`, {made}\n\n" + "\n\n".join(parts) + "\n"
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/openvoices_aam"))
    return parser.parse_args()


def _score(model: Embedder, corpus: Corpus, folder: Path, names: list[str]) -> dict[str, Scored]:
    lists = {name: read_trials(folder / f"{name}.txt") for name in names}
    utterances = sorted({utterance for trials in lists.values() for utterance in trials.utterances})
    points = model.embed_utterances(corpus, utterances).points
    row = {utterance: i for i, utterance in enumerate(utterances)}
    found = {}
    for name, trials in lists.items():
        sides = ([row[utterance] for utterance in side] for side in (trials.enrolments, trials.tests))
        assert trials.labels is not None
        found[name] = Scored(score_pairs(model.space, points, *sides), trials.labels, *speakers_of(trials, corpus))
    return found


def _copied(scored: dict[str, Scored]) -> str:
    """The threshold of equal error rates of each dev list, at work on the test trials of each corpus."""
    head = ["threshold from", "score", *(f"{name}: FAR / FRR %" for name in TEST)]
    rows = []
    for source in (*(f"dev-{name}" for name in DEV), "dev"):
        threshold = equal_error_rate(scored[source].scores, scored[source].labels).threshold
        rates = [_rates(scored[f"test-{name}"], threshold) for name in TEST]
        rows.append([source, f"{threshold:.3f}", *(f"{100 * far:.1f} / {100 * frr:.1f}" for far, _, frr, _ in rates)])
    threshold = equal_error_rate(scored["dev-alnum"].scores, scored["dev-alnum"].labels).threshold
    _, _, frr, interval = _rates(scored["test-wuw"], threshold)
    note = (
        f"The threshold of dev-alnum (names and numbers said to a recorder) rejects {100 * frr:.1f} % "
        f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}] of "
        "the same-speaker trials over telephones (wuw); in brackets the 95 % interval by bootstrap over speakers."
    )
    return f"#### A threshold copied\n\n{_table(head, rows)}\n\n{note}"


def _calibrated(scored: dict[str, Scored]) -> str:
    """Calibrations of pooled dev trials and of the own corpus's, on the test trials of each corpus."""
    head = ["test trials", "calibrated on", "Cllr", "minCllr", f"actDCF({POINT.p_target:g})"]
    head += [f"minDCF({POINT.p_target:g})", "FAR / FRR % at LLR 0", "at LLR 2.94"]
    rows = []
    for name in TEST:
        test = scored[f"test-{name}"]
        for source in ("dev", f"dev-{name}"):
            if source in scored:
                rows.append([f"test-{name}", source, *_figures(test, _calibration(scored[source]))])
    note = (
        "An LLR of 0 is the threshold where targets and non-targets are equally likely and errors cost the same; 2.94 "
        "= log(0.95 / 0.05) is that of actDCF(0.05), one target in twenty. libri has no dev trials."
    )
    return f"#### A threshold calibrated\n\n{_table(head, rows)}\n\n{note}"


def _calibration(source: Scored) -> Callable[[np.ndarray], np.ndarray]:
    return fit_calibration(source.scores, source.labels).llrs


def _figures(test: Scored, calibration: Callable[[np.ndarray], np.ndarray]) -> list[str]:
    llrs = calibration(test.scores)
    trials = Scored(llrs, test.labels, test.enrolment_speakers, test.test_speakers)
    rates = [_rates(trials, threshold) for threshold in (0.0, bayes_threshold(POINT))]
    costs = (
        cllr(llrs, test.labels),
        min_cllr(llrs, test.labels),
        actual_dcf(llrs, test.labels, POINT).value,
        min_dcf(llrs, test.labels, POINT).value,
    )
    return [*(f"{cost:.3f}" for cost in costs), *(f"{100 * far:.1f} / {100 * frr:.1f}" for far, _, frr, _ in rates)]


def _rates(trials: Scored, threshold: float) -> tuple[float, Interval, float, Interval]:
    (found,) = rates_at_thresholds(
        trials.scores,
        trials.labels,
        [threshold],
        enrolment_speakers=trials.enrolment_speakers,
        test_speakers=trials.test_speakers,
    )
    rates = found.false_acceptance, found.false_rejection
    return rates[0], found.false_acceptance_interval, rates[1], found.false_rejection_interval


def _table(head: list[str], rows: Rows) -> str:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()

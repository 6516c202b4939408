"""Every number and figure of "Why does my Siamese network fail to produce useful speaker embeddings?".

    python benchmarks/siamese.py --data FOLDER [--seeds 3] [--steps 300] [--runs runs/siamese]

Trains a small ECAPA-TDNN on openvoices with the hinge, the KL divergence and the triplet loss as they are commonly
written, and with what the doctor says to take instead; asks the doctor about each on one batch and after its run; takes
error rates on the dev and the test trials. Runs that are there already with the same recipe are used as they are.
Writes benchmarks/results/siamese.md and docs/figures/siamese.svg. A run takes about a minute on one core, of which a
half goes into embedding the dev and the test trials.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from measuring import machine
from siamese_cases import CASES, FAMILIES, Case

from curvox.cli.diagnose import batch
from curvox.corpora import Corpus, read_corpus
from curvox.diagnosis import (
    Diagnosis,
    EmbeddedSet,
    VitalHistory,
    diagnose,
    diagnose_run,
    effective_rank,
    measured,
    title_of,
)
from curvox.embedder import Embedder, load
from curvox.errors import InputError
from curvox.evaluating import evaluate
from curvox.metrics import Evaluation
from curvox.reports.figures.drawing import GRID, SERIES, draw
from curvox.training import (
    Recipe,
    dump_recipe,
    observe_run,
    read_history,
    read_recipe,
    read_vitals,
    small_recipe,
    train,
    with_loss,
)
from curvox.training.step.building import first_model

RESULTS = Path(__file__).parent / "results" / "siamese.md"
PICTURE = Path(__file__).parent.parent / "docs" / "figures" / "siamese.svg"
EPOCHS = 4
_SHOWN = "![EER on the dev trials and uniformity of the batches for six losses](figures/siamese.svg)"
RESAMPLES = 500


@dataclass(frozen=True)
class Outcome:
    """What one run came to; ``embedded`` and ``after`` are of the first seed alone."""

    dev_eer: float
    test: Evaluation
    epochs: tuple[tuple[int, float], ...]
    vitals: VitalHistory
    after: Diagnosis | None
    embedded: EmbeddedSet | None


def main() -> None:
    arguments = _arguments()
    corpus = read_corpus(arguments.data, check_files=False)
    before = {case.name: diagnose(case.make(64, 16), *batch()) for case in CASES}
    outcomes = {
        case.name: [_outcome(case, seed, corpus, arguments) for seed in range(1, arguments.seeds + 1)] for case in CASES
    }
    untrained = _evaluated(_random_model(arguments), corpus, arguments)
    print(text := _text(before, untrained, outcomes, arguments))
    RESULTS.write_text(text, encoding="utf-8")
    PICTURE.write_text(_picture(outcomes), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--runs", type=Path, default=Path("runs/siamese"))
    parser.add_argument("--cache", type=Path, default=Path("runs/.cache"), help="of decoded audio")
    return parser.parse_args()


def _recipe(case: Case, seed: int, data: Path, steps: int) -> Recipe:
    """The doctor's own small encoder, on all recordings, judged on the dev trials of the corpus."""
    small = small_recipe(str(data), whole_batch=True, seed=seed)
    batches = -(-steps // EPOCHS)
    return small.model_copy(
        update={
            "name": case.name,
            "loss": {"name": case.name},
            # As Siamese networks are commonly written: a batch normalisation at the end would hide a collapse.
            "encoder": {**small.encoder, "final_batch_norm": False},
            "data": small.data.model_copy(
                update={
                    "most_recordings": None,
                    "dev_trials": "trials/dev.txt",
                    "crops_per_epoch": batches * small.data.batch_size,
                }
            ),
            "training": small.training.model_copy(update={"epochs": EPOCHS, "max_steps": steps}),
        }
    )


def _outcome(case: Case, seed: int, corpus: Corpus, arguments: argparse.Namespace) -> Outcome:
    recipe = _recipe(case, seed, arguments.data.resolve(), arguments.steps)
    folder, build = arguments.runs / f"{case.name}-{seed}", with_loss(case.make)
    if not (folder / "run.json").exists():
        train(recipe, folder, build=build, cache=arguments.cache)
    elif dump_recipe(read_recipe(folder / "recipe.yaml")) != dump_recipe(recipe):
        raise InputError(f"{folder} was trained by another recipe; move it away, or give another --runs")
    model = load(folder)
    assert model.dev is not None
    observed = observe_run(folder, build=build, cache=arguments.cache) if seed == 1 else None
    return Outcome(
        dev_eer=model.dev.eer,
        test=_evaluated(model, corpus, arguments),
        epochs=tuple((epoch.epoch, epoch.dev_eer) for epoch in read_history(folder) if epoch.dev_eer is not None),
        vitals=read_vitals(folder, recipe, -(-arguments.steps // EPOCHS)),
        after=None if observed is None else diagnose_run(observed),
        embedded=None if observed is None else observed.train,
    )


def _random_model(arguments: argparse.Namespace) -> Embedder:
    """The encoder as the first seed draws it: what no training at all comes to."""
    case = next(case for case in CASES if case.name == "triplet")
    recipe = _recipe(case, 1, arguments.data.resolve(), arguments.steps)
    return first_model(recipe, 2, with_loss(case.make))[0]


def _evaluated(model: Embedder, corpus: Corpus, arguments: argparse.Namespace) -> Evaluation:
    trials = arguments.data / "trials" / "test.txt"
    return evaluate(model, trials, corpus, by=(), resamples=RESAMPLES).evaluation


def _text(
    before: dict[str, Diagnosis],
    untrained: Evaluation,
    outcomes: dict[str, list[Outcome]],
    arguments: argparse.Namespace,
) -> str:
    made = (
        f"`python benchmarks/siamese.py --data DATA --seeds {arguments.seeds} --steps {arguments.steps}`, "
        f"{date.today().isoformat()}, {machine()}; {arguments.steps} steps of 16 speakers x 2 recordings of 1 s each."
    )
    doctor = [["loss", "on one batch, before any training", f"after {arguments.steps} steps"]]
    doctor += [[case.title, _said(before[case.name]), _said(outcomes[case.name][0].after)] for case in CASES]
    head = ["loss", "dev EER %", "test EER % [95 % interval]", "test EER % of each seed", "effective rank"]
    rates = [[*head, "distance, same / different"], _untrained(untrained)]
    rates += [_rates(case, outcomes[case.name]) for case in CASES]
    note = (
        "EER of the best epoch on the dev trials; the median over the seeds, in brackets its interval by bootstrap "
        "over speakers. Effective rank and mean distances are of at most 512 training recordings at the end of the "
        "first seed's run, in the space of each loss."
    )
    parts = [made, "#### What the doctor says", _table(doctor), "#### What it comes to", _table(rates), note, _SHOWN]
    return "\n\n".join(parts) + "\n"


def _said(diagnosis: Diagnosis | None) -> str:
    if diagnosis is None:
        return "-"
    first = diagnosis.first
    if first.cause == "healthy":
        return f"healthy: {len(diagnosis.checked)} causes looked for"
    evidence = first.evidence[0]
    return (
        f"**{title_of(first.cause)}** ([{first.cause}](findings.md#{first.cause}), {first.severity}): "
        f"{evidence.measure} {measured(evidence)}, healthy {evidence.healthy}"
    )


def _rates(case: Case, runs: Sequence[Outcome]) -> list[str]:
    tested = sorted((run for run in runs if run.test.eer is not None), key=lambda run: _eer(run.test))
    middle = tested[(len(tested) - 1) // 2].test
    return [
        case.title,
        f"{100 * statistics.median(run.dev_eer for run in runs):.1f}",
        _with_interval(middle),
        ", ".join(f"{100 * _eer(run.test):.1f}" for run in runs),
        *_embedded(runs[0].embedded),
    ]


def _untrained(evaluation: Evaluation) -> list[str]:
    return ["none: weights at random", "-", _with_interval(evaluation), f"{100 * _eer(evaluation):.1f}", "-", "-"]


def _with_interval(evaluation: Evaluation) -> str:
    interval = evaluation.eer_interval
    brackets = f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}]" if interval else ""
    return f"{100 * _eer(evaluation):.1f}{brackets}"


def _eer(evaluation: Evaluation) -> float:
    assert evaluation.eer is not None
    return evaluation.eer.value


def _embedded(items: EmbeddedSet | None) -> list[str]:
    if items is None:
        return ["-", "-"]
    points = items.space.project(items.raw.double())
    distances = items.space.pairwise_distance(points, points)
    same = items.speakers[:, None] == items.speakers[None, :]
    different = distances[~same].mean()
    same.fill_diagonal_(False)
    return [f"{effective_rank(points):.1f}", f"{distances[same].mean():.3g} / {different:.3g}"]


def _table(rows: list[list[str]]) -> str:
    lines = [rows[0], ["---", *(["---:" if len(rows[0]) > 3 else "---"] * (len(rows[0]) - 1))], *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _picture(outcomes: dict[str, list[Outcome]]) -> str:
    """Left the dev EER after each epoch, mean over the seeds; right the uniformity of the batches, first seed."""

    def paint(figure, axes) -> None:
        axes.remove()
        left, right = figure.subplots(1, 2)
        for case in CASES:
            style = {
                "color": SERIES[FAMILIES.index(case.family)],
                "linestyle": "-" if case.remedy else (0, (2, 1.2)),
                "marker": "o" if case.remedy else "X",
                "markersize": 5,
            }
            runs = outcomes[case.name]
            epochs = [epoch for epoch, _ in runs[0].epochs]
            left.plot(epochs, 100 * np.mean([[eer for _, eer in run.epochs] for run in runs], axis=0), **style)
            steps, values = runs[0].vitals.steps, runs[0].vitals.signs["uniformity"]
            known = np.isfinite(values)
            every = max(1, int(known.sum()) // 8)
            right.plot(steps[known], values[known], label=case.title.replace("`", ""), markevery=every, **style)
        left.set(xlabel="epoch", ylabel="EER on the dev trials, %", ylim=(0, 55))
        right.set(xlabel="step", ylabel="uniformity of a batch (0: one point)")
        left.locator_params(axis="x", integer=True)
        for panel in (left, right):
            panel.grid(True, color=GRID)
        figure.set_layout_engine("constrained", wspace=0.08)
        figure.legend(loc="outside lower center", ncols=2)

    label = "EER on the dev trials and uniformity over training, for six losses; the table has the numbers."
    return _standalone(draw((8.0, 4.2), paint, name="siamese", label=label))


def _standalone(svg: str) -> str:
    """An SVG shown as an image sees none of the page's colours: it brings paper and ink, light and dark."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert found is not None
    head, rest = svg.split(">", 1)
    return f'{head} width="{found[1]}" height="{found[2]}"><style>{"".join(_colours())}</style>{rest}\n'


def _colours() -> Iterator[str]:
    yield "svg { color: #1c2128; background: #ffffff; }"
    yield "@media (prefers-color-scheme: dark) { svg { color: #e6e9ed; background: #1c2026; --paper: #1c2026; "
    yield "--grid: #373e47; --series-1: #4ea3e0; --series-2: #f08a4b; --series-3: #2fc49a; } }"


if __name__ == "__main__":
    main()

"""``curvox eval``: how good is a model on a trial list?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from curvox.corpora import Corpus
    from curvox.embedder import ScoredTrials

OUTPUTS = {"scores.txt", "evaluation.json", "report.html"}


def evaluate_run(
    run: Annotated[Path, typer.Argument(help="Run or model folder, such as runs/openvoices_ham.")],
    trials: Annotated[Path, typer.Option(help="Trial list: lines of label enrolment test.")],
    data: Annotated[
        Path | None, typer.Option(help="Corpus of the trials; default the one the run was trained on.")
    ] = None,
    scorer: Annotated[
        str | None, typer.Option(help="cosine, euclidean or hyperbolic; default the model's own.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the results; default RUN/eval/NAME-OF-TRIALS.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap over speakers behind the intervals.")] = 1000,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier evaluation.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Score a trial list; prints EER and minDCF with 95 % intervals and writes scores, JSON and a page."""
    from rich.console import Console

    from curvox.cli.progress import counting
    from curvox.cli.runs import corpus_of, system_of
    from curvox.corpora import read_trials
    from curvox.embedder import evaluate_scores, load_embedder, score_trials
    from curvox.reports import terminal_table

    folder = output or _default_output(run, trials, scorer)
    _claim(folder, overwrite)
    model = load_embedder(run, device=device)
    corpus, listed = corpus_of(run, data), read_trials(trials)
    console = Console(stderr=True)
    with counting(console, "embedding") as progress:
        scored = score_trials(model, corpus, listed, scorer=scorer, progress=progress)
    with console.status(f"bootstrap over speakers, {resamples} resamples"):
        evaluation = evaluate_scores(scored, corpus, resamples=resamples)
    system = system_of(run, evaluation)
    Console().print(terminal_table([system]))
    for name, group in evaluation.groups.items():
        print(f"  {name}: {_line(group)}")
    _write(folder, scored, corpus, system, trials)
    print(f"scores, figures and page: {folder}")


def _default_output(run: Path, trials: Path, scorer: str | None) -> Path:
    """Beside the checkpoints, not in one of them, where the next checkpoint would sweep it away."""
    from curvox.cli.runs import run_folder

    whole = run_folder(run)
    parts = [trials.stem, *([] if whole == run else [run.name]), *([] if scorer is None else [scorer])]
    return whole / "eval" / "-".join(parts)


def _claim(folder: Path, overwrite: bool) -> None:
    """Refuse a taken output folder; only one that holds nothing but an earlier evaluation is ever replaced."""
    from curvox.errors import OutputExistsError

    if not folder.exists():
        return
    if not overwrite:
        raise OutputExistsError(f"{folder} exists already: replace it with --overwrite, or name another --output")
    foreign = {p.name for p in folder.iterdir()} - OUTPUTS if folder.is_dir() else {folder.name}
    if foreign:
        raise OutputExistsError(
            f"{folder} holds more than an evaluation ({', '.join(sorted(foreign)[:5])}), so it is not replaced; "
            "name another --output"
        )


def _line(evaluation: object) -> str:
    from curvox.metrics import Evaluation

    assert isinstance(evaluation, Evaluation)
    if evaluation.eer is None:
        return f"no figures: {evaluation.why_no_figures}"
    interval = evaluation.eer_interval
    around = "" if interval is None else f" [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
    return f"EER {100 * evaluation.eer.value:.2f} %{around}, {evaluation.targets:,} + {evaluation.non_targets:,} trials"


def _write(folder: Path, scored: ScoredTrials, corpus: Corpus, system: object, trials: Path) -> None:
    """Write scores.txt, evaluation.json and report.html as one act."""
    import json

    from curvox.embedder import replace_folder
    from curvox.reports import Report, SystemResult, write_page

    assert isinstance(system, SystemResult)

    def write(fresh: Path) -> None:
        rows = zip(scored.trials.enrolments, scored.trials.tests, scored.scores, strict=True)
        lines = [f"{enrolment} {test} {score:.9g}" for enrolment, test, score in rows]
        (fresh / "scores.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        tree = {"scorer": scored.scorer, "trials": trials.name, **system.evaluation.to_dict()}
        (fresh / "evaluation.json").write_text(json.dumps(tree, indent=1), encoding="utf-8")
        report = Report(
            title=f"{system.title} on {trials.name}",
            subtitle=f"Scored by {scored.scorer}; larger scores mean the same speaker.",
            systems=(system,),
            corpus=(("corpus", corpus.name), ("utterances", str(len(scored.utterances)))),
            command=f"curvox eval {system.name} --trials {trials.name}",
        )
        write_page(report, fresh / "report.html")

    folder.parent.mkdir(parents=True, exist_ok=True)
    replace_folder(folder, write)

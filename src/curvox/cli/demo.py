"""``curvox demo``: the main job on synthetic voices, from nothing to a page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curvox.cli.options import Overwrite, Seed

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.corpora import Corpus
    from curvox.evaluating import System
    from curvox.reports import DiskPicture, SystemResult

LOSSES = ("softmax", "am_softmax", "h_softmax", "ham_softmax")
DISK_UTTERANCES = 256
TRAINING: dict[str, Any] = {
    "data": {"dev_trials": "trials/dev.txt", "crop_s": 1.5, "batch_size": 32},
    "features": {"n_mels": 64},
    "augmentation": {"waveforms": {}, "features": {}},
    "encoder": {"name": "ecapa_tdnn", "channels": 64, "aggregation_channels": 192, "embedding_dim": 96},
    "training": {
        "epochs": 7,
        "optimizer": {"learning_rate": 0.003},
        "schedule": {"name": "cosine", "warmup_epochs": 0.5, "final_learning_rate": 0.00003},
        "margin_warmup": {"start_epoch": 1.0, "end_epoch": 4.0},
    },
}


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for corpus, runs and report.")] = Path("demo"),
    seed: Seed = 1,
    epochs: Annotated[int | None, typer.Option(help="Number of epochs of each training; default 7.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make synthetic voices, train four losses, evaluate them on speakers they never heard, write a page."""
    from rich.console import Console

    from curvox.cli.terminal import counting
    from curvox.corpora import read_corpus
    from curvox.reports import terminal_table
    from curvox.testing import synthesise_corpus

    console = Console(stderr=True)
    _claim(output, overwrite)
    with counting(console, "synthesising voices") as progress:
        folder = synthesise_corpus(output / "corpus", seed=seed, progress=progress)
    corpus = read_corpus(folder)
    systems = []
    for number, loss in enumerate(LOSSES, start=1):
        console.print(f"[bold]{number}/{len(LOSSES)} {loss}", highlight=False)
        systems.append(_train_and_evaluate(loss, corpus, output, seed, epochs, console))
    _write_page(output / "report.html", systems, corpus, seed)
    Console().print(terminal_table(systems))
    print(f"page: {output / 'report.html'}")


def _claim(output: Path, overwrite: bool) -> None:
    """Make room for a new demo; only what a demo writes is ever removed."""
    from curvox.errors import OutputExistsError
    from curvox.files import replace_text

    marker = output / ".curvox-demo"
    if output.exists() and any(output.iterdir()):
        if not overwrite:
            raise OutputExistsError(
                f"{output} is not empty: replace the earlier demo with --overwrite, or give another --output"
            )
        if not marker.exists():
            raise OutputExistsError(f"{output} was not made by the demo, so it is not replaced; give another --output")
        for part in ("corpus", "runs"):
            shutil.rmtree(output / part, ignore_errors=True)
        (output / "report.html").unlink(missing_ok=True)
    replace_text(marker, "")


def _train_and_evaluate(
    loss: str, corpus: Corpus, output: Path, seed: int, epochs: int | None, console: Console
) -> SystemResult:
    from curvox.cli.terminal import counting, stages
    from curvox.corpora import read_trials
    from curvox.evaluating import evaluate_scored, open_system
    from curvox.reports import system_result
    from curvox.training import recipe_from, train

    tree = {**TRAINING, "name": loss, "seed": seed, "loss": {"name": loss}}
    tree["data"] = {**tree["data"], "path": str(corpus.root.resolve())}
    if epochs is not None:
        tree["training"] = {**tree["training"], "epochs": epochs}
    run = output / "runs" / loss
    with counting(console, "reading recordings") as progress:
        train(recipe_from(tree), run, console=console, decoding_progress=progress)
    trials = read_trials(corpus.root / "trials" / "test.txt")
    with stages(console) as progress:
        system = open_system(run, corpus, [trials], progress=progress)
        finished = evaluate_scored(system.score(trials), progress=progress)
    with console.status("laying out the Poincaré disk"):
        picture = _picture(system, seed)
    return system_result(run, finished.evaluation, disk=picture)


def _picture(system: System, seed: int) -> DiskPicture:
    from curvox.corpora import LabelTree
    from curvox.hierarchy import disk_layout, spread_over_speakers
    from curvox.reports import DiskPicture

    tree, names = LabelTree.from_corpus(system.corpus), system.utterances
    chosen = spread_over_speakers([system.corpus[name].speaker for name in names], at_most=DISK_UTTERANCES)
    layout = disk_layout(system.model.space, system.recordings.points[chosen], seed=seed)
    genders, accents, speakers, sessions = zip(*(tree[names[i]] for i in chosen), strict=True)
    return DiskPicture(layout.points.numpy(), genders, accents, speakers, sessions, float(layout.stress))


def _write_page(path: Path, systems: list[SystemResult], corpus: Corpus, seed: int) -> None:
    from curvox.reports import Report, write_page

    splits = {name: corpus.split(name).counts for name in ("train", "dev", "test")}
    report = Report(
        title="curvox demo: four losses on synthetic voices",
        subtitle="Each model was trained on the same voices and is judged on speakers it never heard.",
        systems=tuple(systems),
        corpus=tuple(
            (name, f"{count.speakers} speakers, {count.utterances} utterances") for name, count in splits.items()
        ),
        notes=(
            "The voices come from a formant synthesiser with a known tree of gender, accent group, speaker and "
            "session. They "
            "show that the whole path works and how losses differ on it; they do not rank losses for real speech.",
            "One seed was trained for each loss. The intervals are over test speakers, not over trainings.",
        ),
        command="curvox demo",
        seed=seed,
        papers=("desplanques2020ecapa", "wang2018amsoftmax", "fang2026ham"),
    )
    write_page(report, path)

"""``curvox hierarchy``: does the space of a model hold the tree that labels span?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.options import Audio, Data, Device, JsonFile, Overwrite, Resamples, Run, Seed, complete
from curvox.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from curvox.corpora import Corpus
    from curvox.embedder import Embedder
    from curvox.hierarchy import ChosenRecordings, ChosenTree, TreeMeasures
    from curvox.reports import Clip, HierarchyReport

CLIPS, CLIP_S = 60, 3.0
FEWEST, RESAMPLES = 4, 200

Levels = Annotated[
    str | None,
    typer.Option(
        help="Columns of the manifest that span the tree, from the root down, such as gender,language,speaker,session; "
        "default those that the manifest declares, less empty ones."
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        help="Split of the corpus whose recordings are measured; default test.",
        autocompletion=complete(("train", "dev", "test")),
    ),
]
Trials = Annotated[
    Path | None,
    typer.Option(help="Trial list whose recordings are measured in the place of a split; default none."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder for the results; default RUN/hierarchy/SPLIT.")
]
Utterances = Annotated[
    int | None,
    typer.Option(
        min=FEWEST,
        help="Number of recordings at most, drawn by --seed, as many of each speaker as fit; default all.",
    ),
]


def hierarchy(
    run: Run,
    levels: Levels = None,
    data: Data = None,
    split: Split = None,
    trials: Trials = None,
    output: Output = None,
    utterances: Utterances = None,
    resamples: Resamples = RESAMPLES,
    audio: Audio = True,
    overwrite: Overwrite = False,
    json_file: JsonFile = None,
    device: Device = "cpu",
    seed: Seed = 0,
) -> None:
    """Measure how well the space of a model holds the label tree; print the measures, write JSON, pictures and a page.

    The page shows all recordings in a Poincaré disk to move about in, and the tree that grows from the speakers.
    """
    from rich.console import Console

    from curvox.cli.terminal import STANDARD_OUTPUT, json_output
    from curvox.embedder import load
    from curvox.evaluating import corpus_of
    from curvox.files import require_replaceable
    from curvox.hierarchy import choose_recordings, tree_of
    from curvox.records import to_json
    from curvox.reports import HIERARCHY_FILES, measures_table, write_hierarchy_folder

    if split is not None and trials is not None:
        raise InputError("name a --split of the corpus or a list of --trials, not both")
    console = Console(stderr=True)
    folder = output or _folder(run, trials.stem if trials else split or "test")
    require_replaceable(folder, HIERARCHY_FILES, "a label tree", overwrite=overwrite)
    with json_output(json_file) as write_json:
        model = load(run, device=device)
        corpus = corpus_of(run, data)
        chosen = choose_recordings(corpus, split=split or "test", trials=trials, at_most=utterances, seed=seed)
        tree = tree_of(chosen, levels)
        command = command_line(
            run, tree.paths.levels, data=data, split=split, trials=trials, utterances=utterances, resamples=resamples,
            audio=audio, device=device, seed=seed,
        )  # fmt: skip
        report = make_report(
            model, chosen, tree, run=run, command=command, resamples=resamples, seed=seed, console=console
        )
        clips = _clips(report, chosen.corpus, model.sampling_rate_hz, seed) if audio else {}
        write_hierarchy_folder(folder, report, clips)
        write_json(to_json(report.measures.to_dict()))
    if json_file != STANDARD_OUTPUT:
        Console().print(measures_table(report.measures))
        for note in report.notes:
            print(note)
    console.print(f"page, pictures and JSON: {folder}", markup=False, highlight=False)


def make_report(
    model: Embedder,
    chosen: ChosenRecordings,
    tree: ChosenTree,
    *,
    run: Path,
    command: str,
    resamples: int,
    seed: int,
    console: Console,
) -> HierarchyReport:
    """Embed the recordings, measure the tree, and lay it out."""
    from curvox.evaluating import run_folder, title_of
    from curvox.hierarchy import corpus_layout, node_dendrogram, notes_of, tree_picture, unit_in_words
    from curvox.reports import HierarchyReport

    model, points, measures = _measured(model, chosen, tree, resamples=resamples, seed=seed, console=console)
    with console.status("laying out the disk"):
        layout = corpus_layout(model.space, points, seed=seed)
        picture = tree_picture(model.space, points, tree.paths, layout, seed=seed)
        grown = node_dendrogram(model.space, points, tree.paths)
    loss = model.description.get("training", {}).get("loss", {}).get("name", "")
    return HierarchyReport(
        title=title_of(loss) or run_folder(run).name,
        corpus=chosen.name,
        space=model.space.in_words(),
        unit=unit_in_words(model.space),
        utterances=chosen.utterances,
        paths=tree.paths,
        picture=picture,
        dendrogram=grown,
        measures=measures,
        notes=tuple(notes_of(chosen, tree, seed=seed)),
        command=command,
    )


def _measured(
    model: Embedder, chosen: ChosenRecordings, tree: ChosenTree, *, resamples: int, seed: int, console: Console
) -> tuple[Embedder, NDArray[np.float64], TreeMeasures]:
    """Embed the recordings and measure the tree; return the model on the CPU, points and measures."""
    import numpy as np

    from curvox.cli.terminal import counting
    from curvox.hierarchy import measure_tree

    with counting(console, "embedding") as progress:
        recordings = model.embed_utterances(chosen.corpus, chosen.utterances, measure=True, progress=progress)
    # The points are on the CPU; a learnt curvature would stay where the model is.
    model = model.cpu()
    points = recordings.points.astype(np.float64)
    _, speakers = np.unique([chosen.corpus[name].speaker for name in chosen.utterances], return_inverse=True)
    with counting(console, "measuring the tree") as progress:
        measures = measure_tree(
            model.space,
            points,
            tree.paths,
            speakers.astype(np.int64),
            durations_s=np.array([quality.duration_s for quality in recordings.qualities]),
            qualities_db=np.array([quality.snr_db for quality in recordings.qualities]),
            resamples=resamples,
            seed=seed,
            progress=progress,
        )
    return model, points, measures


def _folder(run: Path, name: str) -> Path:
    from curvox.evaluating import run_folder

    whole = run_folder(run)
    return whole / "hierarchy" / (name if whole == run else f"{name}-{run.name}")


def _clips(report: HierarchyReport, corpus: Corpus, sampling_rate_hz: int, seed: int) -> Mapping[str, Clip]:
    """Return short excerpts of a few recordings, spread over the speakers."""
    from curvox.hierarchy import spread_over_speakers
    from curvox.reports import clips_of

    speakers = [corpus[name].speaker for name in report.utterances]
    chosen = [report.utterances[i] for i in spread_over_speakers(speakers, at_most=CLIPS, seed=seed).tolist()]
    return clips_of(chosen, corpus, sampling_rate_hz=sampling_rate_hz, longest_s=CLIP_S)


def command_line(
    run: Path,
    levels: Sequence[str],
    *,
    data: Path | None = None,
    split: str | None = None,
    trials: Path | None = None,
    utterances: int | None = None,
    resamples: int = RESAMPLES,
    audio: bool = True,
    device: str = "cpu",
    seed: int = 0,
) -> str:
    """Return the command that makes a page once more, without the folders of this machine.

    Levels are always named, as what a manifest declares may change; other options where they are not the default.
    """
    import shlex

    from curvox.evaluating import run_folder

    whole = run_folder(run)
    named = _last(run) if whole == run else f"{_last(whole)}/{_last(run)}"
    words = ["curvox", "hierarchy", named, "--levels", ",".join(levels)]
    for option, value, default in (
        ("--data", data and _last(data), None),
        ("--split", split or "test", "test"),
        ("--trials", trials and _last(trials), None),
        ("--utterances", utterances, None),
        ("--resamples", resamples, RESAMPLES),
        ("--device", device, "cpu"),
        ("--seed", seed, 0),
    ):
        if value != default:
            words += [option, str(value)]
    return shlex.join([*words, *([] if audio else ["--no-audio"])])


def _last(path: Path) -> str:
    return path.name or path.absolute().name or str(path)

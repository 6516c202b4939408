"""``curvox hierarchy``: does the space of a model hold the tree that labels span?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.options import Device
from curvox.cli.tree_choice import FEWEST, RESAMPLES, Chosen, ChosenTree, choose, command_line, notes_of, tree_of
from curvox.errors import InputError, OutputExistsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from curvox.corpora import Corpus
    from curvox.embedder import Embedder
    from curvox.hierarchy import TreeMeasures
    from curvox.reports import Clip, HierarchyReport

PAGE, MEASURES = "report.html", "measures.json"
PICTURES = ("disk.svg", "dendrogram.svg", "radius.svg")
CLIPS, CLIP_S = 60, 3.0

Run = Annotated[Path, typer.Argument(help="Run or model folder, such as runs/openvoices_ham.")]
Levels = Annotated[
    str | None,
    typer.Option(
        help="Columns of the manifest that span the tree, from the root down, such as gender,language,speaker,session; "
        "default those that the manifest declares, less those that are empty."
    ),
]
Data = Annotated[Path | None, typer.Option(help="Corpus; default the one the run was trained on.")]
Split = Annotated[str | None, typer.Option(help="Of the corpus; default test.")]
Trials = Annotated[Path | None, typer.Option(help="The recordings of this trial list instead of a split.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Folder; default RUN/hierarchy/SPLIT.")]
Utterances = Annotated[
    int | None,
    typer.Option(min=FEWEST, help="At most so many recordings, drawn by --seed, as many of each speaker as fit."),
]
Resamples = Annotated[int, typer.Option(min=0, help="Of the bootstrap over speakers behind the intervals.")]
Audio = Annotated[bool, typer.Option(help=f"Put up to {CLIPS} short excerpts on the page, to hear them from the disk.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier one.")]
Json = Annotated[bool, typer.Option("--json", help="Print the measures as JSON.")]
Seed = Annotated[int, typer.Option(help="Of everything that is drawn.")]


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
    as_json: Json = False,
    device: Device = "cpu",
    seed: Seed = 0,
) -> None:
    """Measure how well the space of a model holds the label tree; print the measures, write JSON, pictures and a page.

    The page shows all recordings in a Poincaré disk to move about in, and the tree that grows from the speakers.
    """
    from rich.console import Console

    from curvox.embedder import load_embedder
    from curvox.evaluating import corpus_of
    from curvox.records import to_json
    from curvox.reports import measures_table

    if split is not None and trials is not None:
        raise InputError("name a --split of the corpus or a list of --trials, not both")
    console = Console(stderr=True)
    folder = output or _folder(run, trials.stem if trials else split or "test")
    claim(folder, overwrite)
    model = load_embedder(run, device=device)
    chosen = choose(corpus_of(run, data), split=split or "test", trials=trials, at_most=utterances, seed=seed)
    tree = tree_of(chosen, levels)
    command = command_line(
        run, tree.paths.levels, data=data, split=split, trials=trials, utterances=utterances, resamples=resamples,
        audio=audio, device=device, seed=seed,
    )  # fmt: skip
    report = make_report(model, chosen, tree, run=run, command=command, resamples=resamples, seed=seed, console=console)
    clips = _clips(report, chosen.corpus, model.sampling_rate_hz, seed) if audio else {}
    write_hierarchy(folder, report, clips)
    if as_json:
        print(to_json(report.measures.to_dict()), end="")
    else:
        Console().print(measures_table(report.measures))
        for note in report.notes:
            print(note)
    console.print(f"page, pictures and JSON: {folder}", markup=False, highlight=False)


def make_report(
    model: Embedder,
    chosen: Chosen,
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
    from curvox.hierarchy import corpus_layout, node_dendrogram, tree_picture, unit_in_words
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
    model: Embedder, chosen: Chosen, tree: ChosenTree, *, resamples: int, seed: int, console: Console
) -> tuple[Embedder, NDArray[np.float64], TreeMeasures]:
    """Embed the recordings and measure the tree; return the model on the CPU, points and measures."""
    import numpy as np

    from curvox.cli.progress import counting
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


def write_hierarchy(folder: Path, report: HierarchyReport, clips: Mapping[str, Clip]) -> None:
    """Write page, pictures and JSON as one act, in the place of an earlier one."""
    from curvox.files import replace_folder, replace_text
    from curvox.records import to_json
    from curvox.reports import hierarchy_pictures, render_hierarchy_page

    page = render_hierarchy_page(report, clips=clips)
    pictures = hierarchy_pictures(report)
    measures = to_json(report.measures.to_dict())

    def write(fresh: Path) -> None:
        for name, text in {PAGE: page, MEASURES: measures, **pictures}.items():
            replace_text(fresh / name, text)

    replace_folder(folder, write)


def claim(folder: Path, overwrite: bool) -> None:
    """Refuse a taken output folder; only one that holds nothing but what this command writes is ever replaced."""
    if not folder.exists():
        return
    if not overwrite:
        raise OutputExistsError(f"{folder} exists already: replace it with --overwrite, or name another --output")
    own = {PAGE, MEASURES, *PICTURES}
    foreign = {p.name for p in folder.iterdir()} - own if folder.is_dir() else {folder.name}
    if foreign:
        raise OutputExistsError(
            f"{folder} holds more than a label tree ({', '.join(sorted(foreign)[:5])}), so it is not replaced; "
            "name another --output"
        )


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

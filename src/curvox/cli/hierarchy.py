"""``curvox hierarchy``: does the space of a model hold the tree that labels span?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.options import Device
from curvox.errors import InputError, OutputExistsError

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.corpora import Corpus
    from curvox.embedder import Embedder
    from curvox.hierarchy.paths import TreePaths
    from curvox.reports import Clip, HierarchyReport

PAGE, MEASURES = "report.html", "measures.json"
PICTURES = ("disk.svg", "dendrogram.svg", "radius.svg")
CLIPS, CLIP_S = 60, 3.0
_FEWEST = 4

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
    int | None, typer.Option(min=_FEWEST, help="At most so many recordings, as many of each speaker as fit.")
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
    resamples: Resamples = 200,
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

    from curvox.cli.runs import corpus_of
    from curvox.embedder import load_embedder
    from curvox.reports import measures_table, strict_json

    if split is not None and trials is not None:
        raise InputError("name a --split of the corpus or a list of --trials, not both")
    console = Console(stderr=True)
    folder = output or _folder(run, trials.stem if trials else split or "test")
    claim(folder, overwrite)
    model = load_embedder(run, device=device)
    chosen = choose(corpus_of(run, data), split=split or "test", trials=trials, at_most=utterances)
    tree = tree_of(chosen, levels)
    report = make_report(model, chosen, tree, run=run, resamples=resamples, seed=seed, console=console)
    clips = _clips(report, chosen.corpus, model.sampling_rate_hz) if audio else {}
    write_hierarchy(folder, report, clips)
    if as_json:
        print(strict_json(report.measures.to_dict()), end="")
    else:
        Console().print(measures_table(report.measures))
        for note in report.notes:
            print(note)
    console.print(f"page, pictures and JSON: {folder}", markup=False, highlight=False)


@dataclass(frozen=True, eq=False)
class Chosen:
    """The recordings that are looked at.

    Attributes:
        corpus: where they stand.
        utterances: which.
        name: what they are called together.
        of_how_many: how many there were to choose from.
        asked: the options that chose them, for the command line on the page.
    """

    corpus: Corpus
    utterances: tuple[str, ...]
    name: str
    of_how_many: int
    asked: tuple[str, ...] = ()


def choose(corpus: Corpus, *, split: str, trials: Path | None, at_most: int | None) -> Chosen:
    """Return the recordings of a split or of a trial list, spread over their speakers where they are too many.

    Raises:
        CorpusError: there is no such split; the message names those present.
        InputError: fewer than 4 recordings, or only one speaker.
    """
    from curvox.corpora import read_trials
    from curvox.hierarchy import spread_over_speakers

    if trials is None:
        part = corpus.split(split)
        names, name = tuple(utterance.utterance for utterance in part.utterances), f"{corpus.name}/{split}"
    else:
        listed = read_trials(trials)
        listed.check_against(corpus)
        names, name = tuple(listed.utterances), f"{corpus.name}, recordings of {trials.name}"
    speakers = [corpus[utterance].speaker for utterance in names]
    if len(names) < _FEWEST or len(set(speakers)) < 2:
        raise InputError(
            f"a tree needs at least {_FEWEST} recordings of 2 speakers, {name} has {len(names)} of "
            f"{len(set(speakers))}; name another --split"
        )
    kept = names
    if at_most is not None and at_most < len(names):
        kept = tuple(names[i] for i in spread_over_speakers(speakers, at_most=at_most).tolist())
    asked = ("--trials", trials.name) if trials else () if split == "test" else ("--split", split)
    return Chosen(corpus, kept, name, len(names), asked)


@dataclass(frozen=True, eq=False)
class ChosenTree:
    """The label tree of the recordings, and what was left out of it."""

    paths: TreePaths
    left_out: tuple[str, ...]


def tree_of(chosen: Chosen, levels: str | None) -> ChosenTree:
    """Return the tree that levels span, or those that the manifest declares less those that are empty.

    Raises:
        UnknownNameError: no such column; the message lists the nearest.
        InputError: a level that was asked for and is empty for all recordings, or no level with labels at all.
    """
    from curvox.hierarchy.paths import tree_paths

    asked = levels is not None
    wanted = tuple(part.strip() for part in levels.split(",") if part.strip()) if asked else chosen.corpus.levels
    paths = tree_paths(chosen.corpus, chosen.utterances, wanted)
    empty = tuple(level for place, level in enumerate(wanted) if not paths.known[:, place].any())
    if not empty:
        return ChosenTree(paths, ())
    if asked or len(empty) == len(wanted):
        raise InputError(
            f"nothing is known of {' and '.join(empty)} for any of the {len(chosen.utterances):,} recordings of "
            f"{chosen.name}: leave {'it' if len(empty) == 1 else 'them'} out of --levels, or fill the column"
        )
    kept = tuple(level for level in wanted if level not in empty)
    return ChosenTree(tree_paths(chosen.corpus, chosen.utterances, kept), empty)


def make_report(
    model: Embedder, chosen: Chosen, tree: ChosenTree, *, run: Path, resamples: int, seed: int, console: Console
) -> HierarchyReport:
    """Embed the recordings, measure the tree, and lay it out."""
    import numpy as np

    from curvox.cli.progress import counting
    from curvox.cli.runs import name_of_space, run_folder, title_of
    from curvox.embedder import measure_utterances
    from curvox.hierarchy.layout import corpus_layout, unit_in_words
    from curvox.hierarchy.measures import measure_tree
    from curvox.hierarchy.pictures import node_dendrogram, tree_picture
    from curvox.reports import HierarchyReport

    with counting(console, "embedding") as progress:
        recordings = measure_utterances(model, chosen.corpus, chosen.utterances, progress)
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
    with console.status("laying out the disk"):
        layout = corpus_layout(model.space, points, seed=seed)
        picture = tree_picture(model.space, points, tree.paths, layout, seed=seed)
        grown = node_dendrogram(model.space, points, tree.paths)
    loss = model.description.get("training", {}).get("loss", {}).get("name", "")
    return HierarchyReport(
        title=title_of(loss) or run_folder(run).name,
        corpus=chosen.name,
        space=name_of_space(model.space),
        unit=unit_in_words(model.space),
        utterances=chosen.utterances,
        paths=tree.paths,
        picture=picture,
        dendrogram=grown,
        measures=measures,
        notes=tuple(_notes(chosen, tree)),
        command=_command(run, tree.paths.levels, chosen),
    )


def write_hierarchy(folder: Path, report: HierarchyReport, clips: Mapping[str, Clip]) -> None:
    """Write page, pictures and JSON as one act, in the place of an earlier one."""
    from curvox.embedder import replace_folder
    from curvox.reports import hierarchy_pictures, render_hierarchy_page, strict_json

    page = render_hierarchy_page(report, clips=clips)
    pictures = hierarchy_pictures(report)
    measures = strict_json(report.measures.to_dict())

    def write(fresh: Path) -> None:
        (fresh / PAGE).write_text(page, encoding="utf-8")
        (fresh / MEASURES).write_text(measures, encoding="utf-8")
        for name, picture in pictures.items():
            (fresh / name).write_text(picture, encoding="utf-8")

    folder.parent.mkdir(parents=True, exist_ok=True)
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
    from curvox.cli.runs import run_folder

    whole = run_folder(run)
    return whole / "hierarchy" / (name if whole == run else f"{name}-{run.name}")


def _notes(chosen: Chosen, tree: ChosenTree) -> Iterator[str]:
    if tree.left_out:
        several = len(tree.left_out) > 1
        yield (
            f"The manifest declares the level{'s' if several else ''} {', '.join(tree.left_out)} too, which "
            f"{'are' if several else 'is'} empty for all of these recordings, so {'they are' if several else 'it is'} "
            "left out."
        )
    if len(chosen.utterances) < chosen.of_how_many:
        yield (
            f"{len(chosen.utterances):,} of {chosen.of_how_many:,} recordings were taken, as many of each speaker as "
            "fit."
        )
    known = tree.paths.known.mean(axis=0)
    shares = zip(tree.paths.levels, known.tolist(), strict=True)
    poor = [f"{level} ({100 * share:.0f} %)" for level, share in shares if share < 0.5]
    if poor:
        yield f"Few recordings have a label of {', '.join(poor)}: what is said of it is said of those alone."


def _command(run: Path, levels: Sequence[str], chosen: Chosen) -> str:
    """Return the command line that a page names, without the folders of this machine."""
    import shlex

    words = ["curvox", "hierarchy", run.name or str(run), "--levels", ",".join(levels), *chosen.asked]
    if len(chosen.utterances) < chosen.of_how_many:
        words += ["--utterances", str(len(chosen.utterances))]
    return shlex.join(words)


def _clips(report: HierarchyReport, corpus: Corpus, sampling_rate_hz: int) -> Mapping[str, Clip]:
    """Return short excerpts of a few recordings, spread over the speakers."""
    from curvox.hierarchy import spread_over_speakers
    from curvox.reports import clips_of

    speakers = [corpus[name].speaker for name in report.utterances]
    chosen = [report.utterances[i] for i in spread_over_speakers(speakers, at_most=CLIPS).tolist()]
    return clips_of(chosen, corpus, sampling_rate_hz=sampling_rate_hz, longest_s=CLIP_S)

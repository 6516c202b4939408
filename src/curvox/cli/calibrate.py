"""``curvox calibrate``: from labelled trials to the decision card of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.corpora import Corpus, TrialList
    from curvox.embedder import CardSettings, Embedder
    from curvox.scoring import AbstractFittedBackEnd


def calibrate(
    run: Annotated[Path, typer.Argument(help="Run or model folder, such as runs/openvoices_ham.")],
    trials: Annotated[Path, typer.Option(help="Labelled trial list, of speakers the model was not trained on.")],
    data: Annotated[
        Path | None, typer.Option(help="Corpus of the trials; default the one the run was trained on.")
    ] = None,
    kind: Annotated[str, typer.Option(help="logistic, or isotonic where there are many trials.")] = "logistic",
    quality: Annotated[
        bool, typer.Option("--quality", help="Let duration, noise and size of the embeddings enter (logistic only).")
    ] = False,
    back_end: Annotated[
        str, typer.Option(help="How scores are made: plain, mean_subtraction, s_norm, as_norm or plda.")
    ] = "plain",
    scorer: Annotated[
        str | None, typer.Option(help="cosine, euclidean or hyperbolic; default the model's own.")
    ] = None,
    cohort: Annotated[
        int, typer.Option(help="Recordings of each training speaker that a back end is fitted on, at most.")
    ] = 10,
    style: Annotated[
        str, typer.Option(help="Of the trial list: voxceleb, kaldi, cnceleb, nist, nist_key.")
    ] = "voxceleb",
    rate: Annotated[
        list[str] | None,
        typer.Option(help="Another threshold, such as far:0.005 or frr:0.02 (repeat as needed)."),
    ] = None,
    prior: Annotated[float, typer.Option(help="Of the same speaker: where the calibration is to be best.")] = 0.5,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap over speakers behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the folds and of the bootstrap.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier decision card.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Fit a calibration to labelled trials, check it on speakers it has not met, and store the decision card."""
    from datetime import UTC, datetime

    from rich.console import Console

    from curvox.cli.decision_text import print_card
    from curvox.cli.progress import counting
    from curvox.cli.runs import corpus_of
    from curvox.corpora import read_trials
    from curvox.embedder import (
        fit_card,
        load_embedder,
        measure_utterances,
        model_fingerprint,
        model_folder,
        require_new_card,
        write_card,
    )

    settings = _settings(kind, quality, prior, rate or [], resamples, seed)
    folder = model_folder(run)
    require_new_card(folder, overwrite=overwrite)
    listed, corpus = read_trials(trials, style=style), corpus_of(run, data)
    listed.check_against(corpus)
    # An earlier card is about to be replaced; a damaged or foreign one must not stand in its way.
    model = load_embedder(run, device=device, with_card=False)
    console = Console(stderr=True)
    fitted = _back_end(run, model, back_end, scorer, corpus, listed, data, cohort, console)
    with counting(console, "embedding") as progress:
        recordings = measure_utterances(model, corpus, listed.utterances, progress)
    with console.status(f"calibration, {resamples} resamples of the speakers"):
        calibrated = fit_card(
            model,
            model_fingerprint(folder),
            corpus,
            listed,
            recordings,
            fitted,
            training_speakers=_training_speakers(run),
            date=datetime.now(UTC).date().isoformat(),
            settings=settings,
        )
    path = write_card(folder, calibrated.card, fitted.state(), overwrite=overwrite)
    print_card(Console(highlight=False), calibrated)
    print(f"decision card: {path}")


def _settings(kind: str, quality: bool, prior: float, rates: list[str], resamples: int, seed: int) -> CardSettings:
    from curvox.embedder import CardSettings
    from curvox.errors import InputError

    wanted: dict[str, list[float]] = {"far": list(CardSettings.fars), "frr": list(CardSettings.frrs)}
    for text in rates:
        name, _, number = text.partition(":")
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if name not in wanted or not 0 < value < 1:
            raise InputError(f'a rate reads far:0.005 or frr:0.02, a number between 0 and 1, got "{text}"')
        if value not in wanted[name]:
            wanted[name].append(value)
    return CardSettings(
        kind=kind,
        quality=quality,
        prior=prior,
        fars=tuple(wanted["far"]),
        frrs=tuple(wanted["frr"]),
        resamples=resamples,
        seed=seed,
    )


def _back_end(
    run: Path,
    model: Embedder,
    name: str,
    scorer: str | None,
    corpus: Corpus,
    trials: TrialList,
    data: Path | None,
    per_speaker: int,
    console: Console,
) -> AbstractFittedBackEnd:
    from curvox.cli.progress import counting
    from curvox.cli.runs import run_folder
    from curvox.embedder import embed_cohort, speakers_of
    from curvox.scoring import create_back_end, require_other_speakers

    back_end = create_back_end({"name": name} if scorer is None else {"name": name, "scorer": scorer})
    if not back_end.needs_cohort:
        return back_end.fit(model.space)
    training = _training_corpus(run, data)
    enrolments, tests = speakers_of(trials, corpus)
    require_other_speakers(training.speakers, {*enrolments.tolist(), *tests.tolist()})
    cache = run_folder(run) / "eval" / "cohort.safetensors"
    with counting(console, "embedding the cohort") as progress:
        cohort = embed_cohort(model, training, per_speaker=per_speaker, cache=cache, progress=progress)
    return back_end.fit(model.space, cohort.points, cohort.speakers)


def _training_corpus(run: Path, data: Path | None) -> Corpus:
    """Return the training recordings of a run; ``data``, a corpus of others perhaps, only where its own is gone."""
    from curvox.cli.runs import training_corpus
    from curvox.errors import InputError

    try:
        return training_corpus(run, None)
    except InputError:
        if data is None:
            raise
        return training_corpus(run, data)


def _training_speakers(run: Path) -> frozenset[str] | None:
    """Return the names of the speakers the run was trained on, None where nothing says them."""
    from curvox.cli.runs import run_folder, training_corpus
    from curvox.errors import CheckpointError, InputError
    from curvox.training.checkpoints import read_training_state

    try:
        return frozenset(training_corpus(run, None).speakers)
    except (InputError, CheckpointError):
        pass
    try:
        return frozenset(read_training_state(run_folder(run) / "last")["curvox"]["speakers"])
    except CheckpointError:
        return None

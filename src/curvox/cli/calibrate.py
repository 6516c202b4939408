"""``curvox calibrate``: from labelled trials to the decision card of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.back_ends import COHORT_RECORDINGS, fit_back_end, read_back_end
from curvox.cli.options import BackEnd, Cohort, Device, Resamples, Scorer, TrialCorpus

if TYPE_CHECKING:
    from rich.console import Console

    from curvox.corpora import Corpus, TrialList
    from curvox.embedder import CalibratedScoring, CardSettings, Embedder
    from curvox.scoring import AbstractFittedBackEnd

Run = Annotated[Path, typer.Argument(help="Run or model folder, such as runs/openvoices_ham.")]
Trials = Annotated[Path, typer.Option(help="Labelled trial list, of speakers the model was not trained on.")]
Kind = Annotated[str, typer.Option(help="logistic, or isotonic where there are many trials.")]
Quality = Annotated[
    bool, typer.Option("--quality", help="Let duration, noise and size of the embeddings enter (logistic only).")
]
Style = Annotated[str, typer.Option(help="Of the trial list: voxceleb, kaldi, cnceleb, nist, nist_key.")]
Rates = Annotated[
    list[str] | None,
    typer.Option("--rate", help="Another threshold, such as far:0.005 or frr:0.02 (repeat as needed)."),
]
Prior = Annotated[float, typer.Option(help="Of the same speaker: where the calibration is to be best.")]
Seed = Annotated[int, typer.Option(help="Of the folds and of the bootstrap.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier decision card.")]


def calibrate(
    run: Run,
    trials: Trials,
    data: TrialCorpus = None,
    kind: Kind = "logistic",
    quality: Quality = False,
    back_end: BackEnd = "plain",
    scorer: Scorer = None,
    cohort: Cohort = COHORT_RECORDINGS,
    style: Style = "voxceleb",
    rate: Rates = None,
    prior: Prior = 0.5,
    resamples: Resamples = 1000,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    device: Device = "cpu",
) -> None:
    """Fit a calibration to labelled trials, check it on speakers it has not met, and store the decision card."""
    from rich.console import Console

    from curvox.cli.decision_text import print_card
    from curvox.embedder import load_embedder, model_folder, require_new_card, speakers_of, write_card

    settings = _settings(kind, quality, prior, rate or [], resamples, seed)
    chosen, folder = read_back_end(back_end, scorer), model_folder(run)
    require_new_card(folder, overwrite=overwrite)
    listed, corpus = _trials(trials, style, run, data)
    # An earlier card is about to be replaced; a damaged or foreign one must not stand in its way.
    model = load_embedder(run, device=device, with_card=False)
    console, on_trial = Console(stderr=True), {name for side in speakers_of(listed, corpus) for name in side.tolist()}
    fitted, _ = fit_back_end(
        chosen, run, model, data=data, trial_speakers=on_trial, per_speaker=cohort, console=console
    )
    calibrated = _fit(run, model, corpus, listed, fitted, settings, console)
    path = write_card(folder, calibrated.card, fitted.state(), overwrite=overwrite)
    print_card(Console(highlight=False), calibrated)
    print(f"decision card: {path}")


def _trials(path: Path, style: str, run: Path, data: Path | None) -> tuple[TrialList, Corpus]:
    from curvox.cli.runs import corpus_of
    from curvox.corpora import read_trials

    listed, corpus = read_trials(path, style=style), corpus_of(run, data)
    listed.check_against(corpus)
    return listed, corpus


def _fit(
    run: Path,
    model: Embedder,
    corpus: Corpus,
    trials: TrialList,
    back_end: AbstractFittedBackEnd,
    settings: CardSettings,
    console: Console,
) -> CalibratedScoring:
    from datetime import UTC, datetime

    from curvox.cli.progress import counting
    from curvox.embedder import fit_card, measure_utterances, model_fingerprint, model_folder

    with counting(console, "embedding") as progress:
        recordings = measure_utterances(model, corpus, trials.utterances, progress)
    with console.status(f"calibration, {settings.resamples} resamples of the speakers"):
        return fit_card(
            model,
            model_fingerprint(model_folder(run)),
            corpus,
            trials,
            recordings,
            back_end,
            training_speakers=_training_speakers(run),
            date=datetime.now(UTC).date().isoformat(),
            settings=settings,
        )


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


def _training_speakers(run: Path) -> frozenset[str] | None:
    """Return the names of the speakers the run was trained on, None where nothing says them."""
    from curvox.cli.runs import run_folder, training_corpus
    from curvox.errors import CheckpointError, InputError
    from curvox.training import read_training_state

    try:
        return frozenset(training_corpus(run, None).speakers)
    except (InputError, CheckpointError):
        pass
    try:
        return frozenset(read_training_state(run_folder(run) / "last")["curvox"]["speakers"])
    except CheckpointError:
        return None

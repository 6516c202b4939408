"""``curvox calibrate``: from labelled trials to the decision card of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.options import (
    CALIBRATION_KINDS,
    COHORT_RECORDINGS,
    BackEnd,
    Cohort,
    Data,
    Device,
    Overwrite,
    Resamples,
    Run,
    Scorer,
    Seed,
    Style,
    complete,
)

if TYPE_CHECKING:
    from curvox.embedder import CardSettings

Trials = Annotated[Path, typer.Option(help="Labelled trial list, of speakers the model was not trained on.")]
Kind = Annotated[
    str,
    typer.Option(
        help="Kind of calibration: logistic, or isotonic where there are many trials.",
        autocompletion=complete(CALIBRATION_KINDS),
    ),
]
Quality = Annotated[
    bool, typer.Option("--quality", help="Let duration, noise and size of the embeddings enter (logistic only).")
]
Rates = Annotated[
    list[str] | None,
    typer.Option("--rate", help="Further threshold, such as far:0.005 or frr:0.02; repeat for several, default none."),
]
Prior = Annotated[
    float, typer.Option(help="Prior probability of the same speaker where the calibration is to be best.")
]


def calibrate(
    run: Run,
    trials: Trials,
    data: Data = None,
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

    from curvox.cli.terminal import stages
    from curvox.corpora import read_trials
    from curvox.evaluating import calibrate as fit_and_store
    from curvox.reports import decision_card_text

    settings = _settings(kind, quality, prior, rate or [], resamples, seed)
    with stages(Console(stderr=True)) as progress:
        made = fit_and_store(
            run,
            read_trials(trials, style=style),
            data,
            back_end=back_end,
            scorer=scorer,
            settings=settings,
            per_speaker=cohort,
            overwrite=overwrite,
            device=device,
            progress=progress,
        )
    Console(highlight=False).print(decision_card_text(made.scoring))
    print(f"decision card: {made.path}")


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

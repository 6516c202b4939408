"""From a case to what the doctor says of it: a training, an observation, a diagnosis."""

from __future__ import annotations

import contextlib
import io
import shutil
import time
import warnings
from pathlib import Path

from rich.console import Console

from curvox.diagnosis import Diagnosis, diagnose_run
from curvox.errors import TrainingError
from curvox.testing.sabotage.case import Case
from curvox.testing.sabotage.corpora import Corpora
from curvox.testing.sabotage.outcome import Outcome, failed, outcome_of
from curvox.training import override, recipe_from, train
from curvox.training.observe import observe_run


def diagnose_case(case: Case, corpora: Corpora, folder: Path, *, recordings: int = 512) -> Diagnosis:
    """Train the case into a run below ``folder``, dead or alive, and diagnose it; the run is removed.

    Decoded audio stays in ``folder/.cache`` for the next case.
    """
    run = folder / case.slug
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(TrainingError):  # a run that dies is one of the things that the doctor has to see
            _train(case, corpora, run)
        observation = observe_run(run, build=case.build, prepare=case.prepare, recordings=recordings)
        diagnosis = diagnose_run(observation)
    shutil.rmtree(run, ignore_errors=True)
    return diagnosis


def _train(case: Case, corpora: Corpora, run: Path) -> None:
    recipe, before = case.recipe(corpora), run.with_name(f"{run.name}-before")
    if case.pretraining:
        _train(case.before(), corpora, before)
        tree = override(recipe.model_dump(mode="json"), [f"training.start_from={before}"])
        recipe = recipe_from(tree)
    shutil.rmtree(run, ignore_errors=True)
    train(recipe, run, build=case.build, prepare=case.prepare, console=Console(file=io.StringIO()))
    shutil.rmtree(before, ignore_errors=True)


def run_case(case: Case, corpora: Corpora, folder: Path, *, recordings: int = 512) -> Outcome:
    """Diagnose the case and say what was found; an error of training or doctor is an outcome too."""
    started = time.monotonic()
    try:
        diagnosis = diagnose_case(case, corpora, folder, recordings=recordings)
    except Exception as error:
        return failed(case, error, time.monotonic() - started)
    return outcome_of(case, diagnosis, time.monotonic() - started)

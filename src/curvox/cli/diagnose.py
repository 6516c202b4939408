"""``curvox diagnose``: why does a run, or a loss, not give useful embeddings?"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.options import SPACE_NAMES, Overwrite, Runs, complete, either
from curvox.errors import InputError, OutputExistsError, nearest, require_name

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor

    from curvox.cli.loss_source import LossSource
    from curvox.diagnosis import Diagnosis

FAIL_ON = ("failure", "warning")
SIGNATURES = (
    "embeddings, speakers", "pairs, same", "pairs, different", "pairs, sign", "pairs without labels", "triplets",
)  # fmt: skip
FAILED = 3

_DIM, _SPEAKERS, _RECORDINGS = 64, 16, 4
_NARROWEST, _WIDEST = 60, 100


def diagnose(
    target: Annotated[
        str, typer.Argument(help="Run, such as runs/x; FILE.py:NAME, a loss of your own; or a loss of the table.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Corpus folder or manifest; default for a run the one that it was trained on."),
    ] = None,
    takes: Annotated[
        str,
        typer.Option(
            help=f"Arguments that a loss of your own is called with: {either(tuple(map(repr, SIGNATURES)))}.",
            autocompletion=complete(SIGNATURES),
        ),
    ] = "embeddings, speakers",
    space: Annotated[
        str | None,
        typer.Option(
            help=f"Space where a loss of your own compares: {either(SPACE_NAMES)}; default euclidean.",
            autocompletion=complete(SPACE_NAMES),
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option(min=1, help="Number of steps of the short training that a loss is probed by.")
    ] = 80,
    runs: Runs = Path("runs"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for page and JSON; default RUN/diagnosis.")
    ] = None,
    overwrite: Overwrite = False,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="Severity of a finding to exit with 3 on: failure, or warning and worse; default none.",
            autocompletion=complete(FAIL_ON),
        ),
    ] = None,
) -> None:
    """Measure what a loss does, name the first cause of what is wrong with it, and say what to do.

    A run may be finished, running or dead. A loss that was not trained yet is looked at on one batch, and then on a
    short training of a small encoder.
    """
    from rich.console import Console

    if fail_on is not None:
        require_name(fail_on, FAIL_ON, "severity to fail on")
    console = Console(stderr=True)
    command = shlex.join(["curvox", *sys.argv[1:]])
    if Path(target).is_dir():
        found = [diagnose_run_folder(Path(target), data, output, overwrite, command, console)]
    else:
        loss = _loss(target, takes, space)
        if data is None:
            raise InputError(f"{target} is probed by a short training on real recordings: name a corpus with --data")
        found = diagnose_loss(loss, data, runs, output, overwrite, steps, command, console)
    if fail_on is not None and any(_is_as_bad(diagnosis, fail_on) for diagnosis in found):
        raise typer.Exit(FAILED)


def diagnose_run_folder(
    folder: Path, data: Path | None, output: Path | None, overwrite: bool, command: str, console: Console
) -> Diagnosis:
    """Diagnose a run, print what was found and write page and JSON.

    Raises:
        InputError: the folder is no run, or holds nothing to look at.
        OutputExistsError: there is a diagnosis already, and ``overwrite`` is not set.
    """
    from curvox.diagnosis import diagnose_run
    from curvox.evaluating import run_folder
    from curvox.files import require_replaceable
    from curvox.reports import DIAGNOSIS_FILES, write_diagnosis_folder
    from curvox.training import observe_run

    run = run_folder(folder)
    check_run(run)
    place = output or run / "diagnosis"
    require_replaceable(place, DIAGNOSIS_FILES, "a diagnosis", overwrite=overwrite)
    observation = observe_run(run, data=data, console=console)
    diagnosis = diagnose_run(observation)
    print(_summary(diagnosis))
    write_diagnosis_folder(place, diagnosis, observation, name=run.name, command=command)
    console.print(f"page and JSON: {place}", markup=False, highlight=False)
    return diagnosis


def diagnose_loss(
    loss: LossSource,
    data: Path,
    runs: Path,
    output: Path | None,
    overwrite: bool,
    steps: int,
    command: str,
    console: Console,
) -> list[Diagnosis]:
    """Diagnose a loss on one batch and after a short training; both are printed, the second is written.

    Raises:
        InputError: the loss cannot be built or called.
        OutputExistsError: an earlier probe is in the way, and ``overwrite`` is not set.
    """
    from curvox.diagnosis import diagnose as diagnose_batch
    from curvox.diagnosis import diagnose_run
    from curvox.files import require_replaceable
    from curvox.reports import DIAGNOSIS_FILES, write_diagnosis_folder
    from curvox.training import compares_items, probe_loss, small_recipe

    folder = runs / f"probe-{loss.name}"
    place = output or folder / "diagnosis"
    require_replaceable(place, DIAGNOSIS_FILES, "a diagnosis", overwrite=overwrite)
    _claim_probe(folder, overwrite)
    embeddings, speakers = batch()
    built = loss.make(_DIM, _SPEAKERS)
    before = diagnose_batch(built, embeddings, speakers)
    print(f"{loss.name}, on one batch\n\n{_summary(before)}\n")
    sys.stdout.flush()
    recipe = small_recipe(str(data.resolve()), whole_batch=compares_items(built))
    observation = probe_loss(loss.make, recipe, folder, steps=steps, console=console)
    after = diagnose_run(observation)
    print(f"{loss.name}, after {steps} steps of a small encoder\n\n{_summary(after)}")
    write_diagnosis_folder(place, after, observation, name=loss.name, command=command)
    console.print(f"page and JSON: {place}", markup=False, highlight=False)
    return [before, after]


def check_run(run: Path) -> None:
    """Refuse a folder that holds no run, or nothing of it yet.

    Raises:
        InputError: the message says what is missing.
    """
    if not (run / "recipe.yaml").is_file():
        raise InputError(f"{run} is no run: it holds no recipe.yaml; name a folder that curvox train left, runs/NAME")
    parts = [run / "best", run / "last", run / "failure.json", *run.glob("logs/version_*/metrics.csv")]
    if not any(part.exists() for part in parts):
        raise InputError(
            f"{run} holds neither logs nor a checkpoint, so there is nothing to look at yet: wait for the first steps, "
            "or train it again"
        )


def batch() -> tuple[Tensor, Tensor]:
    """Return embeddings (64, 64) that are half way to telling 16 speakers apart, and the speakers (64,)."""
    import torch

    generator = torch.Generator().manual_seed(1)
    speakers = torch.arange(_SPEAKERS).repeat_interleave(_RECORDINGS)
    centres = torch.randn(_SPEAKERS, _DIM, generator=generator)
    return centres[speakers] + torch.randn(len(speakers), _DIM, generator=generator), speakers


def _loss(target: str, takes: str, space: str | None) -> LossSource:
    from curvox.cli.loss_source import read_loss
    from curvox.losses import LOSSES

    is_file = ":" in target or target.endswith(".py")
    if not is_file and target not in LOSSES:
        raise InputError(
            f'"{target}" is neither the folder of a run, nor FILE.py:NAME, nor a loss of the table: '
            f"{nearest(target, LOSSES)}"
        )
    return read_loss(target, takes=takes, space=space)


def _claim_probe(folder: Path, overwrite: bool) -> None:
    """Make room for the short training; only what an earlier one left is ever removed."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise OutputExistsError(f"{folder} exists already: replace it with --overwrite, or name another --runs")
    if not (folder / "recipe.yaml").is_file():
        raise OutputExistsError(f"{folder} is no earlier probe, so it is not replaced; name another --runs")
    shutil.rmtree(folder)


def _summary(diagnosis: Diagnosis) -> str:
    from curvox.diagnosis import summary

    columns = shutil.get_terminal_size((_WIDEST, 24)).columns
    return summary(diagnosis, width=min(max(columns, _NARROWEST), _WIDEST))


def _is_as_bad(diagnosis: Diagnosis, severity: str) -> bool:
    worse = FAIL_ON[: FAIL_ON.index(severity) + 1]
    return any(finding.severity in worse for finding in diagnosis.findings)

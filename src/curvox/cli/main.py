"""The command ``curvox``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from curvox.cli.bench import bench
from curvox.cli.calibrate import calibrate
from curvox.cli.cite import cite
from curvox.cli.command import Command
from curvox.cli.compare import compare
from curvox.cli.data import app as data_app
from curvox.cli.demo import demo
from curvox.cli.diagnose import diagnose
from curvox.cli.embed import embed
from curvox.cli.eval import evaluate_run
from curvox.cli.hierarchy import hierarchy
from curvox.cli.identify import identify
from curvox.cli.losses import losses
from curvox.cli.train import train
from curvox.cli.verify import verify
from curvox.errors import CurvoxError, TrainingInterruptedError

app = typer.Typer(
    name="curvox",
    help="Speaker embeddings with the loss in the middle: train, evaluate, calibrate, verify.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for name, command in {
    "train": train,
    "eval": evaluate_run,
    "compare": compare,
    "bench": bench,
    "embed": embed,
    "calibrate": calibrate,
    "verify": verify,
    "identify": identify,
    "diagnose": diagnose,
    "hierarchy": hierarchy,
    "losses": losses,
    "demo": demo,
    "cite": cite,
}.items():
    app.command(name, cls=Command)(command)
app.add_typer(data_app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("curvox"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an error of curvox prints its message and exits with 1, a signal with 128 and its number,
    130 for Ctrl-C."""
    try:
        app(prog_name="curvox")
    except CurvoxError as error:
        from rich.console import Console

        Console(stderr=True).print("[bold red]error:[/] ", end="")
        print(error, file=sys.stderr)
        sys.exit(128 + error.signal if isinstance(error, TrainingInterruptedError) else 1)
    except OSError as error:
        print(f"error: {error.strerror or error}: {error.filename or 'no file named'}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)

"""What commands show and say in one way: progress bars, and JSON into a file or to standard output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

STANDARD_OUTPUT = Path("-")


@contextmanager
def json_output(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Refuse an existing file now and not after the work; yield what writes the text of a JSON document.

    Without a path nothing is written, and ``-`` is standard output.
    """
    from curvox.files import new_file

    if path is None:
        yield lambda text: None
    elif path == STANDARD_OUTPUT:
        yield partial(print, end="")
    else:
        with new_file(path) as file:

            def write(text: str) -> None:
                file.write(text.encode())

            yield write


@contextmanager
def counting(console: Console, text: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, of how many) that shows one bar; the bar goes when all is done."""
    with stages(console) as show:
        yield partial(show, text)


@contextmanager
def stages(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function of (what, done, of how many) that shows one bar at a time; of 0 it goes on until the next."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=None)

    def show(what: str, done: int, total: int) -> None:
        if (done < total or not total) and not bar.live.is_started:
            bar.start()
        bar.update(task, description=escape(what), completed=done, total=total or None)
        if done >= total > 0:
            bar.stop()

    try:
        yield show
    finally:
        bar.stop()

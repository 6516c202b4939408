"""``curvox data check``: what is wrong with a corpus, before anything is trained on it."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from curvox.diagnosis import CorpusExamination

SHOWN = 20


def check(
    path: Annotated[Path, typer.Argument(help="Corpus folder or manifest.")],
    format: Annotated[
        str | None, typer.Option(help="tsv, csv, folders, kaldi or lhotse; default: by the files there.")
    ] = None,
    audio_root: Annotated[Path | None, typer.Option(help="Folder that holds recordings with absolute paths.")] = None,
    audio: Annotated[
        bool, typer.Option("--audio/--no-audio", help="Decode every recording, or look at manifest and files alone.")
    ] = True,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Recordings decoded at a time; default as many as processors, at most 16.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings too let the check fail.")] = False,
    page: Annotated[Path | None, typer.Option(help="HTML file to write, with plots; default none.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="JSON file to write; default none.")] = None,
) -> None:
    """Validate a corpus: line by line, recording by recording, speaker by speaker.

    Exits with 0 when a training may start, with 1 on an error (with --strict also on a warning, or when there is no
    corpus to check), with 2 when the command was not understood. Notes never count. Of each kind of problem the first
    20 are printed; --json lists all.
    """
    from rich.console import Console

    from curvox.cli.progress import counting
    from curvox.diagnosis import examination_dict, examine_corpus
    from curvox.files import new_file
    from curvox.reports import render_corpus_page

    with ExitStack() as outputs:
        files = [new_file(file) if file is not None else None for file in (page, json_file)]
        with counting(Console(stderr=True), "reading recordings") as progress:
            found = examine_corpus(
                path, format=format, audio_root=audio_root, audio=audio, threads=threads, progress=progress
            )
        if files[0] is not None:
            command = shlex.join(["curvox", *sys.argv[1:]])
            text = render_corpus_page(found, name=path.resolve().name, command=command)
            outputs.enter_context(files[0]).write(text.encode())
        if files[1] is not None:
            text = json.dumps(examination_dict(found), indent=1, allow_nan=False)
            outputs.enter_context(files[1]).write(f"{text}\n".encode())
    _show(found)
    for file in (page, json_file):
        if file is not None:
            print(file)
    if not found.passes(strict=strict):
        raise typer.Exit(1)


def _show(found: CorpusExamination) -> None:
    report = found.report
    lengths_s = [balance.duration_s for balance in found.figures.balances]
    known_s = [length for length in lengths_s if length is not None]
    hours = f"{sum(known_s) / 3600:.2f} h" if known_s and len(known_s) == len(lengths_s) else "unknown length"
    print(f"{report.path} ({report.format}): {report.speakers} speakers, {report.utterances} utterances, {hours}")
    for balance in found.figures.balances:
        words = [f"{balance.speakers} speakers, {balance.utterances} utterances"]
        words.append(f"{balance.fewest} to {balance.most} of a speaker")
        if balance.one_utterance:
            words.append(f"{balance.one_utterance} with one utterance")
        if balance.one_session:
            words.append(f"{balance.one_session} with one session")
        print(f"  {balance.split or 'all'}: {', '.join(words)}")
    if found.figures.rates_hz:
        print("  " + ", ".join(f"{count} at {rate} Hz" for rate, count in found.figures.rates_hz.items()))
    shown: Counter[str] = Counter()
    for problem in found.problems:
        shown[problem.kind] += 1
        if shown[problem.kind] <= SHOWN:
            print(problem)
    for kind, number in shown.items():
        if number > SHOWN:
            print(f"and {number - SHOWN} more of {kind}")
    counts = [f"{number} {badness}{'s' * (number > 1)}" for badness, number in found.counts.items() if number]
    print(", ".join(counts) if counts else "no problems", file=sys.stderr if counts else sys.stdout)

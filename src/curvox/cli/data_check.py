"""``curvox data check``: what is wrong with a corpus, before anything is trained on it."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curvox.cli.options import AudioRoot, Corpus, CorpusFormat, JsonFile, Threads

if TYPE_CHECKING:
    from curvox.diagnosis import CorpusExamination

SHOWN = 20


def check(
    path: Corpus,
    format: CorpusFormat = None,
    audio_root: AudioRoot = None,
    decode: Annotated[
        bool, typer.Option("--decode/--no-decode", help="Decode every recording, or look at manifest and files alone.")
    ] = True,
    threads: Threads = None,
    strict: Annotated[bool, typer.Option("--strict", help="Let the check fail on warnings too.")] = False,
    page: Annotated[Path | None, typer.Option(help="New HTML file to write, with plots; default none.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Validate a corpus: line by line, recording by recording, speaker by speaker.

    Exits with 0 when a training may start, with 1 on an error (with --strict also on a warning, or when there is no
    corpus to check), with 2 when the command was not understood. Notes never count. Of each kind of problem the first
    20 are printed; --json lists all of them.
    """
    from rich.console import Console

    from curvox.cli.terminal import STANDARD_OUTPUT, counting, json_output
    from curvox.diagnosis import examination_dict, examine_corpus
    from curvox.files import new_file
    from curvox.reports import render_corpus_page

    with json_output(json_file) as write_json:
        page_file = None if page is None else new_file(page)
        with counting(Console(stderr=True), "reading recordings") as progress:
            found = examine_corpus(
                path, format=format, audio_root=audio_root, audio=decode, threads=threads, progress=progress
            )
        if page_file is not None:
            command = shlex.join(["curvox", *sys.argv[1:]])
            text = render_corpus_page(found, name=path.resolve().name, command=command)
            with page_file as file:
                file.write(text.encode())
        write_json(json.dumps(examination_dict(found), indent=1, allow_nan=False) + "\n")
    if json_file != STANDARD_OUTPUT:
        _show(found)
        for file in filter(None, (page, json_file)):
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

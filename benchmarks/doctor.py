"""How often does the loss doctor name the right cause, and how often does it see one where there is none?

    python benchmarks/doctor.py --data OPENVOICES [--seeds dev|test] [--cases N | --smoke] [--only CAUSE] [--jobs 2]

Trains every case of ``sabotage/``, sabotaged in a known way or healthy, on synthetic voices and on a part
of openvoices, and diagnoses each run as ``curvox diagnose`` does. Every result is appended to a JSONL file at once, and
a second call goes on where the first one stopped; ``--fresh`` begins anew. Prints the tables, and writes them to
benchmarks/results/doctor.md when all cases are there. Takes half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from pathlib import Path

import torch
from measuring import keep_as_they_come, machine
from sabotage import (
    CASES,
    Case,
    Corpora,
    Outcome,
    case_of,
    make_corpora,
    outcome_from,
    run_case,
    tally,
    wilson,
)

RESULTS = Path(__file__).parent / "results" / "doctor.md"
PARTS = ("dev", "test")
Rows = list[list[str]]

SMOKE = (
    "label_blind/kl 0.1/voices/1",
    "never_satisfied/hinge 1/voices/1",
    "not_finite/root/voices/1",
    "frozen_parameters/all but the last/voices/1",
    "silent_recordings/zeros/voices/1",
    "dimensional_collapse/rank 1/voices/1",
    "healthy/contrastive hinge, usual/openvoices/5",
    "healthy/aam, usual/voices/1",
)
"""A handful of all kinds."""


def main() -> None:
    arguments = _arguments()
    cases = _chosen(arguments)
    work = Path(arguments.work)
    work.mkdir(parents=True, exist_ok=True)
    log = work / "doctor.jsonl"
    if arguments.fresh:
        log.unlink(missing_ok=True)
    corpora = make_corpora(work / "corpora", arguments.data)
    started = time.monotonic()
    _run_missing(cases, corpora, work / "runs", log, arguments.jobs)
    known = _read(log)
    outcomes = [known[case.name] for case in cases if case.name in known]
    text = report(outcomes, time.monotonic() - started)
    print(text)
    if len(cases) == len(CASES):
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of openvoices; without it only cases on synthetic voices run")
    parser.add_argument("--seeds", choices=PARTS, help="the seeds thresholds were set on, or those they are tested on")
    parser.add_argument("--cases", type=int, help="run so many cases, evenly from the catalogue")
    parser.add_argument("--smoke", action="store_true", help="run a handful of cases")
    parser.add_argument("--only", action="append", help="run cases whose name begins like this; may come twice")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "curvox-doctor"), help="working folder")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier call found")
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> list[Case]:
    cases = [case_of(name) for name in SMOKE] if arguments.smoke else list(CASES.values())
    cases = [case for case in cases if arguments.seeds in (None, case.part)]
    cases = [case for case in cases if arguments.data is not None or case.corpus == "voices"]
    if arguments.only:
        cases = [case for case in cases if case.name.startswith(tuple(arguments.only))]
    if arguments.cases and arguments.cases < len(cases):
        cases = [cases[i * len(cases) // arguments.cases] for i in range(arguments.cases)]
    if not cases:
        sys.exit("no case is left: ask for less, or pass --data")
    return cases


def _read(log: Path) -> dict[str, Outcome]:
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    outcomes = [outcome_from(json.loads(line)) for line in lines]
    return {outcome.case: outcome for outcome in outcomes}


def _one_thread() -> None:
    torch.set_num_threads(1)


def _run_missing(cases: Sequence[Case], corpora: Corpora, runs: Path, log: Path, jobs: int) -> None:
    known = _read(log)
    missing = [case for case in cases if case.name not in known]
    if not missing:
        return
    if jobs == 1:
        _one_thread()
        keep_as_they_come((_run(case.name, corpora, runs) for case in missing), len(missing), log, _told)
        return
    # spawned, because a fork of a process in which torch runs threads may hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_one_thread) as pool:
        waiting = [pool.submit(_run, case.name, corpora, runs) for case in missing]
        keep_as_they_come((job.result() for job in as_completed(waiting)), len(missing), log, _told)


def _run(name: str, corpora: Corpora, runs: Path) -> Outcome:
    return run_case(case_of(name), corpora, runs)


def _told(outcome: Outcome) -> str:
    said = "right" if outcome.right else f"WRONG: {outcome.first} {outcome.error}"
    return f"{outcome.case}: {said}"


def report(outcomes: Sequence[Outcome], seconds: float) -> str:
    """All tables as Markdown."""
    busy_s = sum(outcome.seconds for outcome in outcomes)
    head = (
        f"`python benchmarks/doctor.py --data DATA`, {date.today().isoformat()}, {machine()}; {len(outcomes)} runs, "
        f"{busy_s / 60:.0f} minutes of one thread, {seconds / 60:.0f} minutes in all.\n\n"
        "Thresholds are set on the seeds of `dev` (1, 2) and tested on those of `test` (5, 6). The first test set, "
        "seeds 3 and 4, had 90 of 95 right and no failure in 27 healthy runs; three misses of channel_shortcut led to "
        "a wider threshold, so that these seeds count as seen."
    )
    sections = [("Shares", _shares(outcomes))]
    for part in PARTS:
        of_part = [outcome for outcome in outcomes if outcome.part == part]
        sections += [(f"Sabotaged, {part}", _by_cause(of_part)), (f"Healthy, {part}", _by_loss(of_part))]
    sections.append(("Every run that was told wrongly", _wrong(outcomes)))
    return "\n\n".join([head, *(f"#### {title}\n\n{body}" for title, body in sections)]) + "\n"


def _shares(outcomes: Sequence[Outcome]) -> str:
    rows: Rows = []
    for part in PARTS:
        ill = [o for o in outcomes if o.part == part and o.group == "sabotaged"]
        well = [o for o in outcomes if o.part == part and o.group == "healthy"]
        rows.append([part, "right first cause", *_share(tally(ill).first, len(ill))])
        rows.append([part, "cause found at all", *_share(len(ill) - tally(ill).missed, len(ill))])
        rows.append([part, "healthy runs with a failure", *_share(_count(well, "failure", "error"), len(well))])
        rows.append([part, "healthy runs with a warning at worst", *_share(_count(well, "warning"), len(well))])
    return _table(["seeds", "what", "runs", "share", "95 % interval (Wilson)"], rows)


def _count(outcomes: Iterable[Outcome], *verdicts: str) -> int:
    return sum(outcome.verdict in verdicts for outcome in outcomes)


def _share(hits: int, runs: int) -> list[str]:
    low, high = wilson(hits, runs)
    share = f"{100 * hits / runs:.0f} %" if runs else "-"
    return [f"{hits} of {runs}", share, f"{100 * low:.0f} to {100 * high:.0f} %"]


def _by_cause(outcomes: Sequence[Outcome]) -> str:
    ill = [outcome for outcome in outcomes if outcome.group == "sabotaged"]
    rows: Rows = []
    for cause in dict.fromkeys(outcome.cause for outcome in ill):
        counts = tally(outcome for outcome in ill if outcome.cause == cause)
        instead = ", ".join(f"{name} {times}" for name, times in counts.instead.items())
        rows.append([cause, *map(str, (counts.runs, counts.first, counts.found, counts.missed)), instead])
    return _table(["cause", "runs", "named first", "found, not first", "missed", "named instead"], rows)


def _by_loss(outcomes: Sequence[Outcome]) -> str:
    well = [outcome for outcome in outcomes if outcome.group == "healthy"]
    rows: Rows = []
    for loss in dict.fromkeys(_loss(outcome) for outcome in well):
        own = [outcome for outcome in well if _loss(outcome) == loss]
        said = sorted({f"{c} ({s})" for o in own for c, s, _ in o.findings if s in ("failure", "warning")})
        failures, warnings = _count(own, "failure", "error"), _count(own, "warning")
        rows.append([loss, str(len(own)), str(failures), str(warnings), ", ".join(said)])
    return _table(["loss", "runs", "with a failure", "with a warning at worst", "what was said"], rows)


def _loss(outcome: Outcome) -> str:
    return outcome.case.split("/")[1].rpartition(", ")[0]


def _wrong(outcomes: Sequence[Outcome]) -> str:
    rows: Rows = []
    for outcome in outcomes:
        if not outcome.right:
            said = "; ".join(f"{cause} ({severity})" for cause, severity, _ in outcome.findings[:5])
            rows.append([outcome.case, said or outcome.error[:200], outcome.evidence[:300]])
    return _table(["run", "findings in order", "evidence of the first"], rows) if rows else "None."


def _table(head: list[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    main()

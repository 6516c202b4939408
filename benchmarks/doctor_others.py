"""What does the doctor say of losses that others wrote, sound and with the faults that people make?

    python benchmarks/doctor_others.py --data OPENVOICES [--smoke | --cases N] [--only NAME] [--jobs 2]

Trains a small network on statistics of openvoices by each sound loss of ``mutants/sound.py``, and by each mutant: a
sound loss with one fault of ``mutants/operators.py``. The dev EER says which mutants count: one that is as good as its
sound loss within the loss's seeds is equivalent. Each is put to the doctor on a batch, `curvox.diagnose`, and after its
training, `diagnose_run`. Whole families and whole operators are left out of what thresholds may be set on, by a
hash. Results are appended to JSONL files at once, and a second call goes on where the first one stopped; ``--fresh``
begins anew, ``--report`` only prints. Without ``--data`` synthetic voices are taken, and the report says so. Writes
benchmarks/results/doctor_others.md when all cases are there. Takes half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from pathlib import Path

import torch
from measuring import keep_as_they_come, machine
from mutants import counting
from mutants.asking import NOISE, Outcome, ask_mutant, ask_sound, untrained_eer
from mutants.operators import OPERATORS, PLANNED, drawn, left_out
from mutants.sound import FAMILIES, SOUND
from mutants.voices import Voices, load_voices

RESULTS = Path(__file__).parent / "results" / "doctor_others.md"

SMOKE = {
    "plain/contrastive cosine": ("labels_inverted", "only_positive_rows"),
    "plain/triplet cosine": ("sign_turned",),
    "pml/SupConLoss": ("labels_shuffled",),
    "torch.nn/CrossEntropyLoss": ("rank_bottleneck",),
}
"""A handful."""

Job = tuple[str, str]
"""A sound loss, and the operator, "" for none."""


def main() -> None:
    arguments = _arguments()
    work = Path(arguments.work)
    work.mkdir(parents=True, exist_ok=True)
    if arguments.fresh:
        for log in work.glob("*.jsonl"):
            log.unlink()
    voices = load_voices(arguments.data, work)
    started = time.monotonic()
    jobs = chosen(arguments)
    if not arguments.report:
        until = started + 60 * arguments.minutes
        _run_missing([job for job in jobs if not job[1]], voices, work, arguments, until)
        _run_missing([job for job in jobs if job[1]], voices, work, arguments, until)
    known = read(work)
    outcomes = [known[job] for job in jobs if job in known]
    untrained = untrained_eer(voices)
    useful = {o.sound for o in outcomes if not o.operator and counting.trains(o, untrained)}
    left = [job for job in jobs if job not in known and (not job[1] or job[0] in useful)]
    if left:
        print(f"{len(left)} of {len(jobs)} cases are missing", file=sys.stderr)
        if not arguments.report:
            return
    text = report(outcomes, voices, untrained)
    print(text)
    if not left and len(jobs) == len(all_jobs()) and arguments.data is not None:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of openvoices; without it synthetic voices are taken")
    parser.add_argument("--smoke", action="store_true", help="a handful of cases")
    parser.add_argument("--cases", type=int, help="about so many mutants, drawn by a hash")
    parser.add_argument("--only", action="append", help="losses or operators whose name holds this; may come twice")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--slice", default="1/1", help="K/N: every N-th case, for several calls side by side")
    parser.add_argument("--minutes", type=float, default=1e6, help="start no case after so many")
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "curvox-doctor-others"), help="folder")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier calls found")
    parser.add_argument("--report", action="store_true", help="run nothing, print the tables of what is there")
    return parser.parse_args()


def all_jobs() -> list[Job]:
    """Every sound loss, then every mutant in an order of no meaning, so that a part of them stands for all."""
    mutants = [(sound.name, op.name) for sound in SOUND.values() for op in OPERATORS.values() if op.chosen(sound)]
    return [*((name, "") for name in SOUND), *sorted(mutants, key=lambda job: drawn(f"order {job}"))]


def chosen(arguments: argparse.Namespace) -> list[Job]:
    """The cases that are asked for."""
    if arguments.smoke:
        return [*((name, "") for name in SMOKE), *((name, op) for name, ops in SMOKE.items() for op in ops)]
    jobs = all_jobs()
    if arguments.only:
        jobs = [(s, o) for s, o in jobs if not o or any(word in s or word in o for word in arguments.only)]
        needed = {s for s, o in jobs if o}
        jobs = [(s, o) for s, o in jobs if s in needed or any(word in s for word in arguments.only)]
    if arguments.cases:
        losses, mutants = [job for job in jobs if not job[1]], [job for job in jobs if job[1]]
        jobs = [*losses, *mutants[: arguments.cases]]
    return jobs


def read(work: Path) -> dict[Job, Outcome]:
    """What earlier calls found."""
    lines = [line for log in sorted(work.glob("*.jsonl")) for line in log.read_text(encoding="utf-8").splitlines()]
    outcomes = [Outcome.read(json.loads(line)) for line in lines]
    return {(outcome.sound, outcome.operator): outcome for outcome in outcomes}


def _run_missing(jobs: Sequence[Job], voices: Voices, work: Path, arguments: argparse.Namespace, until: float) -> None:
    known, (number, of) = read(work), map(int, arguments.slice.split("/"))
    missing = [job for i, job in enumerate(jobs) if job not in known and i % of == number - 1]
    trained = {s for (s, o), found in known.items() if not o and counting.trains(found, untrained_eer(voices))}
    missing = [(s, o) for s, o in missing if not o or s in trained]
    asked = [(s, o, known[s, ""].eers if o else ()) for s, o in missing]
    log = work / f"others-{number}-of-{of}.jsonl"
    if arguments.jobs == 1 or len(asked) < 2:
        _one_thread()
        keep_as_they_come((ask(*one, voices) for one in asked if time.monotonic() < until), len(asked), log, _told)
        return
    # spawned, because a fork of a process in which torch runs threads may hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context, initializer=_one_thread) as pool:
        waiting = [pool.submit(_ask_until, until - time.monotonic() + time.time(), *one, voices) for one in asked]
        keep_as_they_come(
            (o for job in as_completed(waiting) if (o := job.result()) is not None), len(asked), log, _told
        )


def _one_thread() -> None:
    torch.set_num_threads(1)


def _ask_until(until: float, name: str, operator: str, eers: Sequence[float], voices: Voices) -> Outcome | None:
    return ask(name, operator, eers, voices) if time.time() < until else None


def ask(name: str, operator: str, eers: Sequence[float], voices: Voices) -> Outcome:
    """Train and ask; whatever the losses of others warn of stays out of the report."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ask_mutant(name, operator, eers, voices) if operator else ask_sound(name, voices)


def _told(outcome: Outcome) -> str:
    heard = f"EER {100 * outcome.eer:.1f} %, {outcome.run[0].first}" if outcome.run else outcome.died[:80]
    return f"{outcome.name}: {heard}"


def report(outcomes: Sequence[Outcome], voices: Voices, untrained: float) -> str:
    """All tables as Markdown."""
    results = counting.results_of(outcomes, untrained)
    parts = ["what", "goal", *counting.PARTS]
    columns = ["mutants", "equivalent", "useless", "right first, batch", "right first, run", "named instead, run"]
    sections = [
        ("Shares, asked after a training", _table(parts, counting.shares(results, "run"))),
        ("Shares, asked on a batch", _table(parts, counting.shares(results, "batch"))),
        ("Operators", _table(["operator", "accepted causes", *columns], counting.by_operator(results))),
        (
            "Families",
            _table(["family", "losses", "failure, warning first, run", *columns], counting.by_family(results)),
        ),
        ("Sound losses", _losses(results)),
        ("Told of sound losses", _table(["told", "losses", "times", "which"], counting.false_alarms(results))),
        ("Misses after a training", _misses(results, "run")),
        ("Misses on a batch", _misses(results, "batch")),
    ]
    body = "\n\n".join(f"#### {title}\n\n{text}" for title, text in sections)
    return f"{_head(results, outcomes, voices)}\n\n{body}\n"


def _head(results: counting.Results, outcomes: Sequence[Outcome], voices: Voices) -> str:
    counted = [o for o in results.mutants if results.counts(o)]
    useless = [o for o in counted if results.useless(o)]
    eers = sorted(o.eer for o in results.sound.values())
    losses = f"{len(results.sound)} sound losses train to a dev EER of {100 * eers[0]:.1f} to {100 * eers[-1]:.1f} %"
    middle = f"median {100 * eers[len(eers) // 2]:.1f} %, a network at random has {100 * results.untrained:.1f} %"
    lost = sorted(o.eer for o in useless)
    bad = f"the useless ones have {100 * lost[len(lost) // 2]:.1f} % in the median" if lost else "none is useless"
    out = ", ".join(family for family in FAMILIES if left_out(family))
    tried = sum(bool(o.remedied) for o in counted)
    refused = sum(results.refused(o) for o in results.mutants)
    parts = [
        f"`python benchmarks/doctor_others.py --data DATA`, {date.today().isoformat()}, {machine()}; {voices.name}, "
        f"{voices.count} training speakers; {len(outcomes)} cases, {sum(o.seconds for o in outcomes) / 60:.0f} minutes "
        "of one thread.",
        f"{losses} ({middle}; seeds of one loss spread by {100 * counting.spread_of_seeds(results):.1f} points, "
        f"{100 * NOISE:.1f} are reckoned with). {len(results.mutants)} mutants: "
        f"{len(results.mutants) - len(counted) - refused} are equivalent and {refused} end in an error at "
        f"once, which do not count; {len(counted)} are worse than their sound loss, {len(useless)} of them useless "
        f"(more than half of the gain is lost); {bad}. The remedy of the first cause was a line that could be changed "
        f"for {tried}. {len(results.unsound)} losses do not train here and do not count: "
        f"{', '.join(o.name for o in results.unsound) or 'none'}.",
        f"Left out (*): the families {out}; the operators {', '.join(name for name in OPERATORS if left_out(name))}. "
        "Brackets are intervals of 95 % by Wilson. Accepted causes that the doctor does not know yet are among "
        f"{', '.join(PLANNED)}.",
    ]
    return "\n\n".join(parts)


def _losses(results: counting.Results) -> str:
    rows = []
    for outcome in sorted(results.sound.values(), key=lambda o: o.eer):
        said = {part: ", ".join(dict.fromkeys(v.first for v in getattr(outcome, part))) for part in ("batch", "run")}
        eers = ", ".join(f"{100 * eer:.1f}" for eer in outcome.eers)
        rows.append([outcome.name, SOUND[outcome.sound].family, eers, said["batch"], said["run"]])
    return _table(["loss", "family", "dev EER % of the seeds", "first on batches", "first after trainings"], rows)


def _misses(results: counting.Results, asked: str) -> str:
    return _table(["said", "of", "cases", "losses", "evidence of one"], counting.misses(results, asked))


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    main()

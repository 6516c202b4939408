"""From a case to what the doctor says of it, and how often it is right: training, observation, diagnosis, counts."""

from __future__ import annotations

import contextlib
import io
import math
import shutil
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from curvox.diagnosis import Diagnosis, diagnose_run
from curvox.errors import TrainingError
from curvox.training import override, recipe_from, train
from curvox.training.observe import observe_run
from sabotage.case import Case, Corpora


@dataclass(frozen=True)
class Outcome:
    """What was found in a case.

    Attributes:
        case, cause, group, part, corpus: of the case.
        findings: (cause, severity, cause it is explained by or ""), the first in front.
        evidence: of the first finding, in words.
        seconds: of training and diagnosis.
        error: what was raised, "" where nothing was.
    """

    case: str
    cause: str
    group: str
    part: str
    corpus: str
    findings: tuple[tuple[str, str, str], ...]
    evidence: str = ""
    seconds: float = 0.0
    error: str = ""

    @property
    def first(self) -> str:
        """The first cause; "error" where the doctor failed."""
        return self.findings[0][0] if self.findings else "error"

    @property
    def verdict(self) -> str:
        """Of a sabotaged run "first", "found" (but not first) or "missed"; of a healthy one the worst severity."""
        if self.group == "healthy":
            return self.findings[0][1] if self.findings else "error"
        if self.first == self.cause:
            return "first"
        return "found" if any(cause == self.cause for cause, _, _ in self.findings) else "missed"

    @property
    def right(self) -> bool:
        """The right first cause, or no failure in a healthy run and the note that has to be there."""
        if self.group == "sabotaged":
            return self.verdict == "first"
        noted = not self.cause or any(cause == self.cause for cause, _, _ in self.findings)
        return noted and self.verdict not in ("failure", "error")


def outcome_of(case: Case, diagnosis: Diagnosis, seconds: float) -> Outcome:
    """What ``diagnosis`` says of ``case``."""
    findings = tuple((f.cause, f.severity, f.because_of) for f in diagnosis.findings)
    numbers = "; ".join(f"{e.measure} {e.value:.4g} (healthy: {e.healthy})" for e in diagnosis.first.evidence)
    return Outcome(
        case.name, case.cause, case.group, case.part, case.corpus, findings, numbers, round(seconds, 1)
    )  # fmt: skip


def failed(case: Case, error: BaseException, seconds: float) -> Outcome:
    """The doctor did not come to an end."""
    text = f"{type(error).__name__}: {error}"
    return Outcome(case.name, case.cause, case.group, case.part, case.corpus, (), "", round(seconds, 1), text)


def outcome_from(tree: dict[str, Any]) -> Outcome:
    """An outcome from its fields, as ``dataclasses.asdict`` and JSON give them."""
    return Outcome(**{**tree, "findings": tuple(tuple(finding) for finding in tree["findings"])})


@dataclass(frozen=True)
class Tally:
    """Counts over some outcomes.

    Attributes:
        runs: how many.
        first, found, missed: of the sabotaged ones: named first, found behind another, not found.
        instead: what was named first where another cause was right, with how often.
    """

    runs: int
    first: int
    found: int
    missed: int
    instead: dict[str, int]


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """Count sabotaged outcomes."""
    outcomes = tuple(outcomes)
    verdicts = [outcome.verdict for outcome in outcomes]
    instead: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.verdict != "first":
            instead[outcome.first] = instead.get(outcome.first, 0) + 1
    first, found, missed = (verdicts.count(word) for word in ("first", "found", "missed"))
    return Tally(len(outcomes), first, found, missed, instead)


def wilson(hits: int, runs: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share by Wilson 1927 (doi:10.1080/01621459.1927.10502953), at 95 % for the default ``z``."""
    if runs == 0:
        return 0.0, 1.0
    share = hits / runs
    middle = (share + z**2 / (2 * runs)) / (1 + z**2 / runs)
    half = z / (1 + z**2 / runs) * math.sqrt(share * (1 - share) / runs + z**2 / (4 * runs**2))
    return max(0.0, middle - half), min(1.0, middle + half)


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

"""The doctor on a corpus before anything is trained on it: what the manifest tells, and what only the audio does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curvox.corpora import CorpusReport, check_corpus
from curvox.diagnosis.corpus.facts import CorpusFacts, measure_corpus
from curvox.diagnosis.corpus.figures import CorpusFigures, corpus_figures
from curvox.diagnosis.corpus.problems import BADNESS, Badness, CorpusProblem, corpus_problems


@dataclass(frozen=True, eq=False)
class CorpusExamination:
    """Everything that was found of a corpus; ``facts`` is None where no recording was opened."""

    report: CorpusReport
    facts: CorpusFacts | None
    problems: tuple[CorpusProblem, ...]
    figures: CorpusFigures

    @property
    def counts(self) -> Mapping[Badness, int]:
        """How many problems are how bad."""
        found = Counter(problem.badness for problem in self.problems)
        return {badness: found[badness] for badness in BADNESS}

    def passes(self, *, strict: bool = False) -> bool:
        """Whether a pipeline may go on: no error, and if ``strict`` no warning."""
        return not self.counts["error"] and not (strict and self.counts["warning"])


def examine_corpus(
    path: str | Path,
    *,
    format: str | None = None,
    audio_root: str | Path | None = None,
    audio: bool = True,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CorpusExamination:
    """Check a corpus, line by line and recording by recording; nothing in it is changed.

    Args:
        path, format, audio_root: as `curvox.corpora.read_corpus` has them.
        audio: read the recordings too; else the manifest and the sizes of the files alone.
        threads: how many recordings are decoded at a time; default as many as there are processors, at most 16.
        progress: called with (recordings read, recordings in all).

    Raises:
        CorpusError: there is nothing to report on: no such path, or the format cannot be decided.
    """
    report = check_corpus(path, format=format, audio_root=audio_root)
    facts = measure_corpus(report, threads=threads, progress=progress) if audio else None
    problems = corpus_problems(report, facts)
    return CorpusExamination(report, facts, problems, corpus_figures(report.found, facts))


def examination_dict(examination: CorpusExamination) -> dict[str, Any]:
    """Return an examination as plain values for JSON, without the single recordings that nothing is wrong with."""
    report, figures = examination.report, examination.figures
    return {
        "path": str(report.path),
        "format": report.format,
        "audio_read": examination.facts is not None,
        "speakers": report.speakers,
        "utterances": report.utterances,
        "counts": dict(examination.counts),
        "kinds": dict(Counter(problem.kind for problem in examination.problems)),
        "splits": [{k: v for k, v in asdict(balance).items() if k != "shares"} for balance in figures.balances],
        "sampling_rates_hz": {str(rate): count for rate, count in figures.rates_hz.items()},
        "channels": {str(number): count for number, count in figures.channels.items()},
        "formats": dict(figures.formats),
        "measures": _measures(examination.facts),
        "problems": [asdict(problem) for problem in examination.problems],
    }


def _measures(facts: CorpusFacts | None) -> dict[str, dict[str, float]]:
    """Least, quartiles and most of every measure, of the recordings that have it."""
    names = ("duration_s", "level_db", "silence_share", "clipped_share", "dc_offset", "snr_db", "bandwidth_hz")
    steps = ("least", "quarter", "median", "three_quarters", "most")
    found: dict[str, dict[str, float]] = {}
    for name in names if facts is not None else ():
        values = getattr(facts, name)
        values = values[np.isfinite(values)].astype(np.float64)
        if values.size:
            levels = np.percentile(values, [0, 25, 50, 75, 100])
            found[name] = {step: _rounded(level) for step, level in zip(steps, levels, strict=True)}
    return found


def _rounded(value: float) -> float:
    return 0.0 if value == 0 else round(value, 5 - math.floor(math.log10(abs(value))))

"""What is wrong with a corpus: the kinds of problems, how bad each is, and which were found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from curvox.corpora import CorpusReport
from curvox.diagnosis.causes import CAUSES
from curvox.diagnosis.causes.data import check_recordings, is_clipped, lacks_speech
from curvox.diagnosis.corpus.facts import CorpusFacts
from curvox.diagnosis.findings import listed
from curvox.diagnosis.observation import RecordingFacts

Badness = Literal["error", "warning", "note"]
BADNESS: tuple[Badness, ...] = ("error", "warning", "note")

KINDS: dict[str, tuple[Badness, str]] = {
    "manifest": ("error", "the manifest"),
    "unreadable": ("error", "recordings that training would refuse"),
    "silent": ("error", "recordings of nothing but silence"),
    "copies_across_speakers": ("error", "the same samples under several speakers"),
    "copies_across_splits": ("error", "the same samples in several splits"),
    "copies": ("warning", "the same samples twice from one speaker"),
    "little_speech": ("warning", "recordings with next to no speech"),
    "clipped": ("warning", "clipped recordings"),
    "dc_offset": ("warning", "recordings with an offset"),
    "duration_differs": ("warning", "durations that are not those of the manifest"),
    "rate_differs": ("warning", "sampling rates that are not those of the manifest"),
    "few_recordings": ("warning", "speakers with few recordings"),
    "speaker_imbalance": ("warning", "speakers with most of the recordings"),
    "mixed_rates": ("note", "several sampling rates"),
}
"""Every kind of problem: how bad it is, and its title. The two kinds about speakers may be notes as well."""


DC_OFFSET = 0.02
"""Mean of the samples, of full scale 1, from which a recording has an offset worth a word: a tenth of loud speech."""

DURATION_OFF_S, DURATION_OFF_SHARE = 0.1, 0.005
"""How far the duration in a manifest may be off: the padding of a codec, or the rounding of a long one."""

MOST_NAMED = 4


@dataclass(frozen=True)
class CorpusProblem:
    """One thing that is wrong.

    Attributes:
        kind: its name in `KINDS`.
        badness: an error spoils training or stops it, a warning costs accuracy, a note is to be known.
        where: the utterance, or the line of the manifest; "" for the whole corpus.
        message: what was found, and where it is not plain, what to do.
    """

    kind: str
    badness: Badness
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.badness}: {self.where}: {self.message}" if self.where else f"{self.badness}: {self.message}"


def corpus_problems(report: CorpusReport, facts: CorpusFacts | None) -> tuple[CorpusProblem, ...]:
    """Return all problems, the kinds in the order of `KINDS`; without ``facts`` those of the manifest alone."""
    problems = [_problem("manifest", str(p).removesuffix(f": {p.message}"), p.message) for p in report.problems]
    if facts is not None:
        for check in (_refused, _copies, _quality, _disagreements, _balance, _rates):
            problems += check(facts)
    return tuple(sorted(problems, key=lambda problem: list(KINDS).index(problem.kind)))


def _problem(kind: str, where: str, message: str) -> CorpusProblem:
    return CorpusProblem(kind, KINDS[kind][0], where, message)


def _refused(facts: CorpusFacts) -> Iterator[CorpusProblem]:
    for row, message in facts.errors.items():
        kind = "silent" if row in facts.constant else "unreadable"
        yield _problem(kind, facts.utterances[row].utterance, message)


def _copies(facts: CorpusFacts) -> Iterator[CorpusProblem]:
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(facts.digests):
        # Silence of equal length is equal too; that is told as silence.
        if digest and row not in facts.errors:
            groups[digest].append(row)
    for rows in groups.values():
        if len(rows) == 1:
            continue
        own = [facts.utterances[row] for row in rows]
        where, same = own[0].utterance, f"the same samples as {_named(utterance.utterance for utterance in own[1:])}"
        speakers, splits = {utterance.speaker for utterance in own}, {utterance.split for utterance in own}
        if len(speakers) > 1:
            message = f"{same}, under the speakers {_named(sorted(speakers))}; keep the right one"
            yield _problem("copies_across_speakers", where, message)
        if len(splits) > 1:
            message = f"{same}, in the splits {_named(sorted(splits))}; keep one of them"
            yield _problem("copies_across_splits", where, message)
        if len(speakers) == len(splits) == 1:
            yield _problem("copies", where, f"{same}; keep one of them")


def _quality(facts: CorpusFacts) -> Iterator[CorpusProblem]:
    measured = np.isfinite(facts.speech_s)
    without = lacks_speech(facts.speech_s, facts.silence_share, facts.clipped_share, facts.level_db) & measured
    names = [utterance.utterance for utterance in facts.utterances]
    for row in np.flatnonzero(without):
        speech_s, duration_s, level_db = (float(x[row]) for x in (facts.speech_s, facts.duration_s, facts.level_db))
        message = f"{speech_s:.2f} s of speech in {duration_s:.2f} s, at {level_db:.0f} dB"
        yield _problem("little_speech", names[row], message)
    for row in np.flatnonzero(is_clipped(facts.clipped_share)):
        yield _problem("clipped", names[row], f"{100 * facts.clipped_share[row]:.2g} % of the samples are clipped")
    for row in np.flatnonzero(measured & (np.abs(facts.dc_offset) >= DC_OFFSET)):
        message = f"the mean of the samples is {facts.dc_offset[row]:.3f} of full scale, expected about 0"
        yield _problem("dc_offset", names[row], message)


def _disagreements(facts: CorpusFacts) -> Iterator[CorpusProblem]:
    for row, utterance in enumerate(facts.utterances):
        found_s, said_s = float(facts.duration_s[row]), utterance.duration_s
        if said_s is not None and abs(found_s - said_s) > max(DURATION_OFF_S, DURATION_OFF_SHARE * said_s):
            message = f"lasts {found_s:.2f} s, the manifest says {said_s:.2f} s; fetch it again or correct the manifest"
            yield _problem("duration_differs", utterance.utterance, message)
        found_hz, said_hz = int(facts.sampling_rate_hz[row]), utterance.sampling_rate_hz
        if said_hz is not None and found_hz and found_hz != said_hz:
            message = f"has {found_hz} Hz, the manifest says {said_hz} Hz; correct the manifest"
            yield _problem("rate_differs", utterance.utterance, message)


def _balance(facts: CorpusFacts) -> Iterator[CorpusProblem]:
    """What the doctor says of the numbers of recordings, in a line each."""
    if not len(facts):
        return
    found = check_recordings(
        RecordingFacts(
            names=tuple(u.utterance for u in facts.utterances),
            speakers=tuple(u.speaker for u in facts.utterances),
            sessions=tuple(u.session for u in facts.utterances),
            splits=tuple(u.split for u in facts.utterances),
            durations_s=facts.duration_s.astype(np.float64),
            digests=("",) * len(facts),
            quality=(None,) * len(facts),
        )
    ).findings
    for finding in found:
        values = (f"{100 * e.value:.0f} %" if e.unit == "%" else f"{e.value:.3g}" for e in finding.evidence)
        measured = ", ".join(f"{e.measure}: {value}" for e, value in zip(finding.evidence, values, strict=True))
        badness: Badness = "note" if finding.severity == "note" else "warning"
        where = f" ({finding.where})" if finding.where else ""
        yield CorpusProblem(finding.cause, badness, "", f"{measured}{where}. {CAUSES[finding.cause].remedy}")


def _rates(facts: CorpusFacts) -> Iterator[CorpusProblem]:
    rates, counts = np.unique(facts.sampling_rate_hz[facts.sampling_rate_hz > 0], return_counts=True)
    if len(rates) > 1:
        found = ", ".join(f"{rate} Hz of {count:,}" for rate, count in zip(rates, counts, strict=True))
        message = f"several sampling rates: {found}; where they go with speakers, the rate is learnt as the voice"
        yield _problem("mixed_rates", "", message)


def _named(names: Iterable[str]) -> str:
    return listed([f'"{name}"' for name in names], MOST_NAMED)

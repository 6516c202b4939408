"""A loss or a mutant, trained and put to the doctor in both ways in which its users ask."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from curvox.diagnosis import Diagnosis, diagnose, diagnose_run
from curvox.geometry import AbstractSpace, Euclidean
from curvox.losses import AbstractLoss
from mutants.operators import OPERATORS, sound_subject
from mutants.remedies import remedied
from mutants.sound import SOUND
from mutants.training import DIM, RECORDINGS, SPEAKERS, Subject, Trained, dev_eer, train, untrained_batch
from mutants.voices import Voices

SOUND_SEEDS = (1, 2, 3)
MORE_SEEDS = (2, 3)
"""Seeds that a mutant is trained with too, where the first one leaves it open whether it is equivalent."""

BATCHES = (
    # start, dimensions, speakers x recordings, length over that of the untrained network
    (1, DIM, (SPEAKERS, RECORDINGS), 1.0),
    (2, 16, (8, 8), 0.1),
    (3, 64, (32, 2), 10.0),
    (4, 48, (20, 3), 1.0),
    (5, 24, (12, 4), 3.0),
)
"""What the doctor is asked about a sound loss; a mutant is asked about in the first two."""

OTHER_RUN = (4, 20, (10, 6))
"""Start, dimensions, speakers x recordings of one more run of each sound loss, whose EER does not count."""

NEAR = 0.03
"""Distance of a first EER to the limit within which more seeds decide."""


@dataclass(frozen=True)
class Verdict:
    """What the doctor said.

    Attributes:
        first: the first cause, "healthy" or "error".
        severity: of it.
        others: all further causes that were found, with their severities.
        evidence: of the first, or the error, in words.
    """

    first: str
    severity: str
    others: tuple[tuple[str, str], ...] = ()
    evidence: str = ""

    @classmethod
    def read(cls, tree: dict[str, Any]) -> Verdict:
        """From JSON."""
        return cls(tree["first"], tree["severity"], tuple((c, s) for c, s in tree["others"]), tree["evidence"])


@dataclass(frozen=True)
class Outcome:
    """What came of one loss, or of one mutant.

    Attributes:
        sound: name of the sound loss.
        operator: name of the operator; "" for the sound loss itself.
        eers: dev EER of each seed.
        died: how the first run ended early, "" if it did not.
        batch: verdicts about a loss and a batch.
        run: verdicts about a training.
        remedy: the cause whose remedy was applied literally, "" where none could be.
        remedied: dev EERs after it.
        seconds: of it all.
    """

    sound: str
    operator: str
    eers: tuple[float, ...]
    died: str
    batch: tuple[Verdict, ...]
    run: tuple[Verdict, ...]
    remedy: str = ""
    remedied: tuple[float, ...] = ()
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """Unique."""
        return f"{self.sound} + {self.operator}" if self.operator else self.sound

    @property
    def eer(self) -> float:
        """The mean."""
        return sum(self.eers) / len(self.eers)

    @classmethod
    def read(cls, tree: dict[str, Any]) -> Outcome:
        """From JSON."""
        verdicts = {part: tuple(Verdict.read(verdict) for verdict in tree[part]) for part in ("batch", "run")}
        return cls(**{**tree, **verdicts, "eers": tuple(tree["eers"]), "remedied": tuple(tree["remedied"])})


def untrained_eer(voices: Voices) -> float:
    """The mean dev EER of networks that were not trained."""
    subject, eers = sound_subject(next(iter(SOUND.values()))), []
    for seed in SOUND_SEEDS:
        torch.manual_seed(seed)
        encoder = subject.encoder(voices.train.shape[1], DIM)
        eers.append(dev_eer(encoder, voices, Euclidean()))
    return sum(eers) / len(eers)


def limit_of(eers: Sequence[float], noise: float) -> float:
    """The dev EER up to which a mutant is as good as its sound loss: the worst of its seeds, or the mean and twice the
    usual spread of a loss's seeds where that is more."""
    return max(*eers, sum(eers) / len(eers) + 2 * noise)


NOISE = 0.0125
"""Standard deviation of the dev EER between seeds of a sound loss; the benchmark prints what it was."""


def ask_sound(name: str, voices: Voices) -> Outcome:
    """Train a sound loss with its seeds and put all of it to the doctor."""
    started = time.monotonic()
    subject, takes = sound_subject(SOUND[name]), SOUND[name].takes
    runs = [train(subject, voices, seed, observe=True) for seed in SOUND_SEEDS]
    seed, dim, shape = OTHER_RUN
    more = train(subject, voices, seed, dim=dim, shape=shape, observe=True)
    verdicts = tuple(_of_run(run) for run in (*runs, more))
    asked = tuple(_of_batch(subject, takes, voices, *batch) for batch in BATCHES)
    eers = tuple(run.eer for run in runs)
    return Outcome(name, "", eers, runs[0].died, asked, verdicts, seconds=round(time.monotonic() - started, 2))


def ask_mutant(name: str, operator: str, sound_eers: Sequence[float], voices: Voices) -> Outcome:
    """Train a mutant, put it to the doctor, and apply the remedy of the first cause where that is a line to change."""
    started = time.monotonic()
    sound, limit = SOUND[name], limit_of(sound_eers, NOISE)
    subject = OPERATORS[operator].apply(sound)
    try:
        subject.make(DIM, voices.count)
    except Exception as error:  # the loss itself refuses what was done to it
        return Outcome(name, operator, (0.5,), f"{type(error).__name__}: {error}", (), ())
    first = train(subject, voices, SOUND_SEEDS[0], observe=True)
    eers = [first.eer]
    if abs(first.eer - limit) < NEAR and not first.died:
        eers += [train(subject, voices, seed).eer for seed in MORE_SEEDS]
    verdict = _of_run(first)
    asked = tuple(_of_batch(subject, sound.takes, voices, *batch) for batch in BATCHES[:2])
    cause, mended = "", ()
    if sum(eers) / len(eers) > limit:
        remedy = remedied(sound, OPERATORS[operator], verdict.first, _number(first, verdict))
        if remedy is not None:
            cause, mended = verdict.first, _trained_again(remedy, limit, voices)
    seconds = round(time.monotonic() - started, 2)
    return Outcome(name, operator, tuple(eers), first.died, asked, (verdict,), cause, mended, seconds)


def _trained_again(subject: Subject, limit: float, voices: Voices) -> tuple[float, ...]:
    eers = [train(subject, voices, SOUND_SEEDS[0]).eer]
    if abs(eers[0] - limit) < NEAR:
        eers += [train(subject, voices, seed).eer for seed in MORE_SEEDS]
    return tuple(eers)


def _number(run: Trained, verdict: Verdict) -> float | None:
    """The learning rate that stands in the evidence, where one does."""
    assert run.observation is not None
    for part in verdict.evidence.split("; "):
        if part.startswith("learning rate") and " = " in part:
            return float(part.split(" = ")[1].split(" ")[0])
    return None


def _of_run(run: Trained) -> Verdict:
    assert run.observation is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return verdict_of(diagnose_run(run.observation))
        except Exception as error:
            return _failed(error)


def _of_batch(
    subject: Subject, takes: str, voices: Voices, seed: int, dim: int, shape: tuple[int, int], length: float
) -> Verdict:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss, raw, speakers = untrained_batch(subject, voices, seed, dim=dim, shape=shape, length=length)
        own = getattr(loss, "space", None)
        space = own if isinstance(own, AbstractSpace) and not isinstance(loss, AbstractLoss) else None
        try:
            return verdict_of(diagnose(loss, raw, speakers, takes=takes, space=space))
        except Exception as error:
            return _failed(error)


def _failed(error: Exception) -> Verdict:
    return Verdict("error", "error", (), f"{type(error).__name__}: {error}"[:300])


def verdict_of(diagnosis: Diagnosis) -> Verdict:
    """What counts of a diagnosis."""
    first = diagnosis.first
    evidence = "; ".join(f"{e.measure} = {e.value:.4g} (healthy: {e.healthy})" for e in first.evidence)
    others = tuple((finding.cause, finding.severity) for finding in diagnosis.findings[1:])
    return Verdict(first.cause, first.severity, others, evidence)

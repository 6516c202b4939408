"""Made-up results, through the real metrics."""

from dataclasses import replace

import numpy as np
import pytest

from curvox.metrics import Evaluation, evaluate
from curvox.reports import (
    Breakdown,
    Clip,
    DiskPicture,
    EvaluationReport,
    ScoringFacts,
    SystemResult,
    TrialFacts,
    TrialSide,
    WorstTrial,
)
from curvox.training import EpochRecord

SEPARATIONS = {"Softmax": 1.5, "AM-Softmax": 2.0, "H-Softmax": 2.4, "HAM-Softmax": 3.0}


def made_up_evaluation(separation: float, resamples: int = 20, llrs: bool = False) -> Evaluation:
    rng = np.random.default_rng(7)
    enrolment = rng.integers(0, 12, 900)
    target = np.arange(900) < 300
    test = np.where(target, enrolment, (enrolment + rng.integers(1, 12, 900)) % 12)
    scores = rng.standard_normal(900) + separation * target
    groups = {"corpus_a": rng.random(900) < 0.6, "strangers": ~target & (rng.random(900) < 0.5)}
    return evaluate(
        scores,
        target,
        enrolment_speakers=enrolment,
        test_speakers=test,
        groups=groups,
        llrs=llrs,
        resamples=resamples,
    )


def made_up_disk(points: int = 60, accents: int = 3, seed: int = 0) -> DiskPicture:
    rng = np.random.default_rng(seed)
    speakers = np.arange(points) // 5
    directions = rng.standard_normal((points, 2))
    directions *= rng.uniform(0.2, 0.95, (points, 1)) / np.linalg.norm(directions, axis=1, keepdims=True)
    return DiskPicture(
        points=directions,
        genders=tuple("female" if speaker % 2 else "male" for speaker in speakers),
        accents=tuple(f"accent {speaker % accents}" for speaker in speakers),
        speakers=tuple(f"speaker {speaker}" for speaker in speakers),
        sessions=tuple(str(i % 5) for i in range(points)),
        stress=0.123,
    )


@pytest.fixture(scope="session")
def systems() -> tuple[SystemResult, ...]:
    return tuple(
        SystemResult(
            name=title.lower(),
            title=title,
            evaluation=made_up_evaluation(separation),
            history=tuple(EpochRecord(epoch, 4.0 / epoch, 0.4 / epoch) for epoch in range(1, 6)),
            disk=made_up_disk(seed=i),
            parameters=1_234_567,
            training_s=75.0,
            space="Poincaré ball, c = 1",
        )
        for i, (title, separation) in enumerate(SEPARATIONS.items())
    )


@pytest.fixture(scope="session")
def without_figures(systems) -> SystemResult:
    """A system whose trials had no targets."""
    evaluation = Evaluation(targets=0, non_targets=50, speakers=5, tied_share=0.0, why_no_figures="no target trials")
    return replace(systems[0], name="none", title="Strangers only", evaluation=evaluation, history=(), disk=None)


@pytest.fixture(scope="session")
def large_disk() -> DiskPicture:
    return made_up_disk(300, 12)


def worst_trial(number: int, target: bool) -> WorstTrial:
    enrolment = TrialSide(f"enrolment {number}", f"speaker {number}", (("gender", "f"), ("duration", "2.0 s")))
    test = TrialSide(f"test {number}", f"speaker {number if target else number + 1}")
    return WorstTrial(target=target, score=number / 7, wrong=number % 2 == 0, enrolment=enrolment, test=test)


@pytest.fixture(scope="session")
def evaluation_report() -> EvaluationReport:
    """A calibrated evaluation with everything that a page can show."""
    return EvaluationReport(
        scoring=ScoringFacts(
            name="ham",
            title="HAM-Softmax",
            scorer="hyperbolic",
            back_end="as_norm",
            settings={"top_k": 300},
            cohort="5,100 recordings of 510 training speakers",
            calibration="by the decision card",
            space="Poincaré ball, c = 3",
            parameters=1_234_567,
        ),
        trials=TrialFacts("test.txt", "openvoices", 77, 3, 8),
        evaluation=made_up_evaluation(2.0, llrs=True),
        breakdowns=(Breakdown("corpus", ("corpus_a",)), Breakdown("acquaintance", ("strangers",))),
        worst=(*(worst_trial(i, False) for i in range(3)), *(worst_trial(i, True) for i in range(3, 5))),
        notes=("Read me.",),
        command="curvox eval ham --trials test.txt",
        versions=(("curvox", "9.9.9"),),
    )


@pytest.fixture
def clips(evaluation_report: EvaluationReport) -> dict[str, Clip]:
    """An excerpt of every recording among the worst, not one of them audible."""
    sides = [side for trial in evaluation_report.worst for side in (trial.enrolment, trial.test)]
    return {side.utterance: Clip(f"fLaC {side.utterance}".encode(), 1.5, cut=False) for side in sides}

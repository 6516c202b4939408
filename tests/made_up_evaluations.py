"""Made-up evaluations, through the real metrics."""

from pathlib import Path

import numpy as np

from curvox.evaluating import (
    Breakdown,
    EvaluationReport,
    FinishedEvaluation,
    ScoringFacts,
    TrialFacts,
    TrialSide,
    WorstTrial,
)
from curvox.metrics import Evaluation, evaluate


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


def worst_trial(number: int, target: bool) -> WorstTrial:
    enrolment = TrialSide(f"enrolment {number}", f"speaker {number}", {"gender": "f", "duration": "2.0 s"})
    test = TrialSide(f"test {number}", f"speaker {number if target else number + 1}")
    return WorstTrial(target=target, score=number / 7, wrong=number % 2 == 0, enrolment=enrolment, test=test)


def made_up_report() -> EvaluationReport:
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


def made_up_finished(
    name: str, separation: float, *, llrs: bool = False, seed: int = 1, title: str = ""
) -> FinishedEvaluation:
    """240 made-up trials of 12 speakers."""
    rng = np.random.default_rng(5)
    enrolment = rng.integers(0, 12, 240)
    target = np.arange(240) < 80
    test = np.where(target, enrolment, (enrolment + rng.integers(1, 12, 240)) % 12)
    scores = np.random.default_rng(seed).standard_normal(240) + separation * target
    evaluation = evaluate(scores, target, enrolment_speakers=enrolment, test_speakers=test, llrs=llrs, resamples=0)
    return FinishedEvaluation(
        report=EvaluationReport(ScoringFacts(name, title or name), TrialFacts("made.txt"), evaluation),
        enrolments=tuple(f"e{speaker}-{i}" for i, speaker in enumerate(enrolment)),
        tests=tuple(f"t{speaker}-{i}" for i, speaker in enumerate(test)),
        scores=scores,
        enrolment_speakers=tuple(f"s{speaker}" for speaker in enrolment),
        test_speakers=tuple(f"s{speaker}" for speaker in test),
        llrs=scores if llrs else None,
        folder=Path("runs") / name / "eval" / "made",
    )

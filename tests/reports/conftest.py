"""Made-up results, through the real metrics."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_evaluations import made_up_evaluation

from curvox.evaluating import EvaluationReport
from curvox.metrics import Evaluation
from curvox.reports import Clip, DiskPicture, SystemResult
from curvox.training import EpochRecord

SEPARATIONS = {"Softmax": 1.5, "AM-Softmax": 2.0, "H-Softmax": 2.4, "HAM-Softmax": 3.0}


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


@pytest.fixture
def clips(evaluation_report: EvaluationReport) -> dict[str, Clip]:
    """An excerpt of every recording among the worst, not one of them audible."""
    sides = [side for trial in evaluation_report.worst for side in (trial.enrolment, trial.test)]
    return {side.utterance: Clip(f"fLaC {side.utterance}".encode(), 1.5, cut=False) for side in sides}

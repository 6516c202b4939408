"""A made-up evaluation."""

import pytest
from made_up_evaluations import made_up_report

from curvox.evaluating import EvaluationReport


@pytest.fixture(scope="session")
def evaluation_report() -> EvaluationReport:
    return made_up_report()

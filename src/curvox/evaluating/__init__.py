"""Evaluating: a model and a trial list become one evaluation, for every command and for Python.

``evaluate`` scores and evaluates, ``compare`` tests systems against each other, ``calibrate`` makes a decision card,
``diagnose`` says what is wrong.
The records of what came out need no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from curvox.evaluating.comparison import (
    ComparedSystem,
    Comparison,
    back_end_titles,
    breakdown_keys,
    column_title,
    column_titles,
)
from curvox.evaluating.folders import (
    EVALUATION_FILES,
    FinishedEvaluation,
    corpus_of,
    evaluation_folder,
    evaluation_name,
    find_evaluation,
    read_evaluation_folder,
    run_folder,
    title_of,
    training_speakers,
    write_evaluation_folder,
)
from curvox.evaluating.report import (
    Breakdown,
    EvaluationReport,
    Progress,
    ScoringFacts,
    TrialFacts,
    TrialSide,
    WorstTrial,
    installed_versions,
    read_report,
)
from curvox.evaluating.trial_parts import breakdowns_of, parse_by

if TYPE_CHECKING:
    from curvox.evaluating.back_ends import back_end_words, read_back_end
    from curvox.evaluating.diagnosing import diagnose
    from curvox.evaluating.evaluation import Calibrated, calibrate, compare, evaluate, evaluate_scored, scores_from_file
    from curvox.evaluating.system import ScoredTrials, System, open_system, utterances_of

__all__ = [
    "EVALUATION_FILES",
    "Breakdown",
    "Calibrated",
    "ComparedSystem",
    "Comparison",
    "EvaluationReport",
    "FinishedEvaluation",
    "Progress",
    "ScoredTrials",
    "ScoringFacts",
    "System",
    "TrialFacts",
    "TrialSide",
    "WorstTrial",
    "back_end_titles",
    "back_end_words",
    "breakdown_keys",
    "breakdowns_of",
    "calibrate",
    "column_title",
    "column_titles",
    "compare",
    "corpus_of",
    "diagnose",
    "evaluate",
    "evaluate_scored",
    "evaluation_folder",
    "evaluation_name",
    "find_evaluation",
    "installed_versions",
    "open_system",
    "parse_by",
    "read_back_end",
    "read_evaluation_folder",
    "read_report",
    "run_folder",
    "scores_from_file",
    "title_of",
    "training_speakers",
    "utterances_of",
    "write_evaluation_folder",
]

# What loads models brings torch with it, which reading an evaluation does not need.
_OF_MODELS = {
    "back_ends": ("back_end_words", "read_back_end"),
    "diagnosing": ("diagnose",),
    "evaluation": ("Calibrated", "calibrate", "compare", "evaluate", "evaluate_scored", "scores_from_file"),
    "system": ("ScoredTrials", "System", "open_system", "utterances_of"),
}


def __getattr__(name: str) -> Any:
    for module, names in _OF_MODELS.items():
        if name in names:
            return getattr(importlib.import_module(f"curvox.evaluating.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

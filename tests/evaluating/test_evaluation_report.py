"""An evaluation and its JSON."""

import json
from dataclasses import replace

import pytest

from curvox.errors import InputError
from curvox.evaluating import Breakdown, EvaluationReport
from curvox.records import to_json


def test_evaluation_report__comes_back_from_to_json(evaluation_report):
    text = to_json(evaluation_report.to_dict())

    def refuse(constant):
        raise AssertionError(constant)

    assert EvaluationReport.from_dict(json.loads(text, parse_constant=refuse)) == evaluation_report


def test_evaluation_report__keeps_an_infinite_threshold_in_to_json(evaluation_report):
    evaluation = evaluation_report.evaluation
    figures = tuple(replace(figure, threshold=float("inf")) for figure in evaluation.figures)
    report = replace(evaluation_report, evaluation=replace(evaluation, figures=figures))
    assert EvaluationReport.from_dict(json.loads(to_json(report.to_dict()))) == report


def test_evaluation_report__has_the_figures_on_the_outermost_level(evaluation_report):
    tree = evaluation_report.to_dict()
    figures = {key: value for key, value in tree.items() if key not in ("scorer", "trials")}
    assert figures == evaluation_report.evaluation.to_dict()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tree: tree.pop("scorer"),
        lambda tree: tree.pop("targets"),
        lambda tree: tree["trials"].pop("worst"),
        lambda tree: tree["trials"].update(colour="red"),
        lambda tree: tree["scorer"].update(colour="red"),
        lambda tree: tree["trials"]["worst"][0].pop("test"),
        lambda tree: tree["trials"].update(worst=[7]),
        lambda tree: tree.update(trials=7),
    ],
)
def test_evaluation_report__refuses_other_trees(spoil, evaluation_report):
    tree = json.loads(to_json(evaluation_report.to_dict()))
    spoil(tree)
    with pytest.raises(InputError, match="not an evaluation"):
        EvaluationReport.from_dict(tree)


def test_evaluation_report__refuses_a_breakdown_of_groups_that_are_not_there(evaluation_report):
    with pytest.raises(InputError, match=r"breakdown by gender names groups without figures: \['gender: f'\]"):
        replace(evaluation_report, breakdowns=(Breakdown("gender", ("corpus_a", "gender: f")),))

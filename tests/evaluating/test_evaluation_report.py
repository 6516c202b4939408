"""An evaluation and its JSON."""

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from curvox.errors import InputError
from curvox.evaluating import Breakdown, EvaluationReport
from curvox.metrics import OperatingPoint, evaluate
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


def test_evaluation_report__has_the_figures_on_the_outermost_level_with_their_intervals(evaluation_report):
    tree, found = evaluation_report.to_dict(), evaluation_report.evaluation
    assert list(tree)[:4] == ["scorer", "trials", "targets", "non_targets"]
    assert tree["eer"] == {**asdict(found.eer), "interval": asdict(found.eer_interval)}
    costs = zip(found.min_dcf, found.min_dcf_intervals, strict=True)
    assert tree["min_dcf"] == [
        {**asdict(cost.point), "value": cost.value, "threshold": cost.threshold, "interval": asdict(interval)}
        for cost, interval in costs
    ]


@pytest.mark.parametrize("llrs", [False, True])
@pytest.mark.parametrize("resamples", [0, 20])
@pytest.mark.parametrize("points", [(), (OperatingPoint(0.01), OperatingPoint(0.2, 10.0, 2.0))])
def test_evaluation_report__keeps_any_evaluation(evaluation_report, points, resamples, llrs):
    rng = np.random.default_rng(3)
    names: dict[str, Any] = {side: rng.integers(12, size=400) for side in ("enrolment_speakers", "test_speakers")}
    labels = names["enrolment_speakers"] == names["test_speakers"]
    groups = {"few": np.arange(400) < 100, "none": np.zeros(400, dtype=bool)}
    scores = rng.normal(2.0 * labels)
    found = evaluate(scores, labels, **names, points=points, groups=groups, llrs=llrs, resamples=resamples)
    report = replace(evaluation_report, evaluation=found, breakdowns=())
    assert EvaluationReport.from_dict(json.loads(to_json(report.to_dict()))) == report


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

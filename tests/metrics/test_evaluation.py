"""Laws of the record of all figures."""

import json
import math
from typing import Any

import numpy as np
import pytest

from curvox.errors import InputError
from curvox.metrics import (
    Evaluation,
    OperatingPoint,
    bootstrap_speakers,
    det_curve,
    equal_error_rate,
    evaluate,
    min_dcf,
    roc_points,
)

POINTS = (OperatingPoint(0.01), OperatingPoint(0.05))


def draw_trials(seed=0, speakers=12, trials=400):
    rng = np.random.default_rng(seed)
    labels = np.arange(trials) % 4 == 0
    enrolment = rng.integers(0, speakers, trials)
    test = np.where(labels, enrolment, (enrolment + rng.integers(1, speakers, trials)) % speakers)
    names = np.array([f"s{i}" for i in range(speakers)])
    scores = np.round(rng.normal(size=trials) + 2 * labels, 2)
    sides: dict[str, Any] = {"enrolment_speakers": names[enrolment], "test_speakers": names[test]}
    return scores, labels, sides


def test_evaluate__holds_what_the_single_functions_give():
    scores, labels, speakers = draw_trials()
    found = evaluate(scores, labels, **speakers, resamples=60, seed=3)
    assert (found.targets, found.non_targets, found.speakers) == (100, 300, 12)
    assert found.eer == equal_error_rate(scores, labels)
    assert found.min_dcf == tuple(min_dcf(scores, labels, point) for point in POINTS)
    assert found.det == det_curve(roc_points(scores, labels))
    replicates = bootstrap_speakers(scores, labels, **speakers, points=POINTS, resamples=60, seed=3)
    assert found.eer_interval == replicates.eer_interval()
    assert found.min_dcf_intervals == replicates.min_dcf_intervals()
    assert (found.resamples, found.redrawn, found.seed, found.why_no_figures) == (60, 0, 3, None)


def test_evaluate__a_group_is_the_evaluation_of_its_trials():
    scores, labels, speakers = draw_trials()
    mask = np.arange(400) < 150
    found = evaluate(scores, labels, **speakers, groups={"early": mask, "all": mask | True}, resamples=30, seed=5)
    part = {side: names[mask] for side, names in speakers.items()}
    assert list(found.groups) == ["early", "all"]
    assert found.groups["early"] == evaluate(scores[mask], labels[mask], **part, resamples=30, seed=5)
    assert found.groups["all"].eer_interval == found.eer_interval


def test_evaluate__lists_groups_without_figures_and_says_why():
    scores, labels, speakers = draw_trials()
    groups = {"targets": labels, "others": ~labels, "nobody": np.zeros(400, dtype=bool)}
    found = evaluate(scores, labels, **speakers, groups=groups, resamples=10)
    reasons = {name: group.why_no_figures for name, group in found.groups.items()}
    assert reasons == {"targets": "no non-target trials", "others": "no target trials", "nobody": "no trials"}
    counts = [(group.targets, group.non_targets) for group in found.groups.values()]
    assert counts == [(100, 0), (0, 300), (0, 0)]
    assert found.groups["nobody"].speakers == 0
    for group in found.groups.values():
        assert (group.eer, group.eer_interval, group.det) == (None, None, None)
        assert (group.min_dcf, group.min_dcf_intervals) == ((), ())


def test_evaluate__of_a_constant_model_is_chance():
    _, labels, speakers = draw_trials()
    found = evaluate(np.ones(400), labels, **speakers, resamples=10)
    assert found.eer is not None
    assert found.eer_interval is not None
    assert (found.tied_share, found.eer.value) == (1, 0.5)
    assert (found.eer_interval.low, found.eer_interval.high) == pytest.approx((0.5, 0.5))
    assert [cost.value for cost in found.min_dcf] == [1, 1]


def test_evaluate__without_resamples_has_no_intervals():
    scores, labels, speakers = draw_trials()
    found = evaluate(scores, labels, **speakers, resamples=0)
    assert found.eer == equal_error_rate(scores, labels)
    assert (found.eer_interval, found.min_dcf_intervals, found.resamples) == (None, (), 0)


def test_evaluate__a_lower_level_gives_a_narrower_interval():
    scores, labels, speakers = draw_trials()
    wide, narrow = (
        evaluate(scores, labels, **speakers, resamples=100, level=level).eer_interval for level in (0.95, 0.5)
    )
    assert wide is not None
    assert narrow is not None
    assert (wide.level, narrow.level) == (0.95, 0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("resamples", [0, 20])
@pytest.mark.parametrize("points", [(), POINTS, (OperatingPoint(0.2, 10.0, 2.0),)])
def test_evaluation__survives_json(resamples, points):
    scores, labels, speakers = draw_trials()
    groups = {"few": np.arange(400) < 30, "none": np.zeros(400, dtype=bool)}
    found = evaluate(scores, labels, **speakers, points=points, groups=groups, resamples=resamples)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Evaluation.from_dict(json.loads(text)) == found


def test_evaluation__an_infinite_threshold_survives_strict_json():
    found = evaluate([0.1, 0.9], [1, 0], enrolment_speakers=["a", "a"], test_speakers=["a", "b"], resamples=0)
    assert found.min_dcf[0].threshold == math.inf
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Evaluation.from_dict(json.loads(text)) == found


def test_evaluation__refuses_a_foreign_dictionary():
    scores, labels, speakers = draw_trials()
    values = evaluate(scores, labels, **speakers, resamples=0).to_dict()
    with pytest.raises(InputError, match=r"unknown keys \['accuracy'\]"):
        Evaluation.from_dict({**values, "accuracy": 1})
    with pytest.raises(InputError, match=r"missing keys \['eer'\]"):
        Evaluation.from_dict({name: value for name, value in values.items() if name != "eer"})
    with pytest.raises(InputError, match="a part has not the expected form"):
        Evaluation.from_dict({**values, "eer": {"value": 0.1}})
    with pytest.raises(InputError, match="a part has not the expected form"):
        Evaluation.from_dict({**values, "min_dcf": 3})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": {"g": np.ones(3, dtype=bool)}}, 'mask of group "g" must be 400 booleans'),
        ({"groups": {"g": np.ones(400)}}, "got float64"),
        ({"resamples": -1}, "resamples must be at least 0"),
        ({"level": 1.5}, "level"),
        ({"labels": np.ones(400)}, "no non-target trial"),
        ({"scores": np.full(400, np.nan)}, "400 NaN"),
        ({"scores": np.zeros(0), "labels": np.zeros(0)}, "no trials at all"),
        ({"test_speakers": ["a"] * 400}, "labels and speakers contradict"),
    ],
)
def test_evaluate__refuses_bad_input_by_name(change, message):
    scores, labels, speakers = draw_trials()
    given: dict[str, Any] = {"scores": scores, "labels": labels, **speakers, "resamples": 5, **change}
    with pytest.raises(InputError, match=message):
        evaluate(**given)

"""Laws of the record of all figures."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import draw_trials

from curvox.errors import InputError
from curvox.metrics import (
    OperatingPoint,
    actual_dcf,
    auc,
    bootstrap_speakers,
    calibration_curve,
    cllr,
    det_curve,
    eer_of_hull,
    equal_error_rate,
    evaluate,
    far_at_frr,
    frr_at_far,
    min_cllr,
    min_dcf,
    roc_corners,
    score_health,
    tied_share,
)

POINTS = (OperatingPoint(0.01), OperatingPoint(0.05))


def draw_scores(seed=0, speakers=12, trials=400):
    rng = np.random.default_rng(seed)
    labels, enrolment, test = draw_trials(rng, speakers=speakers, trials=trials, one_target_in=4)
    names = np.array([f"s{i}" for i in range(speakers)])
    scores = np.round(rng.normal(size=trials) + 2 * labels, 2)
    sides: dict[str, Any] = {"enrolment_speakers": names[enrolment], "test_speakers": names[test]}
    return scores, labels, sides


def test_evaluate__holds_what_the_single_functions_give():
    scores, labels, speakers = draw_scores()
    found = evaluate(scores, labels, **speakers, resamples=60, seed=3)
    assert (found.targets, found.non_targets, found.speakers) == (100, 300, 12)
    assert found.eer is not None
    assert replace(found.eer, interval=None) == equal_error_rate(scores, labels)
    costs = tuple(replace(cost, interval=None) for cost in found.min_dcf)
    assert costs == tuple(min_dcf(scores, labels, point) for point in POINTS)
    assert found.det == det_curve(roc_corners(scores, labels))
    replicates = bootstrap_speakers(scores, labels, **speakers, points=POINTS, resamples=60, seed=3)
    assert found.eer_interval == replicates.interval("eer")
    assert found.min_dcf_intervals == tuple(replicates.interval(f"min_dcf:{point.p_target}") for point in POINTS)
    assert (found.resamples, found.redrawn, found.seed, found.why_no_figures) == (60, 0, 3, None)


def test_evaluate__a_group_is_the_evaluation_of_its_trials():
    scores, labels, speakers = draw_scores()
    mask = np.arange(400) < 150
    found = evaluate(scores, labels, **speakers, groups={"early": mask, "all": mask | True}, resamples=30, seed=5)
    part = {side: names[mask] for side, names in speakers.items()}
    assert list(found.groups) == ["early", "all"]
    assert found.groups["early"] == evaluate(scores[mask], labels[mask], **part, resamples=30, seed=5)
    assert found.groups["all"].eer_interval == found.eer_interval


def test_evaluate__lists_groups_without_figures_and_says_why():
    scores, labels, speakers = draw_scores()
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
    _, labels, speakers = draw_scores()
    found = evaluate(np.ones(400), labels, **speakers, resamples=10)
    assert found.eer is not None
    assert found.eer_interval is not None
    assert (found.tied_share, found.eer.value) == (1, 0.5)
    assert (found.eer_interval.low, found.eer_interval.high) == pytest.approx((0.5, 0.5))
    assert [cost.value for cost in found.min_dcf] == [1, 1]


def test_evaluate__without_resamples_has_no_intervals():
    scores, labels, speakers = draw_scores()
    found = evaluate(scores, labels, **speakers, resamples=0)
    assert found.eer == equal_error_rate(scores, labels)
    assert (found.eer_interval, found.min_dcf_intervals, found.resamples) == (None, (), 0)


def test_evaluate__has_a_figure_with_interval_for_every_metric():
    scores, labels, speakers = draw_scores()
    found = evaluate(scores, labels, **speakers, llrs=True, rates=(0.1,), resamples=40, seed=2)
    assert found.llrs
    assert [figure.key for figure in found.figures] == [
        *("eer", "eer_hull", "auc", "cllr", "min_cllr", "min_dcf:0.01", "min_dcf:0.05"),
        *("act_dcf:0.01", "act_dcf:0.05", "frr_at_far:0.1", "far_at_frr:0.1"),
    ]
    singles = {
        "eer": equal_error_rate(scores, labels).value,
        "eer_hull": eer_of_hull(scores, labels),
        "auc": auc(scores, labels),
        "cllr": cllr(scores, labels),
        "min_cllr": min_cllr(scores, labels),
        "min_dcf:0.05": min_dcf(scores, labels, POINTS[1]).value,
        "act_dcf:0.05": actual_dcf(scores, labels, POINTS[1]).value,
        "frr_at_far:0.1": frr_at_far(scores, labels, 0.1).value,
        "far_at_frr:0.1": far_at_frr(scores, labels, 0.1).value,
    }
    replicates = bootstrap_speakers(
        scores, labels, **speakers, points=POINTS, rates=(0.1,), llrs=True, resamples=40, seed=2
    )
    for key, value in singles.items():
        figure = found.figure(key)
        assert figure is not None
        assert figure.interval is not None
        assert figure.value == pytest.approx(value, rel=1e-12)
        assert figure.interval == replicates.interval(key)
        assert figure.interval.low < figure.value < figure.interval.high
    assert found.calibration == calibration_curve(scores, labels)
    assert found.figure("accuracy") is None


def test_evaluate__takes_llr_figures_of_llrs_alone():
    scores, labels, speakers = draw_scores()
    found = evaluate(scores, labels, **speakers, resamples=0)
    assert not {"cllr", "act_dcf"} & {figure.key.split(":")[0] for figure in found.figures}
    assert (found.calibration, found.llrs) == (None, False)
    assert all(figure.interval is None for figure in found.figures)


def test_evaluate__costs_that_are_not_one_stand_in_key_and_title():
    scores, labels, speakers = draw_scores()
    point = OperatingPoint(0.01, cost_miss=10)
    found = evaluate(scores, labels, **speakers, points=[point, point], resamples=0).figure("min_dcf:0.01:10:1")
    assert found is not None
    assert found.title == "minDCF(0.01, miss 10, false alarm 1)"
    assert found.value == min_dcf(scores, labels, point).value


def test_evaluate__weighs_trials_and_leaves_out_those_of_weight_zero():
    scores, labels, speakers = draw_scores()
    times = np.random.default_rng(1).integers(0, 3, 400)
    groups = {"half": np.arange(400) < 200}
    repeated = {side: np.repeat(names, times) for side, names in speakers.items()}
    settings: dict[str, Any] = {"llrs": True, "resamples": 20}
    found = evaluate(scores, labels, **speakers, weights=times, groups=groups, **settings)
    expected = evaluate(np.repeat(scores, times), np.repeat(labels, times), **repeated, **settings)
    assert (found.targets, found.non_targets) == (labels[times > 0].sum(), (~labels[times > 0]).sum())
    for figure, other in zip(found.figures, expected.figures, strict=True):
        assert figure.interval is not None
        assert other.interval is not None
        ends = (figure.value, figure.interval.low, figure.interval.high)
        assert ends == pytest.approx((other.value, other.interval.low, other.interval.high), abs=1e-9)
    counted = groups["half"] & (times > 0)
    assert found.groups["half"].targets + found.groups["half"].non_targets == counted.sum()


def test_evaluate__looks_at_the_health_of_every_part():
    scores, labels, speakers = draw_scores()
    same = np.arange(400) < 3
    groups = {"late": np.arange(400) >= 100}
    found = evaluate(scores, labels, **speakers, groups=groups, same_recording=same, resamples=0)
    assert found.health == score_health(scores, labels, same_recording=same)
    assert found.health is not None
    assert found.health.tied_share == found.tied_share == tied_share(scores)
    late = found.groups["late"].health
    assert late is not None
    assert (found.health.same_recording, late.same_recording) == (3, 0)
    assert found.histogram is not None
    assert sum(found.histogram.targets) == pytest.approx(1)


@pytest.mark.parametrize(
    ("speakers", "trials", "message"),
    [(5, 4000, "only 5 speakers"), (40, 200, "errors in 50 target trials"), (40, 4000, None)],
)
def test_evaluate__says_when_there_is_too_little(speakers, trials, message):
    scores, labels, sides = draw_scores(speakers=speakers, trials=trials)
    found = evaluate(scores, labels, **sides, resamples=0).too_small
    assert found is None if message is None else message in str(found)


def test_evaluate__a_lower_level_gives_a_narrower_interval():
    scores, labels, speakers = draw_scores()
    wide, narrow = (
        evaluate(scores, labels, **speakers, resamples=100, level=level).eer_interval for level in (0.95, 0.5)
    )
    assert wide is not None
    assert narrow is not None
    assert (wide.level, narrow.level) == (0.95, 0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": {"g": np.ones(3, dtype=bool)}}, 'mask of group "g" must be 400 booleans'),
        ({"groups": {"g": np.ones(400)}}, "got float64"),
        ({"resamples": -1}, "resamples must be at least 0"),
        ({"level": 1.5}, "level"),
        ({"rates": [1.0]}, "a rate of `rates` must be a rate"),
        ({"weights": -np.ones(400)}, "weights must be at least 0"),
        ({"same_recording": np.ones(400)}, "same_recording"),
        ({"labels": np.ones(400)}, "no non-target trial"),
        ({"scores": np.full(400, np.nan)}, "400 NaN"),
        ({"scores": np.zeros(0), "labels": np.zeros(0)}, "no trials at all"),
        ({"test_speakers": ["a"] * 400}, "labels and speakers contradict"),
    ],
)
def test_evaluate__refuses_bad_input_by_name(change, message):
    scores, labels, speakers = draw_scores()
    given: dict[str, Any] = {"scores": scores, "labels": labels, **speakers, "resamples": 5, **change}
    with pytest.raises(InputError, match=message):
        evaluate(**given)

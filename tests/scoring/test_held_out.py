"""Laws of the check on held-out speakers."""

import math
from typing import Any

import numpy as np
import pytest
from builders import draw_llrs, draw_trials

from curvox.errors import InputError, UnknownNameError
from curvox.scoring.calibration.contract import cross_fit, fit_calibration, held_out_llrs
from curvox.scoring.calibration.quality import RecordingMeasures, trial_quality
from curvox.scoring.calibration.regression import LogisticCalibration


def draw_ratios(seed=0, speakers=20, trials=2000, spread=4.0):
    """Calibrated log-likelihood ratios, labels and the speakers of both sides; a quarter are targets."""
    rng = np.random.default_rng(seed)
    labels, enrolment, test = draw_trials(rng, speakers=speakers, trials=trials, one_target_in=4)
    return draw_llrs(rng, labels, spread=spread), labels, enrolment, test


def cllr(llrs, labels):
    return (np.logaddexp(0, -llrs[labels]).mean() + np.logaddexp(0, llrs[~labels]).mean()) / (2 * math.log(2))


@pytest.mark.parametrize("across_folds", ["drop", "fit"])
@pytest.mark.parametrize("folds", [3, 5, 7])
def test_cross_fit__has_no_speaker_in_both_the_fit_and_the_check(folds, across_folds):
    _, labels, enrolment, test = draw_ratios()
    fits = []

    def fit(rows):
        fits.append(rows)
        return LogisticCalibration(1.0, float(len(fits)))

    def apply(calibration, rows):
        fitted = fits[int(calibration.offset) - 1]
        in_fit = set(enrolment[fitted]) | set(test[fitted])
        in_check = set(enrolment[rows]) | set(test[rows])
        assert fitted.any()
        assert rows.any()
        assert not in_fit & in_check
        # Nobody is left out without need.
        assert in_fit | in_check == set(range(20)) or (across_folds == "fit")
        return np.full(rows.sum(), calibration.offset)

    found = cross_fit(labels, enrolment, test, fit, apply, folds=folds, across_folds=across_folds)
    assert len(fits) == len(found.calibrations) == (folds if across_folds == "drop" else folds * (folds + 1) // 2)
    assert found.dropped == (~found.used).sum()
    assert np.isnan(found.llrs[~found.used]).all()
    assert np.isfinite(found.llrs[found.used]).all()
    assert found.used[labels].all()
    share = found.used[~labels].mean()
    assert share == 1 if across_folds == "fit" else abs(share - 1 / folds) < 0.1


def test_cross_fit__shows_that_a_memorising_calibration_knows_nothing():
    # Scores that say nothing about the label, and a "calibration" that remembers the label of every speaker pair.
    rng = np.random.default_rng(1)
    _, labels, enrolment, test = draw_ratios()
    pairs = [frozenset((int(e), int(t))) for e, t in zip(enrolment, test, strict=True)]

    class Memory(LogisticCalibration):
        pass

    memories = {}

    def fit(rows):
        calibration = Memory(1.0, float(len(memories)))
        memories[calibration.offset] = {pairs[i]: 5.0 if labels[i] else -5.0 for i in np.flatnonzero(rows)}
        return calibration

    def apply(calibration, rows):
        memory = memories[calibration.offset]
        return np.array([memory.get(pairs[i], rng.normal()) for i in np.flatnonzero(rows)])

    everything = np.ones(labels.size, dtype=bool)
    assert cllr(apply(fit(everything), everything), labels) < 0.01
    found = cross_fit(labels, enrolment, test, fit, apply)
    assert cllr(found.llrs[found.used], labels[found.used]) > 1


def test_held_out_llrs__show_that_quality_which_tells_speakers_apart_does_not_generalise():
    # Every speaker has an effect of its own on the scores, and a random code that a fit can learn the effect by.
    scores, labels, enrolment, test = draw_ratios(2)
    rng = np.random.default_rng(3)
    effect, codes = 2 * rng.normal(size=20), rng.normal(size=(20, 14))
    scores = scores + effect[enrolment] + effect[test]
    quality, names = codes[enrolment] + codes[test], [f"code {i}" for i in range(14)]
    plain = fit_calibration(scores, labels).llrs(scores)
    with_codes = fit_calibration(scores, labels, quality=quality, quality_names=names).llrs(scores, quality)
    assert cllr(with_codes, labels) < cllr(plain, labels)
    found = [
        held_out_llrs(scores, labels, enrolment, test),
        held_out_llrs(scores, labels, enrolment, test, quality=quality, quality_names=names),
    ]
    honest, honest_with_codes = (cllr(one.llrs[one.used], labels[one.used]) for one in found)
    assert honest_with_codes > honest


@pytest.mark.parametrize("kind", ["logistic", "isotonic"])
@pytest.mark.parametrize("across_folds", ["drop", "fit"])
def test_held_out_llrs__of_gaussian_scores_are_calibrated(kind, across_folds):
    llrs, labels, enrolment, test = draw_ratios(4, speakers=60, trials=12_000)
    found = held_out_llrs(0.1 * llrs - 7, labels, enrolment, test, kind=kind, across_folds=across_folds)
    assert cllr(found.llrs[found.used], labels[found.used]) == pytest.approx(
        cllr(llrs[found.used], labels[found.used]), abs=0.01
    )
    assert cllr((0.1 * llrs - 7)[found.used], labels[found.used]) > 2


def test_held_out_llrs__quality_helps_where_the_truth_depends_on_duration():
    rng = np.random.default_rng(5)
    truth, labels, enrolment, test = draw_ratios(5, speakers=60, trials=8000)
    durations = np.exp(rng.normal(1, 1, (2, labels.size)))
    sides = [RecordingMeasures(duration_s=side) for side in durations]
    quality = trial_quality(*sides, names=["log_duration_min"])
    scores = truth + 2 * quality.columns[:, 0]
    settings: dict[str, Any] = {"enrolment_speakers": enrolment, "test_speakers": test}
    plain = held_out_llrs(scores, labels, **settings)
    aware = held_out_llrs(scores, labels, **settings, quality=quality.columns, quality_names=quality.names)
    np.testing.assert_array_equal(aware.used, plain.used)
    before, after = (cllr(found.llrs[found.used], labels[found.used]) for found in (plain, aware))
    assert after < before - 0.05
    assert after == pytest.approx(cllr(truth[aware.used], labels[aware.used]), abs=0.01)
    calibration = aware.calibrations[0]
    assert isinstance(calibration, LogisticCalibration)
    assert calibration.quality_slopes[0] == pytest.approx(-2, abs=0.2)


def test_held_out_llrs__depend_on_the_seed_and_not_on_order_or_names():
    scores, labels, enrolment, test = draw_ratios(6)
    first = held_out_llrs(scores, labels, enrolment, test, seed=3)
    order = np.random.default_rng(0).permutation(labels.size)
    names = np.array([f"s{i:02d}" for i in range(20)])
    second = held_out_llrs(scores[order], labels[order], names[enrolment[order]], names[test[order]], seed=3)
    np.testing.assert_array_equal(second.used, first.used[order])
    np.testing.assert_allclose(second.llrs, first.llrs[order], atol=1e-9)
    other = held_out_llrs(scores, labels, enrolment, test, seed=4)
    assert (other.used != first.used).any()


def test_held_out_llrs__of_weights_that_leave_trials_out_are_fitted_without_them():
    scores, labels, enrolment, test = draw_ratios(7)
    weights = np.where(np.random.default_rng(1).random(labels.size) < 0.5, 0.0, 2.0)
    weighted = held_out_llrs(scores, labels, enrolment, test, weights=weights)
    kept = weights > 0
    alone = held_out_llrs(scores[kept], labels[kept], enrolment[kept], test[kept])
    np.testing.assert_allclose(weighted.llrs[kept], alone.llrs, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 1}, "folds"),
        ({"folds": True}, "folds"),
        ({"folds": 2.0}, "folds"),
        ({"folds": 11}, "at least 22 speakers.*folds=10"),
        ({"folds": 2, "across_folds": "fit"}, "folds=3"),
        ({"quality": np.ones((3, 1)), "quality_names": ["a"]}, "quality"),
    ],
)
def test_held_out_llrs__refuse_settings_that_do_not_fit(settings, message):
    with pytest.raises(InputError, match=message):
        held_out_llrs(*draw_ratios(), **settings)


def test_held_out_llrs__refuse_unknown_names():
    with pytest.raises(UnknownNameError, match="calibration"):
        held_out_llrs(*draw_ratios(), kind="platt")
    with pytest.raises(UnknownNameError, match='did you mean "drop"'):
        held_out_llrs(*draw_ratios(), across_folds="dropp")


def test_held_out_llrs__refuse_trials_that_cannot_be_checked():
    scores, labels, enrolment, test = draw_ratios()
    with pytest.raises(InputError, match="contradict"):
        held_out_llrs(scores, ~labels, enrolment, test)
    few = (enrolment < 3) & (test < 3)
    with pytest.raises(InputError, match="at least 10 speakers"):
        held_out_llrs(scores[few], labels[few], enrolment[few], test[few])
    # All non-targets are between two halves, and targets of one speaker only: no fold can check, or none can fit.
    one = ~labels | (enrolment == 0)
    with pytest.raises(InputError, match="no target among them"):
        held_out_llrs(scores[one], labels[one], enrolment[one], test[one])

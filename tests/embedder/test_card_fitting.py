"""Fitting a decision card: its figures are those of speakers not met, and what is too little is refused."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_decisions import FINGERPRINT, FixedScores, drawn_card, drawn_trials

from curvox.corpora import Corpus, TrialList
from curvox.embedder import CalibratedScoring, CardSettings, EmbeddedRecordings, fit_card
from curvox.embedder.card.fitting import LEAST_TAIL_ERRORS, tail_of
from curvox.errors import InputError
from curvox.geometry import Euclidean
from curvox.metrics import cllr, min_cllr
from curvox.scoring import calibration_from, fit_calibration, held_out_llrs

QUICK = CardSettings(resamples=20)


def fit(corpus: Corpus, trials: TrialList, scores: np.ndarray, recordings: EmbeddedRecordings) -> CalibratedScoring:
    return fit_card(
        Euclidean(),
        FINGERPRINT,
        corpus,
        trials,
        recordings,
        FixedScores(scores),  # pyright: ignore
        training_speakers=frozenset(),
        date="2026-01-31",
        settings=QUICK,
    )


@pytest.mark.parametrize("kind", ["logistic", "isotonic"])
def test_card__states_the_figures_of_speakers_not_met(kind: str) -> None:
    corpus, trials, scores, _ = drawn_trials()
    assert trials.labels is not None
    sides = [[corpus[name].speaker for name in side] for side in (trials.enrolments, trials.tests)]
    held = held_out_llrs(scores, trials.labels, *sides, kind=kind, smoothing=True, across_folds="fit")
    assert held.used.all()
    card = drawn_card(settings=CardSettings(kind=kind, resamples=20)).card
    assert card.cllr_after == pytest.approx(cllr(held.llrs, trials.labels))
    assert card.min_cllr == pytest.approx(min_cllr(held.llrs, trials.labels))
    assert card.cllr_before == pytest.approx(cllr(scores, trials.labels))
    assert card.min_cllr <= card.cllr_after < 1
    assert card.cllr_after < card.cllr_before
    own = fit_calibration(scores, trials.labels, kind=kind, smoothing=True)
    probes = np.array([0.0, 0.3, 0.5])
    np.testing.assert_allclose(calibration_from(card.calibration).llrs(probes), own.llrs(probes))


def test_card__names_what_it_was_fitted_on() -> None:
    card = drawn_card().card
    assert (card.fitted_on.trials, card.fitted_on.corpus, card.fitted_on.speakers) == ("drawn.txt", "drawn", 24)
    assert (card.fitted_on.targets, card.fitted_on.non_targets) == (24 * 3, 72 * 71 // 2 - 24 * 3)
    assert card.fitted_on.training_speakers == 0
    assert card.seen.recordings == 72
    assert card.seen.channels == ("phone",)
    assert card.seen.duration_s.smallest >= 2
    assert any("24 speakers" in warning for warning in card.warnings)


def test_thresholds__keep_the_rates_they_are_named_for() -> None:
    card = drawn_card().card
    named = {one.name: one for one in card.thresholds}
    assert {"far:0.01", "far:0.001", "frr:0.05", "eer", "bayes:0.5", "bayes:0.05", "bayes:0.01"} <= set(named)
    assert named["far:0.01"].measured_far <= 0.01
    assert named["far:0.001"].measured_far <= 0.001
    assert named["frr:0.05"].measured_frr <= 0.05
    assert named["bayes:0.05"].llr_threshold == pytest.approx(np.log(19))
    assert named["eer"].measured_far == pytest.approx(named["eer"].measured_frr, abs=0.02)
    for one in card.thresholds:
        assert one.far_interval.low <= one.measured_far <= one.far_interval.high


def test_thresholds__that_the_trials_cannot_show_are_left_out_and_said() -> None:
    card = drawn_card(settings=CardSettings(resamples=20, fars=(0.01, 1e-6), frrs=(0.01,))).card
    names = [one.name for one in card.thresholds]
    assert "far:0.01" in names
    assert "far:1e-06" not in names
    assert "frr:0.01" not in names
    assert any("far:1e-06: 2,484 different-speaker trials" in warning for warning in card.warnings)
    assert any("frr:0.01: 72 same-speaker trials" in warning for warning in card.warnings)


def test_thresholds__above_a_tie_of_non_targets_are_left_out_and_said() -> None:
    corpus, trials, scores, recordings = drawn_trials()
    assert trials.labels is not None
    capped = np.minimum(scores, np.quantile(scores[~trials.labels], 0.995))
    card = fit(corpus, trials, capped, recordings).card
    names = [one.name for one in card.thresholds]
    assert "far:0.01" in names
    assert "far:0.001" not in names
    assert any("far:0.001: more different-speaker trials" in warning for warning in card.warnings)


@pytest.mark.parametrize(
    ("speakers", "each", "said"),
    [(6, 4, r"6 speakers \(at least 10\)"), (24, 2, r"24 same-speaker trials \(at least 30\)")],
)
def test_card__of_too_few_is_refused_with_the_numbers(speakers: int, each: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        drawn_card(speakers=speakers, each=each)


def test_card__of_trials_without_labels_is_refused() -> None:
    corpus, trials, scores, recordings = drawn_trials()
    with pytest.raises(InputError, match="no labels"):
        fit(corpus, replace(trials, labels=None), scores, recordings)


def test_card__says_when_it_shares_speakers_with_training() -> None:
    shared = drawn_card(training_speakers={"s000", "s007", "somebody"}).card
    assert shared.fitted_on.training_speakers == 2
    assert any("2 of the 24 speakers" in warning for warning in shared.warnings)
    unknown = drawn_card(training_speakers=None).card
    assert unknown.fitted_on.training_speakers is None
    assert any("not known" in warning for warning in unknown.warnings)
    assert not any("trained on" in warning for warning in drawn_card().card.warnings)


def test_card__of_scores_that_know_next_to_nothing_says_so() -> None:
    corpus, trials, scores, recordings = drawn_trials()
    assert trials.labels is not None
    noise = np.random.default_rng(2).normal(size=scores.size)
    cards = [fit(corpus, trials, noise + shift * trials.labels, recordings).card for shift in (0.05, 2.0)]
    said = [any("no better than saying nothing" in warning for warning in card.warnings) for card in cards]
    assert said == [card.cllr_after >= 1 for card in cards]
    assert said[0]
    assert not said[-1]


@pytest.mark.parametrize("broken", ["constant", "reversed"])
def test_card__of_scores_that_cannot_be_calibrated_is_refused(broken: str) -> None:
    corpus, trials, scores, recordings = drawn_trials()
    with pytest.raises(InputError, match=r"all scores are equal|reversed"):
        fit(corpus, trials, np.zeros_like(scores) if broken == "constant" else -scores, recordings)


def test_quality__enters_the_calibration_and_constant_measures_do_not() -> None:
    calibrated = drawn_card(settings=CardSettings(quality=True, resamples=20))
    names = calibrated.calibration.quality_names
    assert "log_duration_min" in names
    assert "log_magnitude_min" in names
    assert not any(name.startswith("snr") for name in names)
    assert sum("same in all trials" in warning for warning in calibrated.card.warnings) == 2
    # The drawn durations have nothing to do with the scores.
    assert any("quality does not help" in warning for warning in calibrated.card.warnings)


def test_quality__that_explains_scores_lowers_cllr() -> None:
    corpus, trials, scores, recordings = drawn_trials(separation=1.5)
    first, second = trials.indices()
    seconds = np.array([quality.speech_s for quality in recordings.qualities])
    shifted = scores + 0.3 * np.log(np.minimum(seconds[first], seconds[second]))
    options = {"training_speakers": frozenset(), "date": "2026-01-31"}
    plain, aware = (
        fit_card(
            Euclidean(),
            FINGERPRINT,
            corpus,
            trials,
            recordings,
            FixedScores(shifted),  # pyright: ignore
            settings=CardSettings(quality=quality, resamples=20),
            **options,  # pyright: ignore
        ).card
        for quality in (False, True)
    )
    assert aware.cllr_after < plain.cllr_after - 0.05
    assert not any("does not help" in warning for warning in aware.warnings)


def test_tail__is_never_exceeded_and_ends_where_the_trials_end() -> None:
    rng = np.random.default_rng(0)
    llrs, labels = rng.normal(size=4000), np.arange(4000) < 500
    tail = tail_of(llrs, labels)
    rates, thresholds = [point.far for point in tail], [point.llr_threshold for point in tail]
    assert rates == sorted(rates, reverse=True)
    assert thresholds == sorted(thresholds)
    for rate, threshold in zip(rates, thresholds, strict=True):
        accepted = sum(
            1 for llr, label in zip(llrs.tolist(), labels.tolist(), strict=True) if not label and llr >= threshold
        )
        assert accepted <= rate * 3500 < accepted + 2
    assert LEAST_TAIL_ERRORS <= rates[-1] * 3500 < 1.3 * LEAST_TAIL_ERRORS


def test_fit_card__is_the_same_again_and_hangs_on_the_seed() -> None:
    first, again = drawn_card().card, drawn_card().card
    assert first == again
    other = drawn_card(settings=CardSettings(seed=1, resamples=20)).card
    assert other.calibration == first.calibration
    assert other.cllr_after != first.cllr_after

"""Laws of the health of scores and of their histograms."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_oracles import LAW, TRIALS, gaussian_llrs, split
from scipy.stats import norm

from curvox.errors import InputError
from curvox.metrics import score_health, tied_share
from curvox.metrics.health import score_histogram
from curvox.metrics.sorted_trials import sort_trials


@LAW
@given(TRIALS)
def test_score_health__counts_ties_and_ends(trials):
    scores, labels = split(trials)
    found = score_health(scores, labels)
    counts = Counter(scores.tolist())
    ends = {max(counts), min(counts)}
    assert found.trials == len(trials)
    assert found.tied_share == pytest.approx(sum(n for n in counts.values() if n > 1) / len(trials))
    assert found.tied_share == pytest.approx(tied_share(scores))
    assert found.saturated_share == pytest.approx(sum(counts[end] for end in ends if counts[end] > 1) / len(trials))
    assert found.constant == (len(counts) == 1)
    assert 0 <= found.overlap <= 1


def test_score_health__of_good_scores_has_no_warnings():
    scores, labels = gaussian_llrs(20_000, 4.0)
    found = score_health(scores, labels, same_recording=np.zeros(20_000, dtype=bool))
    assert found.warnings == ()
    assert (found.tied_share, found.saturated_share, found.same_recording) == (0, 0, 0)


@pytest.mark.parametrize("separation", [1.0, 2.0, 3.0])
def test_score_health__overlap_of_gaussian_scores_is_the_closed_form(separation):
    scores, labels = gaussian_llrs(100_000, separation)
    assert score_health(scores, labels).overlap == pytest.approx(2 * norm.cdf(-separation / 2), abs=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scores, labels: np.full(scores.size, 0.25), "All 2000 scores are equal"),
        (lambda scores, labels: np.round(scores), "share their score with another trial"),
        (lambda scores, labels: np.clip(scores, -5, 5), "exactly the largest or the smallest: scores were clipped"),
        (lambda scores, labels: -scores, "Targets score lower than non-targets"),
        (lambda scores, labels: np.random.default_rng(0).permutation(scores) + 1e-3 * labels, "overlap by"),
    ],
)
def test_score_health__warns_of_sick_scores(change, message):
    scores, labels = gaussian_llrs(2000, 3.0)
    warnings = score_health(change(scores, labels), labels).warnings
    assert any(message in warning for warning in warnings)


def test_score_health__counts_recordings_against_themselves():
    scores, labels = gaussian_llrs(100, 3.0)
    found = score_health(scores, labels, same_recording=np.arange(100) < 7)
    assert found.same_recording == 7
    assert any("7 trials compare a recording with itself" in warning for warning in found.warnings)
    with pytest.raises(InputError, match=r"same_recording.* must be 100 booleans"):
        score_health(scores, labels, same_recording=[1] * 100)


@LAW
@given(TRIALS, st.data())
def test_score_health__of_trials_said_again_has_the_ties_of_the_first_ones(trials, data):
    scores, labels = split(trials)
    again = np.array(data.draw(st.lists(st.sampled_from(range(len(trials))), max_size=20)), dtype=int)
    order = np.random.default_rng(len(again)).permutation(len(trials) + len(again))
    every, repeated = np.concatenate((np.arange(len(trials)), again)), np.arange(order.size) >= len(trials)
    whole = score_health(scores[every][order], labels[every][order], repeated=repeated[order])
    once = score_health(scores, labels)
    assert (whole.tied_share, whole.saturated_share) == (once.tied_share, once.saturated_share)
    assert (whole.repeated, whole.trials, whole.constant) == (len(again), order.size, once.constant)
    assert once.repeated is None


def test_score_health__does_not_warn_of_repeated_trials_but_of_the_ties_among_the_rest():
    scores, labels = gaussian_llrs(2000, 4.0)
    twice, labels = np.tile(scores, 2), np.tile(labels, 2)
    repeated = np.arange(4000) >= 2000
    assert any("trials are repeated" in warning for warning in score_health(twice, labels).warnings)
    assert score_health(twice, labels, repeated=repeated).warnings == ()
    rounded = score_health(np.round(twice), labels, repeated=repeated).warnings
    assert any("that repeat no other share their score" in warning for warning in rounded)
    assert not any("trials are repeated" in warning for warning in rounded)
    with pytest.raises(InputError, match=r"repeated.* must be 4000 booleans"):
        score_health(twice, labels, repeated=repeated[1:])


@LAW
@given(TRIALS, st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_score_histogram__holds_every_trial_once(trials, shift, scale):
    scores, labels = split(trials)
    histogram = score_histogram(sort_trials(scores * scale + shift, labels))
    edges = np.array(histogram.edges)
    assert (np.diff(edges) > 0).all()
    assert len(histogram.targets) == len(histogram.non_targets) == len(edges) - 1
    assert sum(histogram.targets) == pytest.approx(1)
    assert sum(histogram.non_targets) == pytest.approx(1)


@pytest.mark.parametrize("weighted", [False, True])
def test_score_histogram__matches_numpy_and_puts_far_scores_into_the_outer_bins(weighted):
    scores, labels = gaussian_llrs(5000, 2.0)
    weights = np.random.default_rng(1).integers(0, 3, 5000).astype(float) if weighted else None
    histogram = score_histogram(sort_trials(scores, labels, weights))
    inside = np.clip(scores, histogram.edges[0], histogram.edges[-1])
    for shares, of_class in ((histogram.targets, labels), (histogram.non_targets, ~labels)):
        own = None if weights is None else weights[of_class]
        counts, _ = np.histogram(inside[of_class], bins=np.array(histogram.edges), weights=own)
        np.testing.assert_allclose(shares, counts / counts.sum(), atol=1e-12)


def test_score_histogram__of_constant_and_of_huge_scores_has_rising_edges():
    largest = np.finfo(np.float64).max
    for scores in ([0.0, 0.0], [1e300, 1e300], [largest, largest], [-largest, largest]):
        edges = score_histogram(sort_trials(scores, [0, 1])).edges
        assert (np.diff(np.array(edges) / 4) > 0).all()

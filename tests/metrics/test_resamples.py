"""Draws of speakers: one stream for all, against NumPy's own, loops over copies of trials, and the bootstrap."""

from itertools import islice

import numpy as np
import pytest

from curvox.errors import InputError
from curvox.metrics import bootstrap_speakers, draw_speakers, equal_error_rate, resample_speakers, speaker_draws


def small_trials(seed, speakers=6, trials=60):
    rng = np.random.default_rng(seed)
    labels = rng.random(trials) < 0.4
    enrolment = rng.integers(0, speakers, trials)
    other = (enrolment + rng.integers(1, speakers, trials)) % speakers
    scores = np.round(labels + rng.normal(size=trials), 1)  # with ties
    return scores, labels, enrolment, np.where(labels, enrolment, other)


def test_speaker_draws__are_one_stream_of_multinomial_draws(monkeypatch):
    expected = np.random.default_rng(3).multinomial(7, np.full(7, 1 / 7), size=25)
    for block_bytes in (1, 200, 1 << 20):
        monkeypatch.setattr("curvox.metrics.resamples._BLOCK_BYTES", block_bytes)
        np.testing.assert_array_equal(list(islice(speaker_draws(7, seed=3), 25)), expected)
    assert list(speaker_draws(0, seed=3)) == []


def test_resample_speakers__draws_again_where_there_is_no_value():
    drawn = list(islice(speaker_draws(3, seed=0), 400))
    usable = [row for row in drawn if row[0]]
    values, thrown = resample_speakers(lambda n: tuple(n) if n[0] else None, speakers=3, resamples=50, seed=0)
    assert values == [tuple(row) for row in usable[:50]]
    last = next(i for i, row in enumerate(drawn) if row is usable[49])
    assert thrown == last + 1 - 50 > 0


def test_resample_speakers__gives_up_after_as_many_draws_as_it_may_take():
    asked = []
    found = resample_speakers(asked.append, speakers=4, resamples=5, seed=0, most_draws=100)
    assert (found, len(asked)) == (([], 100), 100)
    assert resample_speakers(lambda n: 1, speakers=0, resamples=5, seed=0) == ([], 0)
    assert resample_speakers(lambda n: 1, speakers=4, resamples=0, seed=0) == ([], 0)


@pytest.mark.parametrize("seed", range(3))
def test_draws__are_those_of_bootstrap_speakers(seed):
    scores, labels, enrolment, test = small_trials(seed, speakers=3 + 2 * seed)
    draws = draw_speakers(labels, enrolment, test, resamples=50, seed=seed)
    estimate, values = draws.equal_error_rates(scores)
    whole = bootstrap_speakers(
        scores, labels, enrolment_speakers=enrolment, test_speakers=test, resamples=50, seed=seed
    )
    row = whole.keys.index("eer")
    assert estimate == whole.estimates[row]
    np.testing.assert_array_equal(values, whole.values[row])
    assert draws.redrawn == whole.redrawn


def test_draws__weigh_trials_as_copies_in_a_loop_would():
    scores, labels, enrolment, test = small_trials(5)
    draws = draw_speakers(labels, enrolment, test, resamples=20, seed=1)
    _, values = draws.equal_error_rates(scores)
    for counts, value in zip(draws.multiplicities, values, strict=True):
        copies, of_copies = [], []
        for i in range(len(scores)):
            times = counts[enrolment[i]] if labels[i] else counts[enrolment[i]] * counts[test[i]]
            copies += [scores[i]] * int(times)
            of_copies += [labels[i]] * int(times)
        assert value == pytest.approx(equal_error_rate(copies, of_copies).value, abs=1e-12)


def test_draws__do_not_hang_on_the_scores_or_on_names():
    scores, labels, enrolment, test = small_trials(2)
    first = draw_speakers(labels, enrolment, test, resamples=10, seed=3)
    names = np.array([f"s{number}" for number in range(6)])
    second = draw_speakers(labels, names[enrolment], names[test], resamples=10, seed=3)
    np.testing.assert_array_equal(first.multiplicities, second.multiplicities)
    assert first.equal_error_rates(scores)[0] == second.equal_error_rates(scores)[0]


def test_draws__refuse_what_cannot_be_drawn():
    scores, labels, enrolment, test = small_trials(2)
    with pytest.raises(InputError, match="both classes"):
        draw_speakers(labels[labels], enrolment[labels], test[labels])
    with pytest.raises(InputError, match="at least 1"):
        draw_speakers(labels, enrolment, test, resamples=0)
    draws = draw_speakers(labels, enrolment, test, resamples=2)
    with pytest.raises(InputError, match="60 scores"):
        draws.equal_error_rates(scores[1:])
    with pytest.raises(InputError, match="finite"):
        draws.equal_error_rates(np.where(labels, np.nan, scores))

"""Clipping limits peaks to the share asked for and leaves the rest alone."""

from dataclasses import replace

import pytest
import torch
from builders import draw_waveforms

from curvox.audio import ClippingOptions, clip_peaks
from curvox.errors import InputError

ALWAYS = ClippingOptions(probability=1.0)


def test_clipping__cuts_at_the_share_of_the_peak_asked_for() -> None:
    batch = draw_waveforms(50, 4000) * torch.logspace(-3, 1, 50)[:, None]
    cut = clip_peaks(batch, list(range(50)), options=replace(ALWAYS, peak_share_low=0.3, peak_share_high=0.3))
    limit = 0.3 * batch.abs().amax(1, keepdim=True)
    torch.testing.assert_close(cut.abs().amax(1, keepdim=True), limit, atol=0, rtol=1e-6)
    below = batch.abs() < 0.999 * limit
    assert torch.equal(cut[below], batch[below])
    assert torch.equal(cut.sign(), batch.sign())


def test_clipping__shares_fill_their_range() -> None:
    batch = draw_waveforms(300, 400)
    cut = clip_peaks(batch, list(range(300)), options=replace(ALWAYS, peak_share_low=0.2, peak_share_high=0.8))
    shares = cut.abs().amax(1) / batch.abs().amax(1)
    assert shares.min() == pytest.approx(0.2, abs=0.02)
    assert shares.max() == pytest.approx(0.8, abs=0.02)
    assert shares.mean() == pytest.approx(0.5, abs=0.04)


def test_clipping__does_not_depend_on_gain_or_batch() -> None:
    batch = draw_waveforms(8, 4000)
    whole = clip_peaks(batch, list(range(8)), options=ALWAYS)
    torch.testing.assert_close(clip_peaks(4 * batch, list(range(8)), options=ALWAYS), 4 * whole, atol=0, rtol=1e-6)
    for k in range(8):
        assert torch.equal(clip_peaks(batch[k : k + 1], [k], options=ALWAYS)[0], whole[k])


def test_clipping__happens_as_often_as_its_probability() -> None:
    batch = draw_waveforms(1000, 100)
    seeds = list(range(1000))
    assert torch.equal(clip_peaks(batch, seeds, options=replace(ALWAYS, probability=0.0)), batch)
    changed = (clip_peaks(batch, seeds, options=replace(ALWAYS, probability=0.3)) != batch).any(1)
    assert 250 < int(changed.sum()) < 350


def test_clipping__silence_stays_silence() -> None:
    assert not clip_peaks(torch.zeros(2, 100), [0, 1], options=ALWAYS).any()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"peak_share_low": 0.0}, "above 0"),
        ({"peak_share_high": 1.5}, "between 0 and 1"),
        ({"peak_share_low": 0.9}, "at most peak_share_high"),
        ({"probability": 2.0}, "between 0 and 1"),
    ],
)
def test_clipping_options__refuse_values_that_do_not_fit(wrong: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        ClippingOptions(**wrong)

"""SpecAugment hides bands of the widths and at the places its options allow, by the seeds alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.audio import MaskOptions, mask_features
from curvox.errors import InputError


def hidden(n_items, n_frames, n_bins, options, seed=0, lengths=None):
    masked = mask_features(
        torch.ones(n_items, n_frames, n_bins),
        [(seed, k) for k in range(n_items)],
        lengths_frames=None if lengths is None else torch.tensor(lengths),
        options=options,
    )
    return masked == 0


@settings(max_examples=40, deadline=None)
@given(
    n_frames=st.integers(1, 60),
    n_bins=st.integers(1, 30),
    widest=st.integers(0, 70),
    number=st.integers(0, 3),
    seed=st.integers(0, 10**6),
)
def test_mask_features__hides_whole_bands_no_wider_than_allowed(n_frames, n_bins, widest, number, seed):
    options = MaskOptions(number, widest, number, widest)
    for item in hidden(3, n_frames, n_bins, options, seed):
        frames, bins = item.all(1), item.all(0)
        assert torch.equal(item, frames[:, None] | bins[None, :])
        if number * widest < n_frames and number * widest < n_bins:
            assert int(frames.sum()) <= number * widest
            assert int(bins.sum()) <= number * widest


def test_mask_features__one_band_is_contiguous():
    options = MaskOptions(1, 10, 0, 0)
    widths = set()
    for item in hidden(300, 50, 8, options):
        at = torch.nonzero(item.all(1)).flatten()
        widths.add(len(at))
        assert len(at) == 0 or int(at[-1] - at[0]) == len(at) - 1
    assert widths == set(range(11))


def test_mask_features__reaches_every_frame_and_bin():
    covered = hidden(2000, 30, 20, MaskOptions(1, 3, 1, 3)).float().mean(0)
    assert covered.min() > 0.02
    assert covered.max() < 0.5


def test_mask_features__bands_of_time_lie_in_the_valid_frames():
    lengths = [40, 5, 1] * 30
    for item, length in zip(hidden(90, 40, 8, MaskOptions(2, 10, 0, 0), lengths=lengths), lengths, strict=True):
        assert not item[length:].any()


def test_mask_features__equal_seeds_give_equal_bands_in_any_batch():
    features = torch.randn(5, 40, 20, generator=torch.Generator().manual_seed(0))
    whole = mask_features(features, list(range(5)))
    torch.testing.assert_close(whole, mask_features(features, list(range(5))), atol=0, rtol=0)
    torch.testing.assert_close(whole[3:4], mask_features(features[3:4], [3]), atol=0, rtol=0)
    assert not torch.equal(whole == 0, mask_features(features, list(range(5, 10))) == 0)


def test_mask_features__leaves_the_rest_as_it_was():
    features = torch.randn(5, 40, 20, generator=torch.Generator().manual_seed(0))
    masked = mask_features(features, list(range(5)))
    torch.testing.assert_close(masked[masked != 0], features[masked != 0], atol=0, rtol=0)
    torch.testing.assert_close(mask_features(features, [0] * 5, options=MaskOptions(0, 9, 0, 9)), features)


@pytest.mark.parametrize("setting", [{"time_masks": -1}, {"frequency_mask_max_bins": -8}, {"frequency_masks": True}])
def test_mask_options__refuse_what_is_no_count(setting):
    with pytest.raises(InputError, match=next(iter(setting))):
        MaskOptions(**setting)


@pytest.mark.parametrize(
    ("features", "seeds", "lengths", "expected"),
    [
        (torch.zeros(40, 20), [0], None, "shape"),
        (torch.zeros(1, 40, 20, dtype=torch.int64), [0], None, "floating-point"),
        (torch.zeros(2, 40, 20), [0], None, "1 seeds"),
        (torch.zeros(2, 40, 20), [0, 1], [40], "1 lengths"),
    ],
)
def test_mask_features__refuses_input_that_does_not_fit(features, seeds, lengths, expected):
    with pytest.raises(InputError, match=expected):
        mask_features(features, seeds, lengths_frames=None if lengths is None else torch.tensor(lengths))

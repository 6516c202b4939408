"""Laws of quality measures."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curvox.errors import InputError, UnknownNameError
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.scoring.calibration.quality import (
    TRIAL_MEASURES,
    RecordingMeasures,
    embedding_magnitude,
    hyperbolic_radius,
    trial_quality,
)

LAW = settings(max_examples=30, deadline=None)
POSITIVE = st.lists(st.floats(0.01, 1e4), min_size=3, max_size=3)


def full_measures(values):
    array = np.array(values)
    return RecordingMeasures(array, np.log(array), array * 2, array / 3, -array)


@LAW
@given(POSITIVE, POSITIVE)
def test_trial_quality__is_the_formula_of_its_name(first, second):
    x, y = full_measures(first), full_measures(second)
    found = trial_quality(x, y)
    assert found.names == tuple(TRIAL_MEASURES)
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        expected = {
            "log_duration_min": math.log(min(a, b)),
            "log_duration_difference": abs(math.log(a / b)),
            "snr_db_min": min(math.log(a), math.log(b)),
            "snr_db_difference": abs(math.log(a) - math.log(b)),
            "log_magnitude_min": math.log(2 * min(a, b)),
            "log_magnitude_difference": abs(math.log(a / b)),
            "radius_min": min(a, b) / 3,
            "radius_difference": abs(a - b) / 3,
            "cohort_mean_min": -max(a, b),
            "cohort_mean_difference": abs(a - b),
        }
        assert dict(zip(found.names, found.columns[i], strict=True)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@LAW
@given(POSITIVE, POSITIVE)
def test_trial_quality__does_not_depend_on_which_side_is_which(first, second):
    x, y = full_measures(first), full_measures(second)
    np.testing.assert_array_equal(trial_quality(x, y).columns, trial_quality(y, x).columns)


def test_trial_quality__gives_the_columns_asked_for_in_their_order():
    measures = RecordingMeasures(duration_s=np.array([1.0, 2.0, 8.0]), snr_db=np.array([5.0, -1.0, 30.0]))
    sides = measures.rows([0, 1, 2]), measures.rows([2, 2, 2])
    assert trial_quality(*sides).names == (
        "log_duration_min",
        "log_duration_difference",
        "snr_db_min",
        "snr_db_difference",
    )
    found = trial_quality(*sides, names=("snr_db_min", "log_duration_min"))
    np.testing.assert_allclose(found.columns, [[5, 0], [-1, math.log(2)], [30, math.log(8)]])


def test_trial_quality__refuses_what_is_missing():
    short = RecordingMeasures(duration_s=np.ones(2))
    with pytest.raises(InputError, match=r"snr_db of both sides.*test"):
        trial_quality(RecordingMeasures(snr_db=np.ones(2)), short)
    with pytest.raises(InputError, match=r"snr_db of both sides.*enrolment"):
        trial_quality(short, short, names=["snr_db_min"])
    with pytest.raises(InputError, match="nothing was measured"):
        trial_quality(RecordingMeasures(), RecordingMeasures())
    with pytest.raises(InputError, match="two sides"):
        trial_quality(short, RecordingMeasures(duration_s=np.ones(3)))
    with pytest.raises(UnknownNameError, match="log_duration_min"):
        trial_quality(short, short, names=["log_duration_max"])


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("duration_s", [1.0, 0.0], "index 1"),
        ("magnitude", [-1.0], "index 0"),
        ("radius", [-1e-9], "index 0"),
        ("snr_db", [3.0, math.inf], "index 1"),
        ("cohort_mean", [math.nan], "index 0"),
        ("snr_db", [[1.0]], "vector"),
        ("snr_db", ["3 dB"], "real numbers"),
    ],
)
def test_recording_measures__refuse_values_out_of_range(name, values, message):
    with pytest.raises(InputError, match=message):
        RecordingMeasures(**{name: np.array(values)})


def test_recording_measures__refuse_lengths_that_differ_and_rows_that_are_not_there():
    with pytest.raises(InputError, match="each recording"):
        RecordingMeasures(duration_s=np.ones(2), snr_db=np.ones(3))
    for rows in ([2], [-1], [0.0], [[0]]):
        with pytest.raises(InputError, match="index"):
            RecordingMeasures(duration_s=np.ones(2)).rows(rows)


def test_embedding_magnitude__is_the_norm_in_float64():
    embeddings = torch.randn(20, 7, generator=torch.Generator().manual_seed(0))
    expected = [math.sqrt(math.fsum(v * v for v in row)) for row in embeddings.double().tolist()]
    found = embedding_magnitude(embeddings)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_array_equal(embedding_magnitude(embeddings.numpy()), found)


@pytest.mark.parametrize("c", [0.1, 1.0, 4.0])
def test_hyperbolic_radius__is_the_closed_form(c):
    norms = np.array([0, 1e-8, 0.3, 0.9, 0.999999]) / math.sqrt(c)
    direction = np.array([0.6, -0.8])
    expected = 2 / math.sqrt(c) * np.arctanh(math.sqrt(c) * norms)
    np.testing.assert_allclose(hyperbolic_radius(PoincareBall(c=c), norms[:, None] * direction), expected, rtol=1e-9)


def test_hyperbolic_radius__is_the_norm_in_flat_space_and_refused_on_the_sphere():
    np.testing.assert_allclose(hyperbolic_radius(Euclidean(), [[3.0, 4.0]]), [5.0])
    with pytest.raises(InputError, match="embedding_magnitude"):
        hyperbolic_radius(Hypersphere(), [[1.0, 0.0]])
    with pytest.raises(InputError, match="finite"):
        hyperbolic_radius(PoincareBall(), [[math.nan, 0.0]])
    with pytest.raises(InputError, match="shape"):
        embedding_magnitude([1.0])

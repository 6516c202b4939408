"""Laws of calibrations as plain values: what is written is read again, and nothing else is."""

import json

import numpy as np
import pytest

from curvox.errors import InputError
from curvox.scoring.calibration.contract import CALIBRATIONS, calibration_from, fit_calibration

KINDS = sorted(CALIBRATIONS)


def draw_scores(seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(400) < 100
    return rng.normal(size=400) + 2 * labels, labels


@pytest.mark.parametrize("kind", KINDS)
def test_describe__makes_the_same_calibration_again(kind):
    scores, labels = draw_scores(4)
    calibration = fit_calibration(scores, labels, kind=kind)
    again = calibration_from(json.loads(json.dumps(calibration.describe())))
    assert again == calibration
    np.testing.assert_array_equal(again.llrs(scores), calibration.llrs(scores))


def test_describe__keeps_the_names_of_quality():
    scores, labels = draw_scores(5)
    quality = np.random.default_rng(6).normal(size=(labels.size, 2))
    calibration = fit_calibration(scores, labels, quality=quality, quality_names=["b", "a"], smoothing=True, prior=0.1)
    again = calibration_from(json.loads(json.dumps(calibration.describe())))
    assert again == calibration
    assert again.quality_names == ("b", "a")
    np.testing.assert_array_equal(again.llrs(scores, quality), calibration.llrs(scores, quality))


LOGISTIC = {"name": "logistic", "slope": 2.0, "offset": -1.0, "quality": {"a": 0.5}, "prior": 0.5, "smoothing": False}
ISOTONIC = {"name": "isotonic", "scores": [0.0, 1.0], "llrs": [-2.0, 3.0]}


@pytest.mark.parametrize(
    ("plain", "change", "message"),
    [
        (LOGISTIC, {"slope": 0.0}, "slope must be above 0"),
        (LOGISTIC, {"slope": float("nan")}, "finite"),
        (LOGISTIC, {"slope": "2"}, "finite number"),
        (LOGISTIC, {"offset": None}, "finite number"),
        (LOGISTIC, {"offset": True}, "finite number"),
        (LOGISTIC, {"quality": ["a"]}, "map names"),
        (LOGISTIC, {"quality": {"a": float("inf")}}, "finite"),
        (LOGISTIC, {"quality": {"": 1.0}}, "names"),
        (LOGISTIC, {"prior": 1.0}, "prior"),
        (LOGISTIC, {"smoothing": 1}, "true or false"),
        (LOGISTIC, {"colour": 1}, "unknown key"),
        (ISOTONIC, {"scores": [0.0, 0.0]}, "rise"),
        (ISOTONIC, {"llrs": [3.0, -2.0]}, "fall"),
        (ISOTONIC, {"llrs": [1.0, 1.0]}, "same llr"),
        (ISOTONIC, {"llrs": [1.0]}, "as many"),
        (ISOTONIC, {"llrs": "12"}, "list"),
        (ISOTONIC, {"llrs": [0.0, float("inf")]}, "finite"),
        (ISOTONIC, {"name": "isotonics"}, "did you mean"),
        (ISOTONIC, {"name": 3}, '"name"'),
    ],
)
def test_calibration_from__refuses_what_is_no_calibration(plain, change, message):
    assert calibration_from(plain).describe() == plain
    with pytest.raises(InputError, match=message):
        calibration_from(plain | change)


@pytest.mark.parametrize("plain", [LOGISTIC, ISOTONIC])
def test_calibration_from__misses_no_key(plain):
    for key in plain:
        with pytest.raises(InputError, match=key):
            calibration_from({name: value for name, value in plain.items() if name != key})
    with pytest.raises(InputError, match="mapping"):
        calibration_from([plain])  # pyright: ignore[reportArgumentType]

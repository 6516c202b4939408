"""Histograms and calibration as SVG."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from curvox.errors import InputError
from curvox.metrics import CalibrationCurve, ScoreHistogram
from curvox.reports.figures.detection import calibration_figure, histogram_figure
from curvox.reports.figures.drawing import SERIES

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = [histogram_figure, calibration_figure]


def texts(svg):
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def lines_in(svg, colour):
    """The points of every line drawn in a colour, in the SVG's own units, its y growing downwards."""
    paths = [p for p in ET.fromstring(svg).iter(f"{SVG}path") if f"stroke: var(--series-{colour}" in p.get("style", "")]
    numbers = [np.array(re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", p.get("d", "")), dtype=float) for p in paths]
    return [points for points in numbers if len(points) > 2]


@pytest.mark.parametrize("figure", FIGURES)
def test_figures__are_xml_with_a_label_and_ids_of_their_own(figure, evaluation_report):
    svg = figure(evaluation_report.evaluation, name="mine")
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label")
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("mine-") for name in ids)
    assert figure(evaluation_report.evaluation, name="mine") == svg


def test_histogram__shows_the_share_of_each_class_in_every_bin(evaluation_report):
    histogram = ScoreHistogram(edges=(0.0, 1.0, 2.0, 3.0), targets=(0.0, 0.25, 0.75), non_targets=(0.5, 0.5, 0.0))
    svg = histogram_figure(replace(evaluation_report.evaluation, histogram=histogram, figures=()))
    (targets,), (non_targets,) = lines_in(svg, 1), lines_in(svg, 2)
    floor = max(targets[:, 1])
    assert floor == max(non_targets[:, 1])
    assert (floor - min(targets[:, 1])) / (floor - min(non_targets[:, 1])) == pytest.approx(0.75 / 0.5, rel=1e-4)
    assert "targets, 300" in texts(svg)
    assert "non-targets, 600" in texts(svg)
    assert "point of equal error rates" not in texts(svg)


def test_histogram__names_what_the_scores_are(evaluation_report):
    evaluation = evaluation_report.evaluation
    assert "log-likelihood ratio" in texts(histogram_figure(evaluation))
    assert "score, larger for the same speaker" in texts(histogram_figure(replace(evaluation, llrs=False)))


def test_calibration__draws_the_actual_cost_above_the_lowest(evaluation_report):
    curve = CalibrationCurve(log_odds=(-1.0, 0.0, 1.0), normalised_dcf=(0.9, 0.5, 1.2), min_dcf=(0.6, 0.4, 0.8))
    svg = calibration_figure(replace(evaluation_report.evaluation, calibration=curve))
    # The legend has a line of its own, behind that of the curve.
    lowest, actual = lines_in(svg, 1)[0], lines_in(svg, 2)[0]
    np.testing.assert_allclose(lowest[:, 0], actual[:, 0])
    # Up is less in SVG; distances on the page are in the ratio of the costs.
    gaps = lowest[:, 1] - actual[:, 1]
    np.testing.assert_allclose(gaps / gaps[0], np.array([0.3, 0.1, 0.4]) / 0.3, rtol=1e-4)
    assert "0.400, at log-odds 1.0" in ET.fromstring(svg).get("aria-label", "")


@pytest.mark.parametrize("worst", [0.2, 1.0, 40.0])
def test_calibration__stays_readable_however_bad_it_is(worst, evaluation_report):
    curve = CalibrationCurve(log_odds=(-7.0, 0.0, 7.0), normalised_dcf=(worst,) * 3, min_dcf=(0.1,) * 3)
    svg = calibration_figure(replace(evaluation_report.evaluation, calibration=curve))
    ticks = [float(text) for text in texts(svg) if re.fullmatch(r"\d\.\d", text)]
    assert max(ticks) <= 1.5


@pytest.mark.parametrize(("figure", "field"), [(histogram_figure, "histogram"), (calibration_figure, "calibration")])
def test_figures__refuse_what_is_not_there(figure, field, evaluation_report):
    with pytest.raises(InputError, match=f"no {field}"):
        figure(replace(evaluation_report.evaluation, **{field: None}))


def test_figures__use_the_colours_that_the_page_can_swap(evaluation_report):
    svg = histogram_figure(evaluation_report.evaluation)
    assert f"var(--series-1, {SERIES[0]})" in svg
    assert f"var(--series-2, {SERIES[1]})" in svg

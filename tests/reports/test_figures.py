"""SVG figures: well formed, the same every time, their own ids, names as text."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from curvox.errors import InputError
from curvox.metrics import DetCurve, Evaluation, Figure
from curvox.reports import DiskPicture
from curvox.reports.figures.detection import (
    accents_by_size,
    det_figure,
    dev_eer_figure,
    disk_figure,
    eer_figure,
    loss_figure,
)
from curvox.reports.figures.drawing import OTHER, SERIES, look
from curvox.training import EpochRecord

SVG = "{http://www.w3.org/2000/svg}"
OF_SYSTEMS = [det_figure, eer_figure, loss_figure, dev_eer_figure]


def texts(svg):
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def marks(svg, colour):
    """Marks drawn in a colour: in the disk one for each point, and one in the legend."""
    styles = ((use, use.get("style", "").split("stroke")[0]) for use in ET.fromstring(svg).iter(f"{SVG}use"))
    return [use for use, fill in styles if colour in fill]


@pytest.fixture(scope="module")
def drawn(systems):
    """Every figure of systems, drawn once."""
    return {figure: figure(systems) for figure in OF_SYSTEMS}


def disk_of(accents, genders=None):
    count = len(accents)
    angles = np.linspace(0, 6, count)
    return DiskPicture(
        points=0.7 * np.stack([np.cos(angles), np.sin(angles)], axis=1),
        genders=tuple(genders or ["female"] * count),
        accents=tuple(accents),
        speakers=tuple(map(str, range(count))),
        sessions=("1",) * count,
        stress=0.05,
    )


@pytest.mark.parametrize("figure", OF_SYSTEMS)
def test_figures__are_xml_with_a_label_every_title_and_no_style_of_their_own(figure, systems, drawn):
    root = ET.fromstring(drawn[figure])
    assert "<style" not in drawn[figure]
    assert "DejaVu" not in drawn[figure]
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    written = "\n".join(texts(drawn[figure]))
    for system in systems:
        assert system.title in root.get("aria-label", "")
        assert system.title in written


@pytest.mark.parametrize("figure", OF_SYSTEMS)
def test_figures__are_the_same_every_time_and_leave_matplotlib_as_it_was(figure, systems, drawn):
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": "other", "axes.grid": True, "lines.linewidth": 5}):
        before = dict(mpl.rcParams)
        assert figure(systems) == drawn[figure]
        assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("figure", OF_SYSTEMS)
def test_figures__refer_to_their_own_ids_alone(figure, systems):
    svg = figure(systems[:1], name="mine")
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("mine-") for name in ids)
    links = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
    assert links
    assert set(links) <= set(ids)


@pytest.mark.parametrize("figure", OF_SYSTEMS[:2])
def test_figures__take_titles_as_plain_text(figure, systems):
    titles = ["<script>alert(1)</script>", '$x_2$ & "y"', "_hidden", "आवाज़", "bell\x07"]
    svg = figure([replace(systems[0], title=title) for title in titles])
    written = "\n".join(texts(svg))
    for title in titles:
        assert title.replace("\x07", "\ufffd") in written
    assert "<script" not in svg


def test_look__differs_between_systems_without_colour_too():
    assert len({look(i) for i in range(56)}) == 56
    assert len({(look(i).marker, look(i).line) for i in range(8)}) == 8


def test_det_figure__shows_the_eer_of_every_system(systems, drawn):
    for system in systems:
        assert f"{system.title}: EER {100 * system.evaluation.eer.value:.2f} %" in texts(drawn[det_figure])


@pytest.mark.parametrize("eer", [0.0, 1e-6, 0.002, 0.5, 0.9, 1.0])
def test_det_figure__draws_any_error_rate(eer, systems):
    curve = DetCurve((0.0, eer, 1.0), (1.0, eer, 0.0))
    figures = (Figure("eer", "EER", eer, None, 0.0),)
    system = replace(systems[0], evaluation=replace(systems[0].evaluation, det=curve, figures=figures))
    svg = det_figure([system])
    assert f"{system.title}: EER {100 * eer:.2f} %" in texts(svg)
    assert "nan" not in svg


def test_det_figure__leaves_out_systems_without_a_curve(systems, without_figures):
    assert "Strangers only" not in det_figure([without_figures, systems[1]])
    with pytest.raises(InputError, match="no system has a DET curve"):
        det_figure([without_figures])


def test_system_colours__do_not_depend_on_what_is_missing(systems, without_figures):
    """The second system keeps the second colour where the first has nothing to draw."""
    for figure in (det_figure, loss_figure):
        svg = figure([without_figures, systems[1]])
        assert SERIES[1] in svg
        assert SERIES[0] not in svg


def test_eer_figure__names_groups_and_says_once_why_one_has_no_figures(drawn):
    written = texts(drawn[eer_figure])
    assert "corpus_a" in written
    assert written.count("no target trials") == 1


def test_eer_figure__says_for_which_system_a_figure_is_missing(systems, without_figures):
    # Once pooled, for the second system; once in the group "strangers" of the first.
    assert texts(eer_figure([systems[0], without_figures])).count("no target trials") == 2
    empty = Evaluation(targets=0, non_targets=0, speakers=0, tied_share=0.0, why_no_figures="no trials")
    assert "no trials" in texts(eer_figure([replace(systems[0], evaluation=empty)]))


def test_learning_curves__skip_missing_values_and_refuse_none_at_all(systems):
    history = (EpochRecord(1, 3.0, None), EpochRecord(2, None, 0.3), EpochRecord(3, 2.0, 0.25))
    system = replace(systems[0], history=history)
    assert "25.00" in dev_eer_figure([system])
    assert "2.00" in loss_figure([system])
    for figure in (loss_figure, dev_eer_figure):
        with pytest.raises(InputError, match="no system has a history"):
            figure([replace(system, history=())])


def test_disk_figure__draws_every_point_in_the_colour_of_its_accent():
    svg = disk_figure(disk_of(["scottish"] * 7 + ["welsh"] * 4))
    assert len(marks(svg, SERIES[0])) == 7 + 1
    assert len(marks(svg, SERIES[1])) == 4 + 1
    assert {"scottish", "welsh", "female"} <= set(texts(svg))


def test_disk_figure__keeps_colours_between_pictures_with_one_order():
    order = accents_by_size([disk_of(["welsh"]), disk_of(["scottish"] * 3 + ["welsh"])])
    assert order == ("scottish", "welsh")
    svg = disk_figure(disk_of(["welsh"]), accents=order)
    assert len(marks(svg, SERIES[1])) == 2
    assert not marks(svg, SERIES[0])
    assert "scottish" not in texts(svg)


def test_disk_figure__puts_many_accents_into_one_grey():
    svg = disk_figure(disk_of([f"accent {i}" for i in range(10)]))
    assert len(marks(svg, OTHER)) == 3 + 1
    assert "3 more" in texts(svg)


def test_disk_figure__marks_genders_apart():
    svg = disk_figure(disk_of(["a"] * 4, ["female", "male", "unknown", "male"]))
    shapes = [use.get("href") for use in marks(svg, SERIES[0])]
    assert len(set(shapes[:4])) == 3


def test_disk_figure__states_the_stress_and_is_deterministic():
    picture = disk_of(["a", "b"])
    svg = disk_figure(picture)
    assert "stress 0.050" in ET.fromstring(svg).get("aria-label", "")
    assert disk_figure(picture) == svg


def test_disk_picture__refuses_what_cannot_be_drawn():
    good = disk_of(["a", "b"])
    for points in (np.zeros((2, 3)), np.zeros((0, 2)), [[0.0, 1.0], [0, 0]], [[np.nan, 0], [0, 0]]):
        with pytest.raises(InputError):
            replace(good, points=points)
    with pytest.raises(InputError, match="accents must name one label for each of the 2 points, got 1"):
        replace(good, accents=("a",))

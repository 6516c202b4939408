"""The page of a label tree: its numbers, its pictures, and that no label can run anything on it."""

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from made_up_trees import LEVELS, made_up_measures, made_up_paths, made_up_report
from page_reading import Page, require_both_themes

from curvox.errors import InputError
from curvox.geometry import Euclidean, Hypersphere
from curvox.hierarchy import Dendrogram
from curvox.reports import Clip
from curvox.reports.citations import BIBTEX
from curvox.reports.figures.drawing import OTHER
from curvox.reports.figures.hierarchy import (
    geodesic,
    in_disk,
    leaf_order,
    level_looks,
    own_names,
    ring_distances,
    stretch_of,
)
from curvox.reports.pages.hierarchy import HierarchyReport, hierarchy_pictures, render_hierarchy_page, script_json
from curvox.reports.tables.hierarchy import PAPERS, SENTENCES, known_shares, measures_table

EVIL = "</script><b>&<!--<script>"
CLIP = Clip(b"fLaC-not-really", 1.5, True)


def scripts(html: str) -> dict[str, str]:
    """Return what stands in the elements ``script`` as a browser reads them: up to the first end tag."""
    found = re.findall(r"<script([^>]*)>(.*?)</script", html, flags=re.DOTALL | re.IGNORECASE)
    return {"data" if "json" in attributes else "code": text for attributes, text in found}


def data_of(html: str) -> dict:
    return json.loads(scripts(html)["data"])


@pytest.fixture(scope="module")
def report() -> HierarchyReport:
    return made_up_report()


@pytest.fixture(scope="module")
def html(report: HierarchyReport) -> str:
    return render_hierarchy_page(report, clips={"recording 5": CLIP, "recording 7": Clip(b"", 0, False, "x")})


@pytest.fixture(scope="module")
def on_the_sphere() -> str:
    """Without clips, too."""
    return render_hierarchy_page(made_up_report(Hypersphere()))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_page__has_every_measure_with_interval_chance_and_count(page: Page) -> None:
    for text in (
        "The label tree of voices/test in HAM-Softmax",
        "108 recordings of 18 speakers; levels language, gender, speaker, session; Poincaré ball, c = 2.",
        "Read me.",
        SENTENCES["delta_relative"],
        "whole tree 0.123 [0.111, 0.135] – 77 N1",
        "speaker 0.700 [0.400, 0.950] 0.250 1,236",
        "higher is better",
        "Leakage " + SENTENCES["leakage"] + " gender read off within language 0.910 – 0.500 50",
        "session told within a speaker 0.610",
        "No value Radius and quality: no radius here",
        "A measure that this page does not know",
        "20 resamples of the speakers, seed 3",
        "4,321 sampled",
        "curvox hierarchy ham",
    ):
        assert text in page.text


def test_page__says_what_is_known_of_the_recordings(page: Page) -> None:
    assert "language 3 108 100.0 % gender 6 108 100.0 % speaker 18 108 100.0 % session 36 108" in page.text
    paths = made_up_paths()
    known = paths.known.copy()
    known[paths.nodes[:, 1] == 0, 1] = False
    assert known_shares(replace(paths, known=known))[1] == ("gender", "5", "90", "83.3 %")


def test_page__draws_a_still_disk_a_dendrogram_and_radii(page: Page) -> None:
    labels = [label for tag, key, label in page.attributes if (tag, key) == ("svg", "aria-label")]
    assert [label.split(":")[0] for label in labels] == [
        "HAM-Softmax in the Poincaré disk",
        "Mean distance from the origin",
        "Dendrogram of 18 nodes of the level speaker, by average linkage.",
    ]
    assert "stress" in labels[0]
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(page.values("aria-labelledby")) <= set(ids)


def test_page__of_the_sphere_says_why_there_are_no_radii(on_the_sphere: str) -> None:
    page = Page(on_the_sphere)
    assert page.tags.count("svg") == 2
    assert "on the sphere every point is as far from the origin as every other" in page.text
    assert data_of(on_the_sphere)["origin"] is None


def test_page__is_silent_without_clips_and_plays_those_with_audio(html: str, page: Page, on_the_sphere: str) -> None:
    assert page.values("src") == [CLIP.address]
    assert 'id="clip-5"' in html
    assert data_of(html)["clips"] == {"5": True}
    assert "audio" not in Page(on_the_sphere).tags
    assert data_of(on_the_sphere)["clips"] == {}


def test_page__runs_its_own_script_and_no_other(html: str, page: Page) -> None:
    assert page.tags.count("script") == 2
    code = scripts(html)["code"]
    policy = "".join(page.values("content"))
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline' script" not in policy
    assert all(link.startswith("#") for link in page.values("href"))
    assert not {"link", "iframe", "object", "img"} & set(page.tags)
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]
    assert not re.search(r"@import|url\((?!#)|https?://(?!www.w3.org)", re.sub(r"(?s)<pre>.*?</pre>", "", html))


def test_page__takes_every_label_as_text() -> None:
    paths = made_up_paths()
    names = tuple(tuple(name.replace("1", EVIL) for name in level) for level in paths.names)
    report = made_up_report(paths=replace(paths, names=names), corpus=EVIL, title=EVIL, command=EVIL, notes=(EVIL,))
    report = replace(report, utterances=(EVIL, *report.utterances[1:]))
    html = render_hierarchy_page(report, clips={EVIL: CLIP}, versions=((EVIL, EVIL),))
    assert "<b>" not in html
    assert "<!--" not in html
    assert html.lower().count("<script") == html.lower().count("</script") == 2
    data = data_of(html)
    assert data["utterances"][0] == EVIL
    assert data["names"][0][0] == EVIL
    assert Page(html).text.count(EVIL) >= 6


def test_script_json__survives_a_parser_of_html_and_comes_back() -> None:
    tree = {"a": [EVIL, "\u2028 ünï", "\U0001f333"], EVIL: 1.5}
    text = script_json(tree)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == tree
    with pytest.raises(ValueError, match="Out of range"):
        script_json({"a": float("nan")})


def test_data__says_where_everything_lies(html: str, report: HierarchyReport) -> None:
    data = data_of(html)
    lengths = np.linalg.norm(report.picture.layout.coordinates, axis=1)
    np.testing.assert_allclose(data["length"], lengths, rtol=1e-4)
    directions = np.stack([data["x"], data["y"]], axis=1)
    np.testing.assert_allclose(
        directions * (lengths / np.linalg.norm(directions, axis=1))[:, None],
        report.picture.layout.coordinates,
        atol=2e-3,
    )
    for place in range(len(LEVELS)):
        of = report.picture.levels[place]
        assert [data["paths"][place][k] for k in data["at"][place]] == [
            report.paths.names[place][node] for node in report.paths.nodes[:, place]
        ]
        assert data["middles"][place]["parents"] == of.parents.tolist()
    assert data["names"][1][3] == "2"
    assert data["paths"][1][3] == "2 / 2"
    assert (data["level"], data["deepest"]) == (0, 3)


def test_data__has_the_origin_as_it_has_every_point(html: str, report: HierarchyReport) -> None:
    """A direction within the plane of the picture, and how far the origin is from the middle in the space."""
    *plane, length = data_of(html)["origin"]
    chart = report.picture.layout.chart
    # The way from the middle to the origin is straight back, 2 artanh(√c |middle|) long.
    away = -2 * np.arctanh(2**0.5 * np.linalg.norm(chart.centre)) * chart.centre / np.linalg.norm(chart.centre)
    np.testing.assert_allclose(plane, away @ chart.axes, rtol=1e-4)
    assert length == pytest.approx(np.linalg.norm(away), rel=1e-4)
    assert np.linalg.norm(plane) < 0.99 * length


def test_page__is_the_same_every_time_and_knows_the_dark(html: str) -> None:
    clips = {"recording 5": CLIP, "recording 7": Clip(b"", 0, False, "x")}
    assert render_hierarchy_page(made_up_report(), clips=clips) == html
    require_both_themes(html)


def test_page__cites_what_it_measures(page: Page) -> None:
    assert set().union(*PAPERS.values()) <= set(BIBTEX)
    for key in (*PAPERS["page"], *PAPERS["delta_relative"], *PAPERS["purity"]):
        assert key in page.text
    assert "nickel2017poincare" in page.text
    assert "sokal1962comparison" not in page.text


@pytest.mark.parametrize("space", [Euclidean(), Hypersphere()], ids=["flat", "sphere"])
def test_pictures__stand_alone(space) -> None:
    pictures = hierarchy_pictures(made_up_report(space))
    assert set(pictures) == {"disk.svg", "dendrogram.svg", *(() if isinstance(space, Hypersphere) else ("radius.svg",))}
    for svg in pictures.values():
        root = ET.fromstring(svg)
        assert float(root.attrib["width"]) > 100
        for variable in set(re.findall(r"var\((--[\w-]+)", svg)) - {"--series-other"}:
            assert f"{variable}:" in svg


def test_page__of_a_tree_with_few_nodes_has_no_dendrogram() -> None:
    paths = made_up_paths((2,), 6, ("speaker",))
    page = Page(render_hierarchy_page(made_up_report(paths=paths)))
    assert "There is no dendrogram" in page.text


def test_looks__name_the_largest_eight_and_count_the_others() -> None:
    paths = made_up_paths((11,), 4, ("language",)).rows(np.delete(np.arange(44), [0, 4, 5]))
    looks = level_looks(paths, "language")
    assert [entry.name for entry in looks.entries] == ["3", "4", "5", "6", "7", "8", "9", "10", "3 more"]
    assert looks.entries[-1].colour == OTHER
    assert looks.entries[-1].items == 4 + 3 + 2
    assert len({(entry.colour, entry.marker) for entry in looks.entries}) == 9
    assert len({entry.marker for entry in looks.entries}) == 9
    counted = np.bincount(looks.of_items, minlength=9)
    assert [entry.items for entry in looks.entries] == counted.tolist()


def test_looks__of_unknown_labels_are_unknown() -> None:
    paths = made_up_paths((2, 2), 3, ("language", "gender"))
    known = paths.known.copy()
    known[paths.nodes[:, 1] == 1, 1] = False
    looks = level_looks(replace(paths, known=known), "gender")
    assert [(entry.name, entry.items) for entry in looks.entries] == [
        ("1 / 1", 3),
        ("2 / 1", 3),
        ("2 / 2", 3),
        ("unknown", 3),
    ]
    assert looks.of_items[3:6].tolist() == [3, 3, 3]
    assert own_names(paths, "gender") == ["1", "2", "1", "2"]


def test_geodesic__is_as_long_as_its_ends_are_apart() -> None:
    start, end = np.array([0.3, -0.5]), np.array([-0.7, 0.6])
    path = geodesic(start, end, 400)
    np.testing.assert_allclose(path[[0, -1]], [start, end], atol=1e-12)

    def apart(p: np.ndarray, q: np.ndarray) -> float:
        return float(np.arccosh(1 + 2 * ((p - q) ** 2).sum() / (1 - p @ p) / (1 - q @ q)))

    along = sum(apart(p, q) for p, q in pairwise(path))
    assert along == pytest.approx(apart(start, end), rel=1e-6)
    np.testing.assert_array_equal(geodesic(start, start), np.repeat(start[None], 12, axis=0))


@pytest.mark.parametrize("scale", [1e-3, 0.4, 1.0, 12.0, 300.0])
def test_stretch__fills_the_disk_whatever_the_distances(scale: float) -> None:
    coordinates = scale * np.random.default_rng(0).standard_normal((500, 2))
    stretch = stretch_of(coordinates)
    radii = np.linalg.norm(in_disk(coordinates, stretch), axis=1)
    assert np.quantile(radii, 0.95) == pytest.approx(0.88, abs=0.02)
    rings = ring_distances(stretch)
    assert 3 <= len(rings) <= 9
    assert np.tanh(stretch * rings[-1] / 2) < 0.96


def test_leaf_order__keeps_branches_from_crossing() -> None:
    heights = np.arange(3.0)
    grown = Dendrogram(np.array([[0, 3], [1, 2], [4, 5]]), heights, np.array([2, 2, 4]), heights, "distance")
    assert leaf_order(grown.merges) == [0, 3, 1, 2]


def test_table__has_every_measure(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    Console(width=140).print(measures_table(made_up_measures(made_up_paths())))
    printed = capsys.readouterr().out
    for text in ("0.123 [0.111, 0.135]", "Dendrogram purity", "gender read off within language", "lower"):
        assert text in printed


def test_report__refuses_parts_that_do_not_belong_together(report: HierarchyReport) -> None:
    with pytest.raises(InputError, match="different numbers of recordings"):
        replace(report, utterances=("a",))
    with pytest.raises(InputError, match="different levels"):
        replace(report, measures=replace(report.measures, levels=("gender",)))

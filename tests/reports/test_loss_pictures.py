"""Profiles of losses against formulas of their own, and the pictures of the page against today's code."""

import hashlib
import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loss_pictures import loss_picture
from loss_profile import PROFILE_DIM, PROFILE_SPEAKERS, LossProfile, ProfileCurve, loss_profile

from curvox.errors import InputError
from curvox.geometry import Euclidean, PoincareBall, SoftClip
from curvox.losses import LOSSES, AMSoftmax, HAMSoftmax, Triplet, create_loss

DOCS = Path(__file__).parent.parent.parent / "docs"
PICTURES = DOCS / "pictures"
SVG = "{http://www.w3.org/2000/svg}"


def profile_of(name: str, **options: Any) -> LossProfile:
    return loss_profile(create_loss({"name": name, **options}, dim=PROFILE_DIM, speakers=PROFILE_SPEAKERS), steps=12)


def stored() -> dict[str, Any]:
    return json.loads((PICTURES / "curves.json").read_text(encoding="utf-8"))


def from_json(tree: dict[str, Any]) -> LossProfile:
    curves = []
    for curve in tree["curves"]:
        numbers = [tuple(curve[key]) for key in ("distances", "values", "slopes")]
        curves.append(ProfileCurve(curve["name"], curve["standing"], *numbers))
    return LossProfile(tree["axis"], tree["unit"], tree["tie"], tuple(curves))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_profile__of_am_softmax_is_its_formula() -> None:
    profile = profile_of("am_softmax", scale=30.0, margin=0.2)
    for curve, margin in zip(profile.curves, (0.2, 0.0), strict=True):
        theta = np.array(curve.distances)
        gap = 30 * (np.sin(theta) - np.cos(theta) + margin)
        np.testing.assert_allclose(curve.values, np.logaddexp(0, gap), rtol=1e-9, atol=1e-12)
        slope = 30 * (np.cos(theta) + np.sin(theta)) / (1 + np.exp(-gap))
        np.testing.assert_allclose(curve.slopes, slope, rtol=1e-8, atol=1e-10)
    assert profile.unit == "rad"
    assert profile.tie == pytest.approx(math.pi / 4)


def test_profile__of_ham_softmax_has_distances_of_its_ball() -> None:
    profile = profile_of("ham_softmax")
    squared = (1 - 1e-5) ** 2 / 3
    for angle, distance in zip(np.linspace(0, math.pi / 2, 13)[1:-1], profile.curves[0].distances, strict=True):
        u = 4 * squared * (1 - math.cos(angle)) / (1 - squared) ** 2
        assert distance == pytest.approx(math.acosh(1 + u), rel=1e-9)
    assert profile.unit == ""


def test_profile__of_triplet_is_a_hinge_against_the_pairs_that_stand() -> None:
    apart, together = profile_of("triplet", margin=0.3, mining="all").curves
    assert apart.standing == pytest.approx(math.pi / 2)
    assert together.standing == pytest.approx(math.radians(20))
    for distance, value in zip(apart.distances, apart.values, strict=True):
        assert value == pytest.approx(max(0.0, distance - math.pi / 2 + 0.3), abs=1e-9)
    for distance, value in zip(together.distances, together.values, strict=True):
        assert value == pytest.approx(max(0.0, math.radians(20) - distance + 0.3), abs=1e-9)


@pytest.mark.parametrize(
    "loss",
    [
        HAMSoftmax(PROFILE_DIM, 2, space=PoincareBall(c=0.5, lift=SoftClip())),
        Triplet(PROFILE_DIM, space=Euclidean()),
        create_loss("sphereface2", dim=PROFILE_DIM, speakers=2),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_profile__slope_is_the_difference_quotient(loss: torch.nn.Module) -> None:
    for curve in loss_profile(loss, steps=60).curves:  # type: ignore[arg-type]
        x, values, slopes = (np.array(part) for part in (curve.distances, curve.values, curve.slopes))
        assert (np.diff(x) > 0).all()
        quotients = np.diff(values) / np.diff(x)
        between = (slopes[1:] + slopes[:-1]) / 2
        far_from_kinks = np.abs(np.diff(slopes)) < 0.2 * (1 + np.abs(between))
        assert far_from_kinks.mean() > 0.8
        np.testing.assert_allclose(quotients[far_from_kinks], between[far_from_kinks], rtol=0.05, atol=0.05)


def test_profile__leaves_the_loss_as_it_was() -> None:
    loss = AMSoftmax(PROFILE_DIM, PROFILE_SPEAKERS)
    before = {name: tensor.clone() for name, tensor in loss.state_dict().items()}
    loss_profile(loss, steps=4)
    assert loss.margin_scale == 1.0
    assert all(torch.equal(before[name], tensor) for name, tensor in loss.state_dict().items())


@pytest.mark.parametrize("loss", [AMSoftmax(3, 2), AMSoftmax(PROFILE_DIM, 5), Triplet(5)])
def test_profile__refuses_other_sizes(loss: torch.nn.Module) -> None:
    with pytest.raises(InputError, match="4 dimensions and 2 speakers"):
        loss_profile(loss)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LOSSES)
def test_pictures__show_the_losses_of_today(name: str) -> None:
    """At every fifth point of the curves that are drawn."""
    was, now = from_json(stored()[name]), profile_of(name)
    assert (was.axis, was.unit) == (now.axis, now.unit)
    assert [curve.name for curve in was.curves] == [curve.name for curve in now.curves]
    for old, new in zip(was.curves, now.curves, strict=True):
        for part in ("distances", "values", "slopes"):
            drawn = np.array(getattr(old, part))
            np.testing.assert_allclose(drawn[4::5], getattr(new, part), rtol=1e-3, atol=1e-4 * np.abs(drawn).max())


@pytest.mark.parametrize("name", LOSSES)
def test_pictures__are_drawn_from_the_numbers_beside_them(name: str) -> None:
    numbers = stored()[name]
    picture = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
    digest = hashlib.sha256(json.dumps(numbers).encode()).hexdigest()[:16]
    assert ET.fromstring(picture).get("data-curves") == digest
    assert texts(picture) == texts(loss_picture(from_json(numbers), title=name))


def test_pictures__are_those_of_the_table_and_on_the_page() -> None:
    assert {file.stem for file in PICTURES.glob("*.svg")} == set(LOSSES)
    assert list(stored()) == list(LOSSES)
    page = (DOCS / "which_loss.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\(pictures/(\w+)\.svg\)", page) == list(LOSSES)


def test_cards__are_all_on_the_page_of_losses() -> None:
    page = (DOCS / "losses.md").read_text(encoding="utf-8")
    wanted = [f"{entry.module}.{entry.attribute}" for entry in LOSSES.entries.values()]
    assert re.findall(r"^::: (.+)$", page, flags=re.MULTILINE) == wanted


def test_loss_picture__is_the_same_every_time_and_brings_its_own_paper() -> None:
    profile = profile_of("softmax")
    svg = loss_picture(profile, title="A < B", curves_id="abc")
    assert svg == loss_picture(profile, title="A < B", curves_id="abc")
    root = ET.fromstring(svg)
    assert root.get("data-curves") == "abc"
    assert float(root.get("width", "0")) > 2 * float(root.get("height", "inf")) > 0
    assert "prefers-color-scheme: dark" in svg
    assert "A < B" in root.get("aria-label", "")
    assert not re.search(r"\d{4}-\d\d-\d\d", svg)


def test_loss_picture__names_axes_curves_and_what_stands_still() -> None:
    written = texts(loss_picture(profile_of("triplet"), title="t"))
    assert written.count("distance of the pairs, rad") == 2
    assert {"loss", "d loss / d distance"} <= set(written)
    assert "pairs of one speaker, others at 1.57 rad" in written
    with_tie = texts(loss_picture(profile_of("ham_softmax"), title="t"))
    assert with_tie.count("distance to the own centre") == 2
    assert "as near to a rival as to the own centre" in with_tie

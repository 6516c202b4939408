"""Losses by their names and descriptions: what a recipe may say, what is refused, what the package offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from curvox.errors import RecipeError, UnknownNameError
from curvox.geometry import Hypersphere
from curvox.losses import LOSSES, AMSoftmax, Combined, HSoftmax, LossOutput, create_loss


def test_create_loss__builds_what_is_described() -> None:
    loss = create_loss(
        {
            "name": "combined",
            "space_of": "am_softmax",
            "parts": [
                {"name": "am_softmax", "weight": 0.25, "margin": 0.3},
                {
                    "name": "h_softmax",
                    "weight": 0.75,
                    "space": {"name": "poincare_ball", "c": 0.5, "lift": "soft_clip"},
                },
            ],
        },
        dim=6,
        speakers=4,
    )
    assert isinstance(loss, Combined)
    assert loss.weights == [0.25, 0.75]
    am, hyperbolic = loss.members()
    assert isinstance(am, AMSoftmax)
    assert am.margin == 0.3
    assert isinstance(hyperbolic, HSoftmax)
    assert hyperbolic.space.describe()["c"] == 0.5
    assert isinstance(loss.space, Hypersphere)
    for name in LOSSES:
        assert LOSSES.name_of(type(create_loss(name, dim=6, speakers=4))) == name


def test_create_loss__refuses_what_it_does_not_know() -> None:
    for description, error, reason in [
        ("amsoftmax", UnknownNameError, "am_softmax"),
        ({"name": "am_softmax", "margn": 0.2}, RecipeError, 'did you mean "margin"'),
        ({"name": "am_softmax", "dim": 3}, RecipeError, '"dim"'),
        ({"margin": 0.2}, RecipeError, '"name"'),
        ({"name": "h_softmax", "margin": 0.2}, RecipeError, '"margin"'),
        ({"name": "combined", "parts": [{"name": "am_softmax"}]}, RecipeError, "weight"),
        ({"name": "combined", "parts": {"am_softmax": 1.0}}, RecipeError, "parts"),
        ({"name": "ham_softmax", "space": {"name": "poincare_ball", "lift": "clipp"}}, UnknownNameError, "clip"),
    ]:
        with pytest.raises(error, match=reason):
            create_loss(description, dim=6, speakers=4)


WRONG_TYPES = """
from curvox.errors import InputError
from curvox.losses import create_loss
for name, key, wrong in [
    ("ham_softmax", "centres", 3), ("ham_softmax", "centres", None), ("h_softmax", "centre_std", "small"),
    ("am_softmax", "learn_scale", "no"), ("ham_softmax", "learn_scale", 1), ("am_softmax", "sub_centres", 2.0),
    ("ram_softmax", "top_k", 1.5), ("aam_softmax", "margin", "wide"), ("softmax", "scale", "1"),
    ("sphereface2", "balance", None), ("am_softmax", "margin", True), ("combined", "space_of", 3),
    ("level_prototypes", "levels", 3), ("level_prototypes", "level_weights", 1.0), ("level_prototypes", "scale", "1"),
]:
    try:
        create_loss({"name": name, key: wrong}, dim=6, speakers=4)
    except InputError as refusal:
        assert key in str(refusal) or key == "centres" in str(refusal), (name, key, str(refusal))
    else:
        raise AssertionError((name, key, wrong))
"""


def test_create_loss__refuses_values_of_the_wrong_type() -> None:
    """In a process of its own: here the checker of annotations would be first."""
    subprocess.run([sys.executable, "-c", WRONG_TYPES], check=True)


def test_table__is_read_without_torch() -> None:
    code = "import sys; from curvox.losses import LOSSES; assert len(LOSSES) >= 7; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_package__offers_every_class_of_the_table() -> None:
    import curvox.losses as package

    for entry in LOSSES.entries.values():
        assert getattr(package, entry.attribute) is entry.load()
        assert entry.attribute in package.__all__
    assert dir(package) == sorted(package.__all__)
    assert all(getattr(package, name) is not None for name in package.__all__)
    assert package.LossOutput is LossOutput
    with pytest.raises(AttributeError, match="HAMSoftmx"):
        _ = package.HAMSoftmx

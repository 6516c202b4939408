"""``curvox cite``: the papers of everything that a recipe uses, and of nothing else."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from curvox.cli.cite import OF_OPTIONS, cite
from curvox.errors import UnknownNameError
from curvox.losses import LOSSES
from curvox.reports import BIBTEX

Cited = Callable[[dict[str, Any]], list[str]]
ENCODER = "desplanques2020ecapa"


@pytest.fixture
def cited(tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]) -> Cited:
    """The keys that are printed for a recipe with this loss."""
    tree = yaml.safe_load((repository / "recipes" / "openvoices_ham.yaml").read_text(encoding="utf-8"))

    def keys(loss: dict[str, Any]) -> list[str]:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(yaml.safe_dump({**tree, "loss": loss}), encoding="utf-8")
        cite(recipe)
        return re.findall(r"^@\w+\{(\w+),", capsys.readouterr().out, flags=re.MULTILINE)

    return keys


@pytest.mark.parametrize(
    ("loss", "papers"),
    [
        ({"name": "am_softmax"}, ["wang2018amsoftmax"]),
        ({"name": "am_softmax", "sub_centres": 1, "top_k": 0}, ["wang2018amsoftmax"]),
        ({"name": "aam_softmax", "sub_centres": 3}, ["deng2019arcface", "deng2020subcenter"]),
        ({"name": "aam_softmax", "top_k": 5}, ["deng2019arcface", "zhao2022intertopk"]),
        ({"name": "h_softmax", "centres": "plain"}, ["fang2026ham"]),
        ({"name": "h_softmax", "centres": "riemannian"}, ["fang2026ham", "becigneul2019riemannian"]),
        ({"name": "triplet", "mining": "hardest"}, ["schroff2015facenet"]),
        ({"name": "triplet", "mining": "distance_weighted"}, ["schroff2015facenet", "wu2017sampling"]),
        (
            {"name": "ham_softmax", "space": {"name": "poincare_ball", "lift": {"name": "exp_map"}}},
            ["fang2026ham", "nickel2017poincare", "desai2023meru"],
        ),
    ],
)
def test_cite__names_the_loss_and_the_methods_among_its_options(
    loss: dict[str, Any], papers: list[str], cited: Cited
) -> None:
    assert cited(loss) == [ENCODER, *papers]


def test_cite__reads_the_options_of_every_part_and_names_each_paper_once(cited: Cited) -> None:
    parts = [
        {"name": "am_softmax", "weight": 1.0, "sub_centres": 3},
        {"name": "aam_softmax", "weight": 1.0, "sub_centres": 2, "top_k": 1},
    ]
    combined, am, aam = (LOSSES[name].paper for name in ("combined", "am_softmax", "aam_softmax"))
    assert cited({"name": "combined", "parts": parts}) == [
        *(ENCODER, combined, am, "deng2020subcenter"),
        *(aam, "zhao2022intertopk"),
    ]


def test_cite__refuses_a_loss_that_is_none(cited: Cited) -> None:
    with pytest.raises(UnknownNameError, match="am_softmax"):
        cited({"name": "am_sofmax"})


def test_options_with_a_paper__are_arguments_of_losses_that_do_not_use_it_by_default() -> None:
    defaults: dict[str, set[Any]] = {}
    for name in LOSSES:
        for key, parameter in inspect.signature(LOSSES.load(name)).parameters.items():
            if key in {key for key, _, _ in OF_OPTIONS}:
                defaults.setdefault(key, set()).add(parameter.default)
    for key, uses, paper in OF_OPTIONS:
        assert paper in BIBTEX
        assert not any(uses(default) for default in defaults[key]), key

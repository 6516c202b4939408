"""The arithmetic of docs/scale.md: the page has what the script prints, and that is right where it can be known."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def facts(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("scale_facts", repository / "docs" / "scale_facts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_facts"] = module
    spec.loader.exec_module(module)
    return module


def test_page__has_the_tables_of_today(facts: ModuleType) -> None:
    page = facts.PAGE.read_text(encoding="utf-8")
    assert page.count("<!-- facts: ") == len(facts.TABLES)
    assert facts.with_facts(page) == page, "run python docs/scale_facts.py"


def test_crop__costs_what_the_layers_of_ecapa_come_to(facts: ModuleType) -> None:
    """Convolutions and products of the paper's network, layer by layer, for C channels and T frames."""
    c, t, joined, mels, width = 512, facts.FRAMES, 1536, facts.MELS, 512 // 8
    blocks = 3 * (2 * c * c + 7 * 3 * width * width)
    squeezes = 3 * 2 * c * 128 / t
    layers = 5 * mels * c + blocks + squeezes + 3 * c * joined + 2 * joined * 128
    expected = t * layers + 2 * joined * facts.DIM
    context = 2 * joined * 128  # mean and deviation beside each frame, in the attention
    assert facts.cost(512).multiply_adds == pytest.approx(expected + context, rel=0.02)


def test_network__of_a_ring_sends_less_than_twice_the_gradient(facts: ModuleType) -> None:
    parameters, classes = 6_000_000, 1_000_000
    whole = 4 * (parameters + classes * facts.DIM)
    assert facts.network_bytes(parameters, classes, 1, 256, sharded=False) == 0
    assert facts.network_bytes(parameters, classes, 2, 256, sharded=False) == pytest.approx(whole)
    assert facts.network_bytes(parameters, classes, 64, 256, sharded=False) < 2 * whole
    few, many = (facts.network_bytes(parameters, count, 8, 256, sharded=True) for count in (1000, classes))
    assert few == many

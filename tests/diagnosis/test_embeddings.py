"""Every fault of embeddings is found, and healthy embeddings of several shapes and spaces have none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from made_up_embeddings import SPACES, gaussian_speakers, with_raw

from curvox.diagnosis import EmbeddedSet
from curvox.diagnosis.causes.embeddings import OF_EMBEDDINGS
from curvox.diagnosis.diagnosing import embedding_checks
from curvox.diagnosis.probes.pairs import how_often_smaller
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.metrics import auc


def _found(items: EmbeddedSet) -> dict[str, str]:
    return {finding.cause: finding.severity for finding in embedding_checks(items).findings}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    ("speakers", "recordings", "dim", "within"),
    [(24, 8, 32, 0.4), (40, 6, 192, 0.8), (8, 2, 16, 0.3), (60, 4, 64, 0.05), (16, 16, 16, 1.0), (250, 1, 24, 0.5)],
)
def test_healthy_embeddings__have_no_finding(
    name: str, speakers: int, recordings: int, dim: int, within: float
) -> None:
    for seed in range(2):
        items = gaussian_speakers(
            seed=seed, speakers=speakers, recordings=recordings, dim=dim, within=within, space=SPACES[name]
        )
        found = _found(items)
        if isinstance(items.space, PoincareBall):
            found.pop("hubness", None)  # the shortest of Gaussian vectors are hubs of a ball in truth
        assert not {cause: severity for cause, severity in found.items() if severity != "note"}


def test_an_untrained_encoder__is_not_called_collapsed() -> None:
    items = gaussian_speakers(within=3.0)
    nearly_alike = with_raw(items, 20.0 + items.raw)  # a cosine of 0.98
    assert not _found(nearly_alike)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("offset", [3e4, 1e6])
def test_collapse__is_found_where_one_vector_outweighs_all(name: str, offset: float) -> None:
    items = gaussian_speakers(space=SPACES[name])
    assert _found(with_raw(items, items.raw + offset))["collapse"] == "failure"


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("value", [0.0, 0.3])
def test_collapse__to_one_vector_is_found_and_nothing_else_judged(name: str, value: float) -> None:
    items = gaussian_speakers(space=SPACES[name])
    checked = embedding_checks(with_raw(items, torch.full_like(items.raw, value)))
    assert [(f.cause, f.severity) for f in checked.findings] == [("collapse", "failure")]
    assert {gap.cause for gap in checked.not_checked} == set(OF_EMBEDDINGS[1:])


def test_collapse__is_not_found_where_a_small_spread_still_tells_speakers_apart() -> None:
    items = gaussian_speakers(within=0.1, space=Euclidean())
    useful = with_raw(items, items.raw.double() + 2000.0)
    useless = with_raw(useful, useful.raw[torch.randperm(len(useful.raw), generator=torch.Generator().manual_seed(0))])
    assert "collapse" not in _found(useful)
    assert _found(useless)["collapse"] == "failure"


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_dimensional_collapse__is_found_behind_a_narrow_layer(name: str, rank: int) -> None:
    for seed in range(2):
        items = gaussian_speakers(seed=seed, space=SPACES[name])
        generator = torch.Generator().manual_seed(seed)
        wide = torch.randn(rank, 32, generator=generator)
        assert _found(with_raw(items, items.raw[:, :rank] @ wide + 0.1))["dimensional_collapse"] == "failure"


def test_dimensional_collapse__needs_speakers_dimensions_and_recordings() -> None:
    too_small: list[dict[str, Any]] = [{"speakers": 4}, {"dim": 4}, {"speakers": 7, "recordings": 2}]
    for sizes in too_small:
        checked = embedding_checks(gaussian_speakers(**sizes))
        assert "dimensional_collapse" in {gap.cause for gap in checked.not_checked}


@pytest.mark.parametrize("space", [Hypersphere(), Euclidean()])
@pytest.mark.parametrize("noise_dims", [600, 2000])
def test_concentration__is_found_in_dimensions_of_noise(space: Hypersphere | Euclidean, noise_dims: int) -> None:
    for seed in range(2):
        items = gaussian_speakers(seed=seed, dim=8, within=0.7, space=space)
        noise = torch.randn(len(items.raw), noise_dims, generator=torch.Generator().manual_seed(seed))
        found = embedding_checks(with_raw(items, torch.cat((items.raw, 1.5 * noise), 1)))
        assert [f.severity for f in found.findings if f.cause == "concentration"] == ["failure"]


def test_concentration__needs_a_pair_of_one_speaker() -> None:
    checked = embedding_checks(gaussian_speakers(speakers=80, recordings=1))
    assert "concentration" in {gap.cause for gap in checked.not_checked}


def test_hubness__is_found_where_some_lie_in_the_middle_of_all() -> None:
    items = gaussian_speakers(speakers=60, recordings=4, dim=128, within=1.0, space=Euclidean())
    raw = items.raw.clone()
    raw[::24] *= 0.1
    finding = next(f for f in embedding_checks(with_raw(items, raw)).findings if f.cause == "hubness")
    assert finding.severity == "warning"
    hubs = {f"recording {row}" for row in range(0, 240, 24)}
    assert set(finding.where.split(", ")) <= hubs


def test_hubness__needs_many_recordings() -> None:
    checked = embedding_checks(gaussian_speakers(speakers=20, recordings=8))
    assert any(gap.cause == "hubness" and "200 recordings, got 160" in gap.why for gap in checked.not_checked)


@pytest.mark.parametrize(
    ("raw", "speakers", "why"),
    [
        (torch.zeros(0, 4), torch.zeros(0), "got 0"),
        (torch.randn(2, 4), torch.tensor([0, 0]), "got 2"),
        (torch.full((20, 4), float("nan")), torch.arange(20), "not finite"),
        (torch.randn(20, 4), torch.zeros(20), "2 speakers"),
    ],
)
def test_what_cannot_be_judged__is_said_with_the_reason(raw: torch.Tensor, speakers: torch.Tensor, why: str) -> None:
    checked = embedding_checks(EmbeddedSet(raw, speakers.long(), Hypersphere()))
    assert not checked.causes
    assert {gap.cause for gap in checked.not_checked} == set(OF_EMBEDDINGS)
    assert all(why in gap.why for gap in checked.not_checked)


@pytest.mark.parametrize("name", SPACES)
def test_one_dimension__is_judged_without_error(name: str) -> None:
    items = gaussian_speakers(dim=1, speakers=10, recordings=10, within=0.05, space=SPACES[name])
    checked = embedding_checks(items)
    assert "collapse" in checked.causes
    assert not [f for f in checked.findings if f.severity == "failure"] or name == "hypersphere"


def test_separation__is_the_area_under_the_curve() -> None:
    generator = torch.Generator().manual_seed(0)
    lower, higher = (torch.randint(0, 9, (size,), generator=generator).double() for size in (40, 70))
    labels = [1] * 40 + [0] * 70
    assert how_often_smaller(lower, higher) == pytest.approx(auc([*(-lower).tolist(), *(-higher).tolist()], labels))
    assert how_often_smaller(lower, lower[:0]) != how_often_smaller(lower, lower[:0])


def test_very_large_sets__are_looked_at_in_part() -> None:
    items = gaussian_speakers(speakers=900, recordings=3, dim=8)
    assert "hubness" in embedding_checks(items).causes

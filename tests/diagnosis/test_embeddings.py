"""Every fault of embeddings is found, and healthy embeddings of several shapes and spaces have none."""

from __future__ import annotations

import pytest
import torch
from made_up_embeddings import SPACES, gaussian_speakers, not_judged, severities, with_raw

from curvox.diagnosis import EmbeddedSet
from curvox.diagnosis.causes.embeddings import OF_EMBEDDINGS
from curvox.diagnosis.causes.labels import OF_LABELS
from curvox.diagnosis.causes.space import OF_SPACE
from curvox.diagnosis.diagnosing import embedding_checks, label_checks, space_checks
from curvox.diagnosis.probes.loss import auc_of_distances
from curvox.diagnosis.probes.pairs import how_often_smaller
from curvox.geometry import Euclidean, Hypersphere, PoincareBall
from curvox.metrics import auc


def _found(items: EmbeddedSet) -> dict[str, str]:
    return severities(embedding_checks(items))


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    ("speakers", "recordings", "dim", "within"),
    [(24, 8, 32, 0.4), (40, 6, 192, 0.8), (8, 2, 16, 0.3), (60, 4, 64, 0.05), (16, 16, 16, 1.0), (250, 1, 24, 0.5)],
)
def test_healthy_embeddings__have_no_finding(
    name: str, speakers: int, recordings: int, dim: int, within: float
) -> None:
    space = SPACES[name]
    items = gaussian_speakers(seed=dim, speakers=speakers, recordings=recordings, dim=dim, within=within, space=space)
    found = _found(items)
    if isinstance(space, PoincareBall):
        found.pop("hubness", None)  # the shortest of Gaussian vectors are hubs of a ball in truth
    assert set(found.values()) <= {"note"}


def test_an_untrained_encoder__is_not_called_collapsed() -> None:
    items = gaussian_speakers(within=3.0)
    nearly_alike = with_raw(items, 20.0 + items.raw)  # a cosine of 0.98
    assert not _found(nearly_alike)


@pytest.mark.parametrize("name", SPACES)
def test_collapse__is_found_where_one_vector_outweighs_all_and_nothing_else_judged_where_it_is_all(name: str) -> None:
    items = gaussian_speakers(space=SPACES[name])
    for offset in (3e4, 1e6):
        assert _found(with_raw(items, items.raw + offset))["collapse"] == "failure"
    for value in (0.0, 0.3):
        checked = embedding_checks(with_raw(items, torch.full_like(items.raw, value)))
        assert severities(checked) == {"collapse": "failure"}
        assert not_judged(checked).keys() == set(OF_EMBEDDINGS[1:])


def test_collapse__is_not_found_where_a_small_spread_still_tells_speakers_apart() -> None:
    items = gaussian_speakers(within=0.1, space=Euclidean())
    useful = with_raw(items, items.raw.double() + 2000.0)
    useless = with_raw(useful, useful.raw[torch.randperm(len(useful.raw), generator=torch.Generator().manual_seed(0))])
    assert "collapse" not in _found(useful)
    assert _found(useless)["collapse"] == "failure"


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_dimensional_collapse__is_found_behind_a_narrow_layer(name: str, rank: int) -> None:
    items = gaussian_speakers(seed=rank, space=SPACES[name])
    wide = torch.randn(rank, 32, generator=torch.Generator().manual_seed(rank))
    assert _found(with_raw(items, items.raw[:, :rank] @ wide + 0.1))["dimensional_collapse"] == "failure"


@pytest.mark.parametrize("space", [Hypersphere(), Euclidean()])
@pytest.mark.parametrize("noise_dims", [600, 2000])
def test_concentration__is_found_in_dimensions_of_noise(space: Hypersphere | Euclidean, noise_dims: int) -> None:
    items = gaussian_speakers(seed=1, dim=8, within=0.7, space=space)
    noise = torch.randn(len(items.raw), noise_dims, generator=torch.Generator().manual_seed(1))
    assert _found(with_raw(items, torch.cat((items.raw, 1.5 * noise), 1)))["concentration"] == "failure"


def test_hubness__is_found_where_some_lie_in_the_middle_of_all() -> None:
    items = gaussian_speakers(speakers=60, recordings=4, dim=128, within=1.0, space=Euclidean())
    raw = items.raw.clone()
    raw[::24] *= 0.1
    finding = next(f for f in embedding_checks(with_raw(items, raw)).findings if f.cause == "hubness")
    assert finding.severity == "warning"
    hubs = {f"recording {row}" for row in range(0, 240, 24)}
    assert set(finding.where.split(", ")) <= hubs


@pytest.mark.parametrize(
    ("cause", "sizes", "why"),
    [
        ("dimensional_collapse", {"speakers": 4}, "6 speakers, got 4"),
        ("dimensional_collapse", {"dim": 4}, "6 dimensions, got 4"),
        ("dimensional_collapse", {"speakers": 7, "recordings": 2}, "16 recordings, got 14"),
        ("concentration", {"speakers": 80, "recordings": 1}, "two recordings of a speaker"),
        ("hubness", {"speakers": 20, "recordings": 8}, "200 recordings, got 160"),
    ],
)
def test_each_cause__needs_a_set_that_can_show_it(cause: str, sizes: dict[str, int], why: str) -> None:
    assert why in not_judged(embedding_checks(gaussian_speakers(**sizes)))[cause]  # type: ignore[arg-type]


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
    items = EmbeddedSet(raw, speakers.long(), PoincareBall())
    for check, causes in ((embedding_checks, OF_EMBEDDINGS), (space_checks, OF_SPACE), (label_checks, OF_LABELS)):
        checked = check(items)
        assert not checked.causes
        assert not_judged(checked).keys() == set(causes)
        assert all(why in told for told in not_judged(checked).values())


@pytest.mark.parametrize("name", SPACES)
def test_one_dimension__is_judged_without_error(name: str) -> None:
    items = gaussian_speakers(dim=1, speakers=10, recordings=10, within=0.05, space=SPACES[name])
    checked = embedding_checks(items)
    assert "collapse" in checked.causes
    assert "failure" not in severities(checked).values() or name == "hypersphere"


def test_separation__is_the_area_under_the_curve() -> None:
    generator = torch.Generator().manual_seed(0)
    lower, higher = (torch.randint(0, 9, (size,), generator=generator).double() for size in (40, 70))
    area = auc([*(-lower).tolist(), *(-higher).tolist()], [1] * 40 + [0] * 70)
    assert how_often_smaller(lower, higher) == pytest.approx(area)
    assert auc_of_distances(lower, higher) == pytest.approx(area)
    assert how_often_smaller(lower, lower[:0]) != how_often_smaller(lower, lower[:0])


def test_very_large_sets__are_looked_at_in_part() -> None:
    items = gaussian_speakers(speakers=600, recordings=3, dim=8)
    assert "hubness" in embedding_checks(items).causes

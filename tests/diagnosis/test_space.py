"""What is wrong in a ball is found, and balls that work have no finding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from made_up_embeddings import gaussian_speakers, severities
from torch import Tensor

from curvox.diagnosis import EmbeddedSet
from curvox.diagnosis.causes.space import OF_SPACE
from curvox.diagnosis.diagnosing import space_checks
from curvox.geometry import AbstractLift, Clip, Euclidean, ExpMap, Hypersphere, PoincareBall, Published, SoftClip
from curvox.losses import HSoftmax


def _found(space: PoincareBall, dim: int = 32, **options: Any) -> dict[str, str]:
    return severities(space_checks(gaussian_speakers(space=space, dim=dim, **options)))


class _AtTheRim(AbstractLift):
    """Puts everything nearer to the rim than the lifts of curvox go."""

    def __init__(self, gap: float) -> None:
        super().__init__()
        self.gap = gap

    def factor(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        return (1.0 - self.gap) * squared_norm.rsqrt()

    def rim_gap(self, squared_norm: Tensor, *, dim: int, c: float | Tensor) -> Tensor:
        return torch.full_like(squared_norm, 2.0 * self.gap)

    def reach(self, *, c: float | Tensor) -> float:
        return 1.0 - self.gap

    def describe(self) -> dict[str, Any]:
        return {"name": "clip", "radius": None}


@pytest.mark.parametrize("dim", [16, 192])
@pytest.mark.parametrize(
    "space",
    [
        PoincareBall(lift=ExpMap()),
        PoincareBall(lift=SoftClip()),
        PoincareBall(lift=ExpMap(), learn_c=True),
        PoincareBall(c=0.5, lift=SoftClip()),
        PoincareBall(c=4.0, lift=ExpMap()),
    ],
)
def test_balls_that_work__have_no_finding(space: PoincareBall, dim: int) -> None:
    assert not _found(space, dim)


@pytest.mark.parametrize("space", [Hypersphere(), Euclidean()])
def test_other_spaces__are_none_of_its_business(space: Hypersphere | Euclidean) -> None:
    checked = space_checks(gaussian_speakers(space=space))
    assert (checked.causes, checked.findings, checked.not_checked) == ((), (), ())


@pytest.mark.parametrize("lift", [Published(5.0), Clip(0.9), Clip(), ExpMap(gain=20.0)])
def test_dead_radius__is_found_where_all_are_clipped_or_at_the_end_of_the_lift(lift: AbstractLift) -> None:
    assert _found(PoincareBall(lift=lift))["dead_radius"] == "warning"


def test_dead_radius__is_a_note_where_half_are_clipped_and_nothing_where_few_are() -> None:
    items = gaussian_speakers()
    lengths = torch.linalg.vector_norm(items.raw, dim=1)
    for share, severity in ((0.7, "note"), (0.1, None)):
        radius = 0.9
        raw = items.raw * (radius / torch.quantile(lengths, 1.0 - share))
        found = severities(space_checks(EmbeddedSet(raw, items.speakers, PoincareBall(lift=Clip(radius)))))
        assert found.get("dead_radius") == severity


def test_the_published_curvature__is_a_note_only() -> None:
    assert _found(PoincareBall(lift=Published(3.0))) == {"dead_radius": "warning", "curvature_without_effect": "note"}


@pytest.mark.parametrize("space", [PoincareBall(lift=ExpMap(gain=1e-4)), PoincareBall(lift=Clip(3e-3))])
def test_points_at_origin__are_found(space: PoincareBall) -> None:
    assert _found(space)["points_at_origin"] == "failure"


@pytest.mark.parametrize("c", [1e-5, 1e-4, 1e-3])
def test_curvature_without_effect__is_found_in_a_ball_that_is_flat_where_the_points_are(c: float) -> None:
    found = _found(PoincareBall(c=c, lift=ExpMap()))
    assert found == {"curvature_without_effect": "warning"}


@pytest.mark.parametrize(("gap", "severity"), [(1e-6, "warning"), (1e-7, "failure")])
def test_float32_distance_error__is_found_at_the_rim(gap: float, severity: str) -> None:
    assert _found(PoincareBall(lift=_AtTheRim(gap)))["float32_distance_error"] == severity


def test_the_space_of_the_loss__is_the_one_that_is_judged() -> None:
    items = gaussian_speakers(space=PoincareBall(lift=ExpMap()))
    loss = HSoftmax(32, 24, space=PoincareBall(lift=Clip(0.9)))
    assert [f.cause for f in space_checks(items, loss).findings] == ["dead_radius"]


@pytest.mark.parametrize("raw", [torch.zeros(20, 4), torch.ones(20, 1)])
def test_degenerate_points__are_judged_without_error(raw: Tensor) -> None:
    for lift in (Clip(), ExpMap(), SoftClip(), Published()):
        checked = space_checks(EmbeddedSet(raw, torch.arange(20) // 2, PoincareBall(lift=lift)))
        assert set(checked.causes) == set(OF_SPACE)

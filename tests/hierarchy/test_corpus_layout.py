"""A whole corpus in the disk: what must come out exactly, and what must not depend on how the points are turned."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curvox.errors import InputError
from curvox.geometry import Clip, Euclidean, Hypersphere, PoincareBall
from curvox.hierarchy.layout import corpus_layout, disk_points

SPACES = [Euclidean(), Hypersphere(), PoincareBall(), PoincareBall(c=4.0, lift=Clip())]


def disk_distances(z: np.ndarray) -> np.ndarray:
    """All distances in the unit disk, by complex numbers: twice the artanh of the Möbius difference."""
    w = z[:, 0] + 1j * z[:, 1]
    return 2 * np.arctanh(np.abs(w[:, None] - w) / np.abs(1 - np.conj(w)[:, None] * w))


def ball_distances(x: np.ndarray, c: float) -> np.ndarray:
    gaps = 1 - c * (x**2).sum(1)
    squares = ((x[:, None] - x) ** 2).sum(-1)
    return np.arccosh(1 + 2 * c * squares / (gaps[:, None] * gaps)) / math.sqrt(c)


def turn(dim: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))[0]


def plane_points(dim: int, c: float, seed: int) -> np.ndarray:
    """Points on a geodesic plane of the ball that does not go through the origin: a turned disk, translated."""
    rng = np.random.default_rng(seed)
    radii, angles = rng.uniform(0.05, 0.8, 40), rng.uniform(0, 2 * np.pi, 40)
    flat = np.zeros((40, dim))
    flat[:, :2] = (radii * np.array([np.cos(angles), np.sin(angles)])).T
    x, a = flat @ turn(dim, seed), rng.standard_normal(dim)
    a *= 0.4 / np.linalg.norm(a)
    # The Möbius sum a + x of the unit ball, written out.
    inner, xx, aa = x @ a, (x**2).sum(1), a @ a
    moved = ((1 + 2 * inner + xx)[:, None] * a + (1 - aa) * x) / (1 + 2 * inner + aa * xx)[:, None]
    return moved / math.sqrt(c)


@given(seed=st.integers(0, 10_000), dim=st.integers(2, 12), c=st.sampled_from([0.1, 1.0, 4.0]))
def test_layout__of_a_geodesic_plane_is_an_isometry(seed: int, dim: int, c: float) -> None:
    points = plane_points(dim, c, seed)
    layout = corpus_layout(PoincareBall(c=c), points, pairs=500)
    np.testing.assert_allclose(
        disk_distances(layout.points), math.sqrt(c) * ball_distances(points, c), rtol=1e-9, atol=1e-7
    )
    near = np.triu_indices(len(points), 1)
    drawn, wanted = disk_distances(layout.points)[near], math.sqrt(c) * ball_distances(points, c)[near]
    assert np.abs(drawn - wanted)[wanted > 0.1].max() < 1e-9
    assert layout.kept == pytest.approx(1.0, abs=1e-12)
    assert layout.stress < 1e-9


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.describe()["name"])
def test_layout__keeps_every_distance_from_the_middle(space) -> None:
    points = cloud(space)
    layout = corpus_layout(space, points)
    wanted = layout.chart.unit * space.distance(torch.from_numpy(points), torch.from_numpy(layout.chart.centre)[None])
    np.testing.assert_allclose(np.linalg.norm(layout.coordinates, axis=1), wanted, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(layout.points, axis=1), np.tanh(wanted.numpy() / 2), rtol=1e-9)
    assert 0 < layout.kept < 1


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.describe()["name"])
def test_layout__does_not_hang_on_how_the_points_are_turned(space) -> None:
    points = cloud(space)
    first = corpus_layout(space, points)
    second = corpus_layout(space, points @ turn(points.shape[1], 5))
    np.testing.assert_allclose(disk_distances(second.points), disk_distances(first.points), rtol=1e-6, atol=1e-5)
    assert second.kept == pytest.approx(first.kept, rel=1e-9)
    assert second.stress == pytest.approx(first.stress, rel=1e-6)


@pytest.mark.parametrize("space", [Euclidean(), Hypersphere()], ids=["flat", "sphere"])
def test_layout__of_a_geodesic_line_keeps_its_distances(space) -> None:
    along = np.linspace(-0.6, 0.7, 20)
    line = np.stack([np.cos(along), np.sin(along)], axis=1) if isinstance(space, Hypersphere) else along[:, None]
    points = np.zeros((20, 6))
    points[:, : line.shape[1]] = line
    layout = corpus_layout(space, points @ turn(6, 1))
    wanted = layout.chart.unit * np.abs(along[:, None] - along)
    apart = wanted > 0.1
    np.testing.assert_allclose(disk_distances(layout.points)[apart], wanted[apart], rtol=1e-9)
    assert layout.stress < 1e-7


def test_kept__is_the_share_of_two_eigenvalues_by_loops() -> None:
    points = cloud(Euclidean())
    middle = points.mean(axis=0)
    values = np.linalg.eigvalsh(sum(np.outer(p - middle, p - middle) for p in points))
    assert corpus_layout(Euclidean(), points).kept == pytest.approx(values[-2:].sum() / values.sum())


def test_stress__is_that_of_all_pairs_within_its_sampling_error() -> None:
    space = PoincareBall()
    points = cloud(space)
    layout = corpus_layout(space, points, pairs=50_000, seed=3)
    near = np.triu_indices(len(points), 1)
    wanted, drawn = ball_distances(points, 1.0)[near], disk_distances(layout.points)[near]
    exact = math.sqrt(((drawn - wanted) ** 2).sum() / (wanted**2).sum())
    assert layout.stress == pytest.approx(exact, rel=0.02)


def test_projected__is_never_further_out_and_places_the_middle_at_the_centre() -> None:
    space = PoincareBall()
    points = cloud(space)
    layout = corpus_layout(space, points)
    kept, projected = (layout.chart.coordinates(points, length) for length in ("kept", "projected"))
    np.testing.assert_allclose(kept, layout.coordinates, atol=1e-12)
    assert (np.linalg.norm(projected, axis=1) <= np.linalg.norm(kept, axis=1) + 1e-12).all()
    cross = kept[:, 0] * projected[:, 1] - kept[:, 1] * projected[:, 0]
    np.testing.assert_allclose(cross, 0, atol=1e-9)
    np.testing.assert_allclose(layout.chart.coordinates(layout.chart.centre[None]), 0, atol=1e-9)


def test_layout__holds_at_the_rim() -> None:
    z = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    space = PoincareBall(lift=Clip())
    layout = corpus_layout(space, space.project(1e3 * z).double().numpy())
    assert np.isfinite(layout.coordinates).all()
    assert np.isfinite(layout.stress)


def test_layout__takes_fifty_thousand_points() -> None:
    space = PoincareBall()
    z = torch.randn(50_000, 16, generator=torch.Generator().manual_seed(0))
    layout = corpus_layout(space, space.project(z).double().numpy())
    assert layout.points.shape == (50_000, 2)
    assert (np.linalg.norm(layout.points, axis=1) < 1).all()


@pytest.mark.parametrize(
    ("points", "match"),
    [
        (np.zeros((2, 3)), "n at least 3"),
        (np.zeros(5), "n at least 3"),
        (np.full((4, 3), np.nan), "finite"),
        (np.ones((4, 3)), "nothing to lay out"),
    ],
)
def test_layout__refuses_what_it_cannot_draw(points: np.ndarray, match: str) -> None:
    with pytest.raises(InputError, match=match):
        corpus_layout(Euclidean(), points)


def test_disk_points__lie_at_the_distance_of_their_coordinates() -> None:
    np.testing.assert_allclose(
        disk_points(np.array([[1.0, 0.0], [0.0, -3.0]])), [[math.tanh(0.5), 0], [0, -0.90514825]]
    )


def cloud(space) -> np.ndarray:
    z = torch.randn(60, 7, generator=torch.Generator().manual_seed(2)).double() * torch.linspace(0.3, 1.5, 7)
    return space.project(0.5 * z + 0.3).numpy()

"""Average linkage against SciPy's, which is given the matrix of all dissimilarities."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cophenet, is_valid_linkage, linkage
from scipy.spatial.distance import squareform

from curvox.errors import InputError
from curvox.geometry import AbstractSpace, Euclidean, ExpMap, Hypersphere, PoincareBall
from curvox.hierarchy.linkage import Dendrogram, average_linkage

SPACES: dict[str, AbstractSpace] = {
    "euclidean": Euclidean(),
    "sphere": Hypersphere(),
    "ball": PoincareBall(),
    "deep ball": PoincareBall(c=4.0, lift=ExpMap()),
}


def dissimilarities(space: AbstractSpace, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all pairs (n, n), from the geodesic distances by direct difference."""
    x = torch.from_numpy(points)
    d = space.distance(x[:, None], x[None]).numpy()
    if isinstance(space, Euclidean):
        return d**2
    if isinstance(space, Hypersphere):
        return 2 * np.sin(d / 2) ** 2
    assert isinstance(space, PoincareBall)
    return 2 * np.sinh(math.sqrt(space.initial_c) * d / 2) ** 2


def scipy_linkage(space: AbstractSpace, points: NDArray[np.float64]) -> NDArray[np.float64]:
    wanted = dissimilarities(space, points)
    return linkage(squareform(0.5 * (wanted + wanted.T), checks=False), "average")


def cloud(space: AbstractSpace, n: int, dim: int, seed: int, *, spread: float = 1.0, copies: int = 0) -> np.ndarray:
    """Points at different depths; some are copies of the first few."""
    rng = np.random.default_rng(seed)
    z = spread * rng.normal(size=(n, dim)) * rng.uniform(0.2, 1.0, (n, 1))
    if copies:
        z[rng.permutation(n)[:copies]] = z[rng.integers(0, max(1, n // 4), copies)]
    return space.project(torch.from_numpy(z)).detach().numpy()


def require_equal(space: AbstractSpace, points: NDArray[np.float64]) -> Dendrogram:
    found, wanted = average_linkage(space, points), scipy_linkage(space, points)
    top = wanted[-1, 2]
    np.testing.assert_allclose(found.heights, wanted[:, 2], rtol=1e-9, atol=1e-11 * top)
    np.testing.assert_allclose(cophenet(found.linkage_matrix()), cophenet(wanted), rtol=1e-9, atol=1e-11 * top)
    return found


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 60), dim=st.integers(2, 9), seed=st.integers(0, 10**6), spread=st.sampled_from([0.05, 0.5, 1.0])
)
def test_linkage__is_that_of_scipy(name, n, dim, seed, spread) -> None:
    require_equal(SPACES[name], cloud(SPACES[name], n, dim, seed, spread=spread))


@pytest.mark.parametrize("name", SPACES)
def test_linkage__is_that_of_scipy_for_more_points_than_a_batch(name) -> None:
    require_equal(SPACES[name], cloud(SPACES[name], 800, 16, 0, spread=0.4))


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=15, deadline=None)
@given(n=st.integers(2, 50), seed=st.integers(0, 10**6))
def test_linkage__merges_copies_first_at_height_zero(name, n, seed) -> None:
    points = cloud(SPACES[name], n, 4, seed, copies=n // 2)
    found = require_equal(SPACES[name], points)
    different = len(np.unique(points, axis=0))
    assert np.count_nonzero(found.heights == 0) == n - different


@pytest.mark.parametrize("name", SPACES)
def test_linkage__of_equal_points_is_a_chain_in_their_order(name) -> None:
    found = average_linkage(SPACES[name], np.repeat(cloud(SPACES[name], 1, 3, 0), 5, axis=0))
    np.testing.assert_array_equal(found.merges, [[0, 1], [2, 5], [3, 6], [4, 7]])
    np.testing.assert_array_equal(found.heights, np.zeros(4))
    np.testing.assert_array_equal(found.sizes, [2, 3, 4, 5])


def test_linkage__ends_where_rounding_ties_everything() -> None:
    """The corners of a cube: every nearest neighbour is a tie, and so are many means."""
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * 6)).reshape(6, -1).T / 3.0
    found = average_linkage(Euclidean(), corners)
    wanted = dissimilarities(Euclidean(), corners)
    members = [[k] for k in range(64)]
    for (first, second), height in zip(found.merges, found.heights, strict=True):
        np.testing.assert_allclose(height, wanted[np.ix_(members[first], members[second])].mean())
        members.append(members[first] + members[second])
    assert is_valid_linkage(found.linkage_matrix())
    np.testing.assert_allclose(found.heights[:20], 1 / 9)


def test_linkage__keeps_the_order_of_near_copies_and_their_heights() -> None:
    """Pairs 1e-7 apart far from the origin: the expansion of a product knows them as equal."""
    rng = np.random.default_rng(3)
    middle = 100.0 + rng.normal(size=(30, 8))
    points = np.concatenate([middle, middle + 1e-7 * rng.normal(size=middle.shape)])
    found = average_linkage(Euclidean(), points)
    wanted = scipy_linkage(Euclidean(), points)
    np.testing.assert_allclose(found.heights[:30], wanted[:30, 2], rtol=1e-6)
    assert {tuple(pair) for pair in found.merges[:30]} == {(i, i + 30) for i in range(30)}


def test_linkage__of_a_chain_with_a_hub_is_that_of_scipy() -> None:
    """Every cluster's nearest is the one that has just grown."""
    space = SPACES["deep ball"]
    rng = np.random.default_rng(5)
    z = rng.normal(size=(300, 40))
    z *= (np.linspace(0.02, 1.2, 300) / np.linalg.norm(z, axis=1))[:, None]
    require_equal(space, space.project(torch.from_numpy(z)).detach().numpy())


@pytest.mark.parametrize("name", SPACES)
def test_dendrogram__is_a_linkage_matrix_of_scipy(name) -> None:
    found = average_linkage(SPACES[name], cloud(SPACES[name], 100, 5, 1, copies=20))
    assert is_valid_linkage(found.linkage_matrix())
    assert np.all(np.diff(found.heights) >= 0)
    assert found.sizes[-1] == found.items == 100
    assert np.all(found.merges[:, 0] < found.merges[:, 1])


@pytest.mark.parametrize("name", SPACES)
def test_dendrogram__of_two_points_is_their_distance(name) -> None:
    points = cloud(SPACES[name], 2, 5, 2)
    x = torch.from_numpy(points)
    found = average_linkage(SPACES[name], points)
    np.testing.assert_allclose(found.distances[0], SPACES[name].distance(x[0], x[1]).item(), rtol=1e-9)


def test_linkage__is_the_same_again_and_for_moved_points() -> None:
    points = cloud(Euclidean(), 200, 6, 7)
    found = average_linkage(Euclidean(), points)
    np.testing.assert_array_equal(found.merges, average_linkage(Euclidean(), points).merges)
    moved = average_linkage(Euclidean(), points + 50.0)
    np.testing.assert_array_equal(found.merges, moved.merges)
    np.testing.assert_allclose(found.heights, moved.heights, rtol=1e-9)


def test_linkage__tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    average_linkage(Euclidean(), cloud(Euclidean(), 50, 3, 0), progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (49, 49)
    assert all(done <= later for (done, _), (later, _) in pairwise(told))


@pytest.mark.parametrize(
    ("points", "hint"),
    [
        (np.zeros((1, 3)), "at least two points"),
        (np.zeros(3), "points must be"),
        (np.array([[0.0, 1.0], [np.nan, 0.0]]), "item 1"),
    ],
)
def test_linkage__refuses_points_that_are_none(points, hint) -> None:
    with pytest.raises(InputError, match=hint):
        average_linkage(Euclidean(), points)


def test_linkage__refuses_points_off_their_space() -> None:
    with pytest.raises(InputError, match="ball"):
        average_linkage(PoincareBall(c=4.0), np.array([[0.1, 0.0], [0.6, 0.0]]))
    with pytest.raises(InputError, match="unit"):
        average_linkage(Hypersphere(), np.array([[1.0, 0.0], [0.6, 0.0]]))

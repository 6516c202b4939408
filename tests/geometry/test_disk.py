"""The layout in the Poincaré disk recovers what it can and says how well it did."""

import numpy as np
import pytest
import torch

from curvox.errors import InputError
from curvox.geometry import embed_in_disk, exp0, pairwise_distance


def disk_points(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return exp0(torch.randn(count, 2, generator=generator, dtype=torch.float64), c=1.0)


def distances_of(points: torch.Tensor) -> torch.Tensor:
    return pairwise_distance(points, points, c=1.0).fill_diagonal_(0.0)


@pytest.mark.parametrize("seed", [0, 1])
def test_embed_in_disk__recovers_points_of_the_disk(seed: int) -> None:
    wanted = distances_of(disk_points(25, seed))
    layout = embed_in_disk(wanted, seed=seed, steps=200)
    assert layout.stress < 1e-4
    assert layout.points.shape == (25, 2)
    torch.testing.assert_close(distances_of(layout.points), wanted, rtol=1e-3, atol=1e-3)


def test_embed_in_disk__states_the_stress_of_its_points() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(30, 20, generator=generator, dtype=torch.float64)
    wanted = torch.cdist(z, z).fill_diagonal_(0.0)
    layout = embed_in_disk(wanted, seed=0, steps=60)
    p = layout.points.numpy()
    gap = ((p[:, None] - p[None]) ** 2).sum(-1)
    inside = 1 - (p**2).sum(-1)
    drawn = np.arccosh(1 + 2 * gap / (inside[:, None] * inside[None]))
    expected = np.sqrt(((drawn - wanted.numpy()) ** 2).sum() / (wanted.numpy() ** 2).sum())
    assert layout.stress == pytest.approx(expected, rel=1e-3)
    assert 0.01 < layout.stress < 1
    assert (inside > 0).all()


def test_embed_in_disk__draws_a_tree_better_than_a_flat_plane_can() -> None:
    """A star with many arms: flat scaling has no room for its leaves, the disk has."""
    arms = 12
    wanted = torch.full((arms + 1, arms + 1), 8.0).fill_diagonal_(0.0)
    wanted[0, 1:] = wanted[1:, 0] = 4.0
    layout = embed_in_disk(wanted, seed=0, steps=150)
    around = 4.0 * torch.stack(
        [torch.arange(arms).mul(2 * torch.pi / arms).cos(), torch.arange(arms).mul(2 * torch.pi / arms).sin()], 1
    )
    flat = torch.cdist(torch.cat([torch.zeros(1, 2), around]), torch.cat([torch.zeros(1, 2), around]))
    flat_stress = ((flat - wanted).square().sum() / wanted.square().sum()).sqrt().item()
    assert layout.stress < 0.6 * flat_stress


def test_embed_in_disk__is_settled_by_its_seed() -> None:
    wanted = distances_of(disk_points(15, 4))
    first, second = (embed_in_disk(wanted, seed=3, steps=20) for _ in range(2))
    assert torch.equal(first.points, second.points)
    assert first.stress == second.stress
    assert not torch.equal(first.points, embed_in_disk(wanted, seed=4, steps=20).points)


def test_embed_in_disk__leaves_the_global_random_state_and_grad_mode_alone() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    with torch.no_grad():
        layout = embed_in_disk(distances_of(disk_points(10, 5)).float(), seed=0, steps=50)
    assert layout.stress < 0.1
    assert torch.equal(state, torch.get_rng_state())


def test_embed_in_disk__takes_two_points_coincident_points_and_great_distances() -> None:
    two = embed_in_disk(torch.tensor([[0.0, 3.0], [3.0, 0.0]]), seed=0, steps=100)
    assert two.stress < 1e-4
    twins = distances_of(disk_points(6, 7).repeat(2, 1)).clamp_min(0.0)
    assert embed_in_disk(twins, seed=0, steps=100).stress < 1e-2
    far = embed_in_disk(1000.0 * (1 - torch.eye(5)), seed=0, steps=20)
    assert torch.isfinite(far.points).all()
    assert (far.points.norm(dim=-1) < 1).all()
    assert far.stress < 1


def test_embed_in_disk__refuses_what_is_no_distance_matrix() -> None:
    good = distances_of(disk_points(5, 0))
    broken = {
        "square": good[:4],
        "at least 2|2 to": good[:1, :1],
        "finite": torch.where(good > 1, torch.nan, good),
        "below 0": -good,
        "symmetric": good.triu(),
        "diagonal": good + torch.eye(5),
        "all distances": 0 * good,
        "sample": torch.zeros(401, 401),
    }
    for reason, matrix in broken.items():
        with pytest.raises(InputError, match=reason):
            embed_in_disk(matrix, seed=0)
    with pytest.raises(InputError, match="steps"):
        embed_in_disk(good, seed=0, steps=0)

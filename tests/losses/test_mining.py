"""Mining against slow loops, against pytorch-metric-learning, and its laws."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from curvox.errors import InputError, UnknownNameError
from curvox.losses.pairs.mining import (
    FARTHEST_DEVIATIONS,
    MININGS,
    NEAREST_ANGLE,
    MinedTriplets,
    angle_log_density,
    fitted_log_density,
    mine_pairs,
    mine_triplets,
)

Triplets = set[tuple[int, int, int]]


def case(seed: int, *, items: int = 14, speakers: int = 5) -> tuple[Tensor, Tensor]:
    """Symmetric distances without ties, and speakers with unequal numbers of recordings, some with one."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(items, 4, generator=generator, dtype=torch.float64)
    return torch.cdist(points, points), torch.randint(speakers, (items,), generator=generator)


def as_set(mined: MinedTriplets) -> Triplets:
    triplets = list(zip(mined.anchor.tolist(), mined.positive.tolist(), mined.negative.tolist(), strict=True))
    assert len(set(triplets)) == len(triplets) == mined.kept
    return set(triplets)


def looped(mining: str, distances: Tensor, speakers: Tensor) -> Triplets:
    found: Triplets = set()
    d, y, rows = distances.tolist(), speakers.tolist(), range(len(speakers))
    for a in rows:
        positives = [p for p in rows if p != a and y[p] == y[a]]
        negatives = [n for n in rows if y[n] != y[a]]
        if not positives or not negatives:
            continue
        if mining == "all":
            found |= {(a, p, n) for p in positives for n in negatives}
        elif mining == "hardest":
            found.add((a, max(positives, key=lambda p: d[a][p]), min(negatives, key=lambda n: d[a][n])))
        else:
            for p in positives:
                farther = [n for n in negatives if d[a][n] > d[a][p]]
                chosen = min(farther, key=lambda n: d[a][n]) if farther else max(negatives, key=lambda n: d[a][n])
                found.add((a, p, chosen))
    return found


@pytest.mark.parametrize("mining", ["all", "semi_hard", "hardest"])
@pytest.mark.parametrize("seed", range(8))
def test_mine_triplets__equals_a_slow_loop(mining: str, seed: int) -> None:
    distances, speakers = case(seed)
    assert as_set(mine_triplets(mining, distances, speakers)) == looped(mining, distances, speakers)


@pytest.mark.parametrize("speakers", [[0, 0, 1, 1], [0, 0, 0, 0, 0, 1], [3, 1, 1, 2, 2, 2, 2, 9]])
@pytest.mark.parametrize("mining", ["all", "semi_hard", "hardest"])
def test_mine_triplets__takes_unequal_numbers_of_recordings(mining: str, speakers: list[int]) -> None:
    distances, _ = case(0, items=len(speakers))
    labels = torch.tensor(speakers)
    assert as_set(mine_triplets(mining, distances, labels)) == looped(mining, distances, labels)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("speakers", [[0, 1, 2, 3], [5, 5, 5, 5], [1]])
def test_mine_triplets__keeps_none_where_there_is_none(mining: str, speakers: list[int]) -> None:
    distances, _ = case(0, items=len(speakers))
    labels = torch.tensor(speakers)
    assert mine_triplets(mining, distances, labels).kept == 0
    if mining != "all":
        assert mine_pairs(mining, distances, labels).kept == 0


def test_mine_triplets__equals_pytorch_metric_learning() -> None:
    from pytorch_metric_learning import distances as foreign_distances
    from pytorch_metric_learning import miners

    torch.manual_seed(0)
    embeddings, speakers = torch.randn(16, 5), torch.arange(16) % 5
    distance = foreign_distances.LpDistance(normalize_embeddings=False)
    ours = torch.cdist(embeddings, embeddings)
    everything = miners.TripletMarginMiner(margin=1e6, type_of_triplets="all", distance=distance)
    theirs = torch.stack(everything(embeddings, speakers)).T.tolist()
    assert as_set(mine_triplets("all", ours, speakers)) == {tuple(row) for row in theirs}
    anchors, positives, negatives = miners.BatchHardMiner(distance=distance)(embeddings, speakers)
    theirs = torch.stack([anchors, positives, negatives]).T.tolist()
    assert as_set(mine_triplets("hardest", ours, speakers)) == {tuple(row) for row in theirs}


@settings(max_examples=60, deadline=None)
@given(
    speakers=st.lists(st.integers(-3, 3), min_size=1, max_size=12), mining=st.sampled_from(MININGS), ties=st.booleans()
)
def test_mining__never_pairs_an_item_with_itself_nor_mistakes_a_speaker(
    speakers: list[int], mining: str, ties: bool
) -> None:
    """Also where all distances are equal, as in a collapsed batch."""
    distances, _ = case(1, items=len(speakers))
    if ties:
        distances = torch.zeros_like(distances)
    labels = torch.tensor(speakers)
    mined = mine_triplets(mining, distances, labels)
    assert (mined.anchor != mined.positive).all()
    assert (labels[mined.anchor] == labels[mined.positive]).all()
    assert (labels[mined.anchor] != labels[mined.negative]).all()
    others = (labels[:, None] == labels[None, :]).sum(1) - 1
    if len(set(speakers)) > 1 and mining in ("semi_hard", "distance_weighted"):
        assert mined.kept == others.sum()
    if len(set(speakers)) > 1 and mining == "hardest":
        assert mined.kept == (others > 0).sum()
    pairs = mine_pairs(mining, distances, labels)
    assert (pairs.first != pairs.second).all()
    assert torch.equal(pairs.same, labels[pairs.first] == labels[pairs.second])


def test_mine_pairs__of_all_is_every_unordered_pair_once() -> None:
    distances, speakers = case(0, items=9)
    mined = mine_pairs("all", distances, speakers)
    found = {tuple(sorted(pair)) for pair in zip(mined.first.tolist(), mined.second.tolist(), strict=True)}
    assert mined.kept == len(found) == 9 * 8 / 2


@pytest.mark.parametrize("mining", ["semi_hard", "hardest"])
def test_mine_pairs__are_those_of_the_triplets_each_once(mining: str) -> None:
    distances, speakers = case(3)
    triplets = looped(mining, distances, speakers)
    mined = mine_pairs(mining, distances, speakers)
    for same, expected in ((True, {t[:2] for t in triplets}), (False, {(a, n) for a, _, n in triplets})):
        chosen = mined.same == same
        found = list(zip(mined.first[chosen].tolist(), mined.second[chosen].tolist(), strict=True))
        assert len(found) == len(set(found))
        assert set(found) == expected


def test_mining__carries_no_gradient_and_leaves_the_distances_alone() -> None:
    distances, speakers = case(0)
    distances = distances.requires_grad_()
    before = distances.detach().clone()
    for mining in MININGS:
        mine_triplets(mining, distances, speakers)
    assert torch.equal(distances.detach(), before)


# the weighted draw


def draw_shares(log_density: object, distances: Tensor, *, draws: int) -> Tensor:
    """How often each item is drawn as the negative of anchor 0, whose speaker has ``draws`` other recordings."""
    negatives = len(distances)
    items = negatives + draws + 1
    full = torch.ones(items, items, dtype=distances.dtype)
    full[:, :negatives] = distances
    speakers = torch.cat([torch.arange(1, negatives + 1), torch.zeros(draws + 1, dtype=torch.long)])
    torch.manual_seed(5)
    mined = mine_triplets("distance_weighted", full, speakers, log_density=log_density)  # pyright: ignore
    counts = torch.bincount(mined.negative, minlength=negatives).double()
    return counts / counts.sum()


def test_distance_weighted__draws_by_the_inverse_density_of_the_angle() -> None:
    """The density of the angle between uniform directions is sin^(D-2), here computed by plain floats."""
    angles = [0.1, 0.3, 0.8, 1.2, 1.5, 2.5]
    weights = [math.sin(min(max(angle, 0.5053605), math.pi / 2)) ** -4 for angle in angles]
    expected = torch.tensor([weight / sum(weights) for weight in weights], dtype=torch.float64)
    found = draw_shares(angle_log_density(6), torch.tensor(angles, dtype=torch.float64), draws=150)
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)
    assert pytest.approx(0.5, abs=1e-12) == 2 * math.sin(NEAREST_ANGLE / 2)


def test_angle_log_density__is_that_of_random_directions() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(200_000, 5, generator=generator, dtype=torch.float64), dim=1)
    angles = x[:, 0].acos()
    edges = torch.tensor([0.6, 0.9, 1.2, 1.5], dtype=torch.float64)
    counted = torch.histogram(angles, edges).hist
    grid = torch.linspace(0.6, 1.5, 9001, dtype=torch.float64)
    density = angle_log_density(5)(grid).exp()
    expected = torch.stack([density[a : a + 3000].sum() for a in (0, 3000, 6000)])
    torch.testing.assert_close(counted / counted.sum(), expected / expected.sum(), atol=0.01, rtol=0)


def test_distance_weighted__prefers_near_negatives_in_any_space_within_limits() -> None:
    distances = torch.tensor([0.1, 2.0, 3.0, 4.0, 5.0, 90.0], dtype=torch.float64)
    density = fitted_log_density(distances)
    logs = -density(distances)
    assert (logs.diff() <= 0).all()
    assert logs[0] > logs[2]
    far_below = density(torch.tensor([-1e6], dtype=torch.float64))
    assert far_below.item() == pytest.approx(-(FARTHEST_DEVIATIONS**2) / 2)
    assert density(torch.tensor([1e9], dtype=torch.float64)).item() == 0.0
    equal = fitted_log_density(torch.ones(4))
    assert torch.isfinite(equal(torch.tensor([0.0, 1.0, 2.0]))).all()


def test_distance_weighted__repeats_with_the_seed() -> None:
    distances, speakers = case(0)
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(mine_triplets("distance_weighted", distances, speakers).negative)
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    torch.manual_seed(9)
    before = torch.get_rng_state()
    given_generators = [torch.Generator().manual_seed(4) for _ in range(2)]
    first, second = (mine_triplets("distance_weighted", distances, speakers, generator=g) for g in given_generators)
    assert torch.equal(first.negative, second.negative)
    assert torch.equal(before, torch.get_rng_state())


def test_mining__refuses_what_it_does_not_know() -> None:
    distances, speakers = case(0)
    for mine in (mine_pairs, mine_triplets):
        with pytest.raises(UnknownNameError, match="semi_hard"):
            mine("semihard", distances, speakers)
    with pytest.raises(InputError, match="2 dimensions"):
        angle_log_density(1)

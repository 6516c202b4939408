"""The bridge to pytorch-metric-learning: our spaces as its distance, its losses and miners as ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import draw_batch
from metric_learning_cases import FREE, OPTIONS, SPACES, WITH_CENTRES, build, foreign

from curvox.geometry import ExpMap, PoincareBall
from curvox.losses.metric_learning import MetricLearning, as_distance
from curvox.losses.metric_learning_names import LEFT_OUT, PML_LOSSES, PML_MINERS
from curvox.testing.loss_contract import CHECKS

# scipy, NumPy and torch warn about the code of two losses; that is for pytorch-metric-learning to mend
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning"),
]

# What pytorch-metric-learning's own arithmetic does to our contract; docs/metric_learning.md says why.
BROKEN = {
    "CircleLoss": {"gradients"},
    "HistogramLoss": {"aligned", "duplicates", "solved"},
    "NPairsLoss": {"permutation"},
    "P2SGradLoss": {"gradients", "extreme_sizes", "margin_scale"},
    "SignalToNoiseRatioContrastiveLoss": {"extreme_sizes"},
    "TupletMarginLoss": {"aligned", "duplicates", "solved"},
}
# An arc cosine at 1 is NaN or not by how the processor rounds the cosine, so these may hold or not.
BY_ROUNDING = {"TupletMarginLoss": {"aligned", "duplicates", "solved"}}


# our spaces as its distance


@pytest.mark.parametrize("space", SPACES)
def test_as_distance__is_the_distance_of_the_space(space: str) -> None:
    ours = SPACES[space]()
    distance = as_distance(ours)
    z, _ = draw_batch(12)
    others = z[:5] * 1.5
    with torch.no_grad():
        expected = torch.stack(
            [torch.stack([ours.distance(ours.project(a), ours.project(b)) for b in others]) for a in z]
        )
    torch.testing.assert_close(distance(z, others).detach(), expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(distance(z), distance(z, z))
    torch.testing.assert_close(distance(z), ours.pairwise_distance(ours.project(z), ours.project(z)))
    torch.testing.assert_close(distance.pairwise_distance(z[:5], others).detach(), expected[:5].diagonal())
    assert distance.is_inverted is False
    assert distance.normalize_embeddings is False


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_as_distance__widens_half_precision(space: str, dtype: torch.dtype) -> None:
    distance = as_distance(SPACES[space]())
    z = draw_batch(12)[0].to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        here = distance(z)
    assert here.dtype == torch.float32
    torch.testing.assert_close(here, distance(z.float()))


def test_as_distance__trains_what_the_space_learns() -> None:
    from pytorch_metric_learning.losses import ContrastiveLoss

    loss = ContrastiveLoss(distance=as_distance(PoincareBall(lift=ExpMap(0.3))))
    z, speakers = draw_batch(12)
    loss(z, speakers).backward()
    (gain,) = loss.parameters()
    assert gain.grad is not None
    assert gain.grad != 0


@pytest.mark.parametrize("space", SPACES)
def test_as_distance__makes_its_miner_and_loss_work_in_our_space(space: str) -> None:
    """Semi-hard triplets found and summed by plain loops over our distances."""
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import TripletMarginMiner

    ours = SPACES[space]()
    distance = as_distance(ours)
    z, speakers = draw_batch(12)
    mined = TripletMarginMiner(margin=0.5, type_of_triplets="semihard", distance=distance)(z, speakers)
    value = TripletMarginLoss(margin=0.5, distance=distance)(z, speakers, mined)
    x = ours.project(z).detach()
    d = [[float(ours.distance(a, b)) for b in x] for a in x]
    terms = []
    for a in range(12):
        for p in range(12):
            for n in range(12):
                if a != p and speakers[a] == speakers[p] != speakers[n] and d[a][p] < d[a][n] <= d[a][p] + 0.5:
                    terms.append(d[a][p] - d[a][n] + 0.5)
    assert len(mined[0]) == len(terms) > 0
    torch.testing.assert_close(value.item(), sum(terms) / len(terms), rtol=1e-4, atol=1e-5)


# its losses as ours


@pytest.mark.parametrize("name", PML_LOSSES)
def test_bridge__gives_its_value_and_gradient(name: str) -> None:
    ours, theirs = build(name), foreign(name)
    theirs.load_state_dict(ours.criterion.state_dict())
    z, speakers = draw_batch(12)
    here, there = z.clone().requires_grad_(), z.clone().requires_grad_()
    output, expected = ours(here, speakers), theirs(there, speakers)
    torch.testing.assert_close(output.value, expected.reshape(()))
    torch.testing.assert_close(output.per_item.mean(), output.value)
    output.value.backward()
    expected.backward()
    torch.testing.assert_close(here.grad, there.grad)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


@pytest.mark.parametrize("miner", sorted(set(PML_MINERS) - {"DistanceWeightedMiner", "UniformHistogramMiner"}))
@pytest.mark.parametrize("name", ["TripletMarginLoss", "ContrastiveLoss", "MultiSimilarityLoss", "ArcFaceLoss"])
def test_bridge__hands_over_what_a_miner_found(name: str, miner: str) -> None:
    from pytorch_metric_learning import miners

    ours, theirs = build(name, miner=miner), foreign(name)
    theirs.load_state_dict(ours.criterion.state_dict())
    z, speakers = draw_batch(12)
    mined = getattr(miners, miner)()(z, speakers)
    output = ours(z, speakers)
    torch.testing.assert_close(output.value, theirs(z, speakers, mined))
    torch.testing.assert_close(output.per_item.mean(), output.value)
    counted = output.parts["triplets"] if len(mined) == 3 else output.parts["same_pairs"]
    assert counted == len(mined[0])
    assert ours.whole_batch


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("space", SPACES)
def test_bridge__compares_in_the_space_given(name: str, space: str) -> None:
    ours = SPACES[space]()
    bridged, theirs = build(name, space=ours), foreign(name, distance=as_distance(ours))
    assert bridged.space is ours
    theirs.load_state_dict(bridged.criterion.state_dict(), strict=False)
    z, speakers = draw_batch(12)
    torch.testing.assert_close(bridged(z, speakers).value, theirs(z, speakers).reshape(()))


def test_per_item__is_the_sum_over_an_anchor() -> None:
    z, speakers = draw_batch(12)
    points = torch.nn.functional.normalize(z)
    d = torch.cdist(points, points)
    hinges = torch.zeros(12, 12, 12)
    for a in range(12):
        for p in range(12):
            for n in range(12):
                if a != p and speakers[a] == speakers[p] != speakers[n]:
                    hinges[a, p, n] = (d[a, p] - d[a, n] + 0.2).relu()
    loss = MetricLearning(6, 4, loss="TripletMarginLoss", loss_options={"margin": 0.2})
    output = loss(z, speakers)
    torch.testing.assert_close(output.per_item, hinges.sum((1, 2)) * 12 / (hinges > 0).sum())


@pytest.mark.parametrize("name", PML_LOSSES)
def test_contract__is_kept_but_for_the_checks_listed(name: str) -> None:
    def factory(dim: int, speakers: int) -> MetricLearning:
        return MetricLearning(dim, speakers, loss=name, loss_options=OPTIONS.get(name))

    broken = set()
    for check, run in CHECKS.items():
        try:
            run(factory)
        except (AssertionError, RuntimeError):
            broken.add(check)
    either = BY_ROUNDING.get(name, set())
    assert broken - either == BROKEN.get(name, set()) - either


@pytest.mark.parametrize("name", sorted(set(PML_LOSSES) - WITH_CENTRES))
def test_labels__may_be_any_whole_numbers_without_centres(name: str) -> None:
    CHECKS["labels"](lambda dim, _: MetricLearning(dim, None, loss=name, loss_options=OPTIONS.get(name)))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    ("name", "miner"),
    [
        ("TripletMarginLoss", "TripletMarginMiner"),
        ("ContrastiveLoss", "BatchHardMiner"),
        ("SupConLoss", None),
        ("ProxyAnchorLoss", None),
    ],
)
def test_contract__holds_on_the_ball(name: str, miner: str | None, check: str) -> None:
    CHECKS[check](lambda dim, n: MetricLearning(dim, n, loss=name, miner=miner, space=PoincareBall(lift=ExpMap(0.3))))


def test_docs__table_is_true() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metric_learning.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line.split("|") for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(PML_LOSSES)
    for name, (_, _, space, centres, checks, _) in rows.items():
        assert space.strip() == ("any" if PML_LOSSES[name].any_space else "unit vectors")
        assert centres.strip() == ("yes" if name in WITH_CENTRES else "no")
        assert {check for check in CHECKS if f"`{check}`" in checks} == BROKEN.get(name, set())
    for name in (*PML_MINERS, *LEFT_OUT):
        assert f"`{name}`" in page, name

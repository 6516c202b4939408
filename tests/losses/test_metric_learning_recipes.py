"""The bridge to pytorch-metric-learning in recipes: parameters, precision, margins, batches, names and refusals."""

from __future__ import annotations

import copy
import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from builders import draw_batch
from metric_learning_cases import OPTIONS, WITH_CENTRES, build

from curvox.errors import InputError, MissingExtraError, RecipeError, UnknownNameError
from curvox.geometry import Euclidean, ExpMap, PoincareBall
from curvox.losses import create_loss
from curvox.losses.metric_learning import MetricLearning, as_distance
from curvox.losses.metric_learning_names import PML_LOSSES

# scipy, NumPy and torch warn about the code of two losses; that is for pytorch-metric-learning to mend
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning"),
]


def test_state_dict__holds_its_centres_and_our_space_once() -> None:
    ball = PoincareBall(lift=ExpMap(0.3))
    loss = MetricLearning(6, 4, loss="ProxyAnchorLoss", miner="TripletMarginMiner", space=ball)
    assert set(loss.state_dict()) == {"space.lift.raw_gain", "criterion.proxies"}
    loss(*draw_batch(12)).value.backward()
    assert loss.get_parameter("space.lift.raw_gain").grad != 0
    assert MetricLearning(6, 4, loss="ArcFaceLoss").state_dict()["criterion.W"].shape == (6, 4)
    assert not MetricLearning(6, 4).state_dict()


def test_deep_copy__has_a_space_of_its_own() -> None:
    loss = build("TripletMarginLoss", miner="TripletMarginMiner", space=PoincareBall(lift=ExpMap(0.3)))
    twin = copy.deepcopy(loss)
    for parameter in twin.parameters():
        torch.nn.init.zeros_(parameter)
    z, speakers = draw_batch(12)
    assert twin(z, speakers).value != loss(z, speakers).value
    assert twin.space is not loss.space


@pytest.mark.parametrize("name", ["ArcFaceLoss", "NormalizedSoftmaxLoss", "ProxyAnchorLoss", "SoftTripleLoss"])
def test_half_precision_module__computes_in_float32_and_keeps_its_type(name: str) -> None:
    """Left alone, pytorch-metric-learning casts its own parameters to the type of the embeddings."""
    z, speakers = draw_batch(12)
    loss = build(name).to(torch.bfloat16)
    output = loss(z, speakers)
    output.value.backward()
    assert output.value.dtype == torch.float32
    for parameter in loss.parameters():
        assert parameter.dtype == torch.bfloat16
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0
    double = build(name).double()
    assert double(z, speakers).value.dtype == torch.float64
    assert {parameter.dtype for parameter in double.parameters()} == {torch.float64}


@pytest.mark.parametrize("name", ["ArcFaceLoss", "SubCenterArcFaceLoss", "CosFaceLoss", "SoftTripleLoss"])
def test_margin_scale__is_another_margin_of_its_own(name: str) -> None:
    z, speakers = draw_batch(12)
    full = build(name)
    assert full.kind.margin is not None
    default = 28.6 if full.kind.margin == "degrees" else full.full_margin
    for scale in (0.0, 0.5, 1.0, 1.5):
        full.set_margin_scale(scale)
        other = MetricLearning(6, 4, loss=name, loss_options={**OPTIONS.get(name, {}), "margin": default * scale})
        other.load_state_dict(full.state_dict())
        torch.testing.assert_close(full(z, speakers).value, other(z, speakers).value)


def test_margin__of_arcface_is_in_degrees() -> None:
    loss = MetricLearning(6, 4, loss="ArcFaceLoss", loss_options={"margin": 45})
    assert loss.full_margin == pytest.approx(math.pi / 4)
    with pytest.raises(InputError, match="below 4"):
        loss.set_margin_scale(4.0)
    for wrong, reason in [(-1, "at least 0"), (180, "180 degrees"), (float("nan"), "finite")]:
        with pytest.raises(InputError, match=reason):
            MetricLearning(6, 4, loss="ArcFaceLoss", loss_options={"margin": wrong})


def test_whole_batch__says_which_losses_compare_recordings() -> None:
    assert {name for name in PML_LOSSES if not build(name).whole_batch} == WITH_CENTRES
    assert build("ArcFaceLoss", miner="TripletMarginMiner").whole_batch


def test_batch__without_a_pair_is_refused_where_one_is_needed() -> None:
    z, _ = draw_batch(4)
    for speakers in ([0, 1, 2, 3], [2, 2, 2, 2]):
        labels = torch.tensor(speakers)
        for loss in (build("TripletMarginLoss"), build("ArcFaceLoss", miner="TripletMarginMiner")):
            with pytest.raises(InputError, match="batch"):
                loss(z, labels)
        assert torch.isfinite(build("ArcFaceLoss")(z, labels).value)


def test_speakers__may_be_left_open_where_there_are_no_centres() -> None:
    z, speakers = draw_batch(12)
    loss = MetricLearning(6, None)
    torch.testing.assert_close(loss(z, speakers + 1000).value, MetricLearning(6, 4)(z, speakers).value)
    with pytest.raises(InputError, match="number of speakers"):
        MetricLearning(6, None, loss="ArcFaceLoss")


def test_miner__that_finds_nothing_leaves_a_zero_with_a_gradient() -> None:
    z = torch.eye(6)[[0, 0, 1, 1]].requires_grad_()
    loss = MetricLearning(6, 2, miner="TripletMarginMiner")
    output = loss(z, torch.tensor([0, 0, 1, 1]))
    output.value.backward()
    assert output.value == 0
    assert output.parts["triplets"] == 0
    assert z.grad is not None
    assert not z.grad.any()


# descriptions and refusals


def test_create_loss__builds_loss_miner_and_space() -> None:
    description = {
        "name": "metric_learning",
        "loss": "TripletMarginLoss",
        "loss_options": {"margin": 0.4},
        "miner": "TripletMarginMiner",
        "miner_options": {"margin": 0.4, "type_of_triplets": "semihard"},
        "space": {"name": "poincare_ball", "c": 0.5, "lift": "soft_clip"},
    }
    loss = create_loss(description, dim=6, speakers=4)
    assert isinstance(loss, MetricLearning)
    assert loss.miner is not None
    assert loss.miner.type_of_triplets == "semihard"
    assert loss.space.describe()["c"] == 0.5
    z, speakers = draw_batch(12)
    z.requires_grad_()
    optimiser = torch.optim.Adam([z], lr=0.05)
    first = loss(z, speakers).value.item()
    for _ in range(80):
        optimiser.zero_grad()
        loss(z, speakers).value.backward()
        optimiser.step()
    plain = create_loss({**description, "miner": None, "miner_options": None}, dim=6, speakers=4)
    assert plain(z, speakers).per_item.count_nonzero() < 12
    assert first > 0


def test_distance_option__takes_one_of_its_own() -> None:
    z, speakers = draw_batch(12)
    squared = {"name": "LpDistance", "power": 2, "normalize_embeddings": False}
    loss = MetricLearning(6, 4, loss="NTXentLoss", loss_options={"distance": squared}, space=Euclidean())
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import NTXentLoss

    expected = NTXentLoss(distance=LpDistance(power=2, normalize_embeddings=False))(z, speakers)
    torch.testing.assert_close(loss(z, speakers).value, expected)
    named = MetricLearning(6, 4, miner="TripletMarginMiner", miner_options={"distance": "CosineSimilarity"})
    assert named.miner is not None
    assert named.miner.get_submodule("distance").is_inverted


@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        ({"loss": "TripletMarginLos"}, UnknownNameError, 'did you mean "TripletMarginLoss"'),
        ({"loss": "os.system"}, UnknownNameError, "unknown loss"),
        ({"loss": "BaseMetricLossFunction"}, UnknownNameError, "unknown loss"),
        ({"loss": "VICRegLoss"}, InputError, "left out: it takes no speakers"),
        ({"loss_options": {"margn": 0.2}}, RecipeError, 'did you mean "margin"'),
        ({"loss_options": {"reducer": "MeanReducer"}}, RecipeError, '"reducer"'),
        ({"loss_options": {"margin": [object()]}}, InputError, "number, a word or a list"),
        ({"loss_options": {"margin": math.inf}}, InputError, "finite"),
        ({"loss": "ArcFaceLoss", "loss_options": {"num_classes": 7}}, RecipeError, '"num_classes"'),
        ({"loss": "RankedListLoss"}, RecipeError, '"margin"'),
        ({"miner": "TripletMiner"}, UnknownNameError, "TripletMarginMiner"),
        ({"miner_options": {"margin": 0.1}}, RecipeError, "no miner"),
        ({"miner": "BatchHardMiner", "miner_options": {"pos_strategy": "easy"}}, RecipeError, "pos_strategy"),
        ({"miner": "BatchEasyHardMiner", "miner_options": {"pos_strategy": "worst"}}, InputError, "refuses"),
        ({"loss": "PNPLoss", "miner": "HDCMiner"}, InputError, "takes no miner"),
        ({"loss": "CircleLoss", "space": PoincareBall()}, InputError, "unit vectors"),
        ({"miner": "AngularMiner", "space": Euclidean()}, InputError, "unit vectors"),
        ({"loss_options": {"distance": "Lp"}}, UnknownNameError, "LpDistance"),
        ({"loss_options": {"distance": 2}}, RecipeError, "distance is a name"),
        ({"loss": "CircleLoss", "loss_options": {"distance": "LpDistance"}}, InputError, "CosineSimilarity"),
    ],
)
def test_bridge__refuses_by_name(arguments: dict[str, Any], error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        MetricLearning(6, 4, **arguments)


def test_bridge__without_the_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("pytorch_metric_learning")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    monkeypatch.delitem(sys.modules, "curvox.losses.metric_learning_distance", raising=False)
    for attempt in (lambda: MetricLearning(6, 4), lambda: as_distance(Euclidean())):
        with pytest.raises(MissingExtraError, match=r"curvox\[metric-learning\]"):
            attempt()


PLAIN_PROCESS = """
import sys
from curvox.errors import InputError, RecipeError
from curvox.losses.metric_learning import MetricLearning, as_distance

assert "pytorch_metric_learning" not in sys.modules
for attempt, error, reason in [
    (lambda: MetricLearning(6, 4, loss=3), InputError, "name of a class"),
    (lambda: MetricLearning(6, 4, loss_options=[0.2]), RecipeError, "mapping"),
    (lambda: MetricLearning(6, 4, space="poincare_ball"), InputError, "create_space"),
    (lambda: as_distance("poincare_ball"), InputError, "create_space"),
]:
    try:
        attempt()
    except error as refusal:
        assert reason in str(refusal), refusal
    else:
        raise AssertionError(reason)
"""


def test_bridge__imports_the_package_late_and_refuses_wrong_types() -> None:
    """In a process of its own, where annotations are not checked."""
    subprocess.run([sys.executable, "-c", PLAIN_PROCESS], check=True)

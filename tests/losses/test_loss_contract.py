"""The contract suite over the whole table: every loss x every check."""

from __future__ import annotations

import inspect

import pytest
import torch

from curvox.errors import InputError
from curvox.geometry import Clip, ExpMap, PoincareBall, SoftClip
from curvox.losses import LOSSES, AbstractLoss, Combined, HAMSoftmax, HSoftmax, LossOutput, WeightedLoss
from curvox.testing.loss_contract import CHECKS, check_loss

FACTORIES = {name: LOSSES.load(name) for name in LOSSES} | {
    "ham_softmax curved clip": lambda dim, n: HAMSoftmax(dim, n, space=PoincareBall(c=4.0, lift=Clip(0.3))),
    "ham_softmax rim clip": lambda dim, n: HAMSoftmax(dim, n, space=PoincareBall(c=0.1)),
    "ham_softmax exp_map": lambda dim, n: HAMSoftmax(dim, n, space=PoincareBall(lift=ExpMap(0.3))),
    "ham_softmax soft_clip": lambda dim, n: HAMSoftmax(dim, n, space=PoincareBall(c=2.0, lift=SoftClip())),
    "combined learnable": lambda dim, n: Combined(
        dim,
        n,
        parts=[
            WeightedLoss(2.0, HSoftmax(dim, n, space=PoincareBall(lift=ExpMap()))),
            WeightedLoss(1.0, HSoftmax(dim, n)),
        ],
    ),
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("loss", FACTORIES)
def test_contract__holds(loss: str, check: str) -> None:
    CHECKS[check](FACTORIES[loss])


@pytest.mark.parametrize("loss", FACTORIES)
def test_classification__takes_any_batch(loss: str) -> None:
    built = FACTORIES[loss](6, 4)
    for labels in ([2, 2, 2, 2], [0, 1, 2, 3], [1]):
        assert torch.isfinite(built(torch.randn(len(labels), 6), torch.tensor(labels)).value)


@pytest.mark.parametrize("loss", LOSSES)
def test_constructor__is_annotated(loss: str) -> None:
    parameters = inspect.signature(LOSSES.load(loss)).parameters
    assert list(parameters)[:2] == ["dim", "speakers"]
    for name, parameter in list(parameters.items())[2:]:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, name
        assert parameter.annotation is not inspect.Parameter.empty, name
        assert parameter.default is not inspect.Parameter.empty, name


@pytest.mark.parametrize("loss", LOSSES)
def test_constructor__refuses_bad_numbers(loss: str) -> None:
    cls = LOSSES.load(loss)
    known = inspect.signature(cls).parameters
    for name in {"scale", "margin"} & known.keys():
        for wrong in (-0.1, float("nan"), float("inf")):
            with pytest.raises(InputError, match=name):
                cls(6, 4, **{name: wrong})


@pytest.mark.parametrize("loss", LOSSES)
def test_constructor__refuses_fewer_than_two_speakers(loss: str) -> None:
    with pytest.raises(InputError, match="speakers"):
        LOSSES.load(loss)(6, 1)
    with pytest.raises(InputError, match="dim"):
        LOSSES.load(loss)(0, 4)


class _Broken(AbstractLoss):
    """A loss that breaks the contract: its root has an infinite gradient at zero."""

    def __init__(self, dim: int, speakers: int) -> None:
        super().__init__(dim, speakers)
        self.space = PoincareBall()

    def compute(self, embeddings: torch.Tensor, speakers: torch.Tensor) -> LossOutput:
        per_item = embeddings.square().sum(-1).sqrt()
        return LossOutput(per_item.mean(), per_item)


def test_contract__catches_a_broken_loss() -> None:
    with pytest.raises(AssertionError, match="not finite"):
        CHECKS["extreme_sizes"](_Broken)
    with pytest.raises(AssertionError):
        check_loss(_Broken)

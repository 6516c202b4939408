"""The contract suite over the whole table: every loss x every check; and what every constructor keeps."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from loss_variants import VARIANTS, factory_of

from curvox.errors import InputError
from curvox.geometry import PoincareBall
from curvox.losses import LOSSES, AbstractLoss, LossOutput
from curvox.testing.loss_contract import CHECKS, check_loss

FACTORIES = {name: factory_of(name) for name in VARIANTS}
WHOLE_BATCH = [name for name, factory in FACTORIES.items() if factory(6, 4).whole_batch]
OF_PAIRS = ["batches_without_pairs", "unequal_recordings", "solved", "labels", "learnt_space"]
CASES = [(loss, check) for loss in FACTORIES for check in CHECKS if loss in WHOLE_BATCH or check not in OF_PAIRS]
CENTRES = [name for name in FACTORIES if name not in WHOLE_BATCH]
every_entry = pytest.mark.parametrize("name", LOSSES)


def asks_for_speakers(name: str) -> bool:
    return "speakers" in inspect.signature(LOSSES.load(name)).parameters


def constructor_of(name: str) -> Callable[..., AbstractLoss]:
    """The constructor as ``(**options)``, with 6 dimensions and 4 speakers where it asks for speakers."""
    sizes = {"dim": 6, "speakers": 4} if asks_for_speakers(name) else {"dim": 6}
    return lambda **options: LOSSES.load(name)(**sizes | options)


@pytest.mark.parametrize(("loss", "check"), CASES)
def test_contract__holds(loss: str, check: str) -> None:
    CHECKS[check](FACTORIES[loss])


def test_variants__hold_every_entry_of_the_table_as_it_is() -> None:
    for name in LOSSES:
        assert VARIANTS[name] == {"name": name}
    assert {str(description["name"]) for description in VARIANTS.values()} == set(LOSSES)


@pytest.mark.parametrize("loss", CENTRES)
def test_centre_loss__takes_any_batch(loss: str) -> None:
    built = FACTORIES[loss](6, 4)
    for labels in ([2, 2, 2, 2], [0, 1, 2, 3], [1]):
        assert torch.isfinite(built(torch.randn(len(labels), 6), torch.tensor(labels)).value)


@pytest.mark.parametrize("loss", WHOLE_BATCH)
def test_pair_loss__refuses_a_batch_that_leaves_nothing_to_compare(loss: str) -> None:
    """It does not return zero."""
    built = FACTORIES[loss](6, 4)
    for labels in ([0, 1, 2, 3], [1]):
        with pytest.raises(InputError, match=r"same-speaker|recording"):
            built(torch.randn(len(labels), 6), torch.tensor(labels))


@every_entry
def test_constructor__is_annotated(name: str) -> None:
    parameters = inspect.signature(LOSSES.load(name)).parameters
    sizes = ["dim", "speakers"] if asks_for_speakers(name) else ["dim"]
    assert list(parameters)[: len(sizes)] == sizes
    for key, parameter in list(parameters.items())[len(sizes) :]:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, key
        assert parameter.annotation is not inspect.Parameter.empty, key
        assert parameter.default is not inspect.Parameter.empty, key


@every_entry
def test_constructor__refuses_numbers_that_are_none(name: str) -> None:
    """Every argument that is a number refuses NaN and infinity by its name, and most what is below zero."""
    build = constructor_of(name)
    for key, parameter in inspect.signature(LOSSES.load(name)).parameters.items():
        if not isinstance(parameter.default, float):
            continue
        for wrong in (float("nan"), float("inf"), *([-0.1] if parameter.default >= 0 else [])):
            with pytest.raises(InputError, match=key):
                build(**{key: wrong})


@every_entry
def test_constructor__refuses_sizes_that_are_none(name: str) -> None:
    build = constructor_of(name)
    with pytest.raises(InputError, match="dim"):
        build(dim=0)
    if asks_for_speakers(name):
        with pytest.raises(InputError, match="speakers"):
            build(speakers=1)


class _Broken(AbstractLoss):
    """A loss that breaks the contract: its root has an infinite gradient at zero."""

    def __init__(self, dim: int, speakers: int) -> None:
        super().__init__(dim, speakers)
        self.space = PoincareBall()

    def compute(self, embeddings: torch.Tensor, speakers: torch.Tensor) -> LossOutput:
        per_item = self.terms(embeddings, speakers)
        return LossOutput(per_item.mean(), per_item)

    def terms(self, embeddings: torch.Tensor, speakers: torch.Tensor) -> torch.Tensor:
        return embeddings.square().sum(-1).sqrt()


class _WrongGradient(_Broken):
    """Its backward pass forgets a factor in one coordinate of one parameter of six."""

    def __init__(self, dim: int, speakers: int) -> None:
        super().__init__(dim, speakers)
        self.weights = torch.nn.Parameter(torch.ones(dim))

    def terms(self, embeddings: torch.Tensor, speakers: torch.Tensor) -> torch.Tensor:
        seen = self.weights.detach() * torch.tensor([1.0, 1.0, 1.0, 1.01, 1.0, 1.0], dtype=self.weights.dtype)
        weights = self.weights * seen - (self.weights * seen).detach() + self.weights.detach()
        return (embeddings * weights).square().sum(-1)


class _Blind(_Broken):
    """Takes whatever embeddings and speakers it is given."""

    def check_inputs(self, embeddings: torch.Tensor, speakers: torch.Tensor) -> None:
        pass

    def terms(self, embeddings: torch.Tensor, speakers: torch.Tensor) -> torch.Tensor:
        return embeddings.square().sum(-1)


class _Shuffled(_Broken):
    """Its value depends on the order of the batch."""

    def terms(self, embeddings: torch.Tensor, speakers: torch.Tensor) -> torch.Tensor:
        return embeddings.square().sum(-1) * torch.arange(1.0, len(embeddings) + 1.0)


@pytest.mark.parametrize(
    ("broken", "check", "said"),
    [
        (_Broken, "extreme_sizes", "not finite"),
        (_WrongGradient, "gradients", None),
        (_Blind, "bad_embeddings", "must be refused"),
        (_Blind, "bad_speakers", "must be refused"),
        (_Shuffled, "permutation", "order of the batch"),
    ],
)
def test_contract__catches_a_broken_loss(broken: Any, check: str, said: str | None) -> None:
    with pytest.raises((AssertionError, RuntimeError), match=said):
        CHECKS[check](broken)


def test_check_loss__runs_every_check() -> None:
    with pytest.raises(AssertionError):
        check_loss(_Broken)

"""The contract of spaces, on every space of the table, and on spaces that break it in one way each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from curvox.geometry import SPACES, AbstractSpace, Euclidean, Hypersphere, PoincareBall, create_space
from curvox.testing.space_contract import CHECKS, check_space

VARIANTS = {
    **{name: {"name": name} for name in SPACES},
    "ball, c = 4": {"name": "poincare_ball", "c": 4.0, "lift": {"name": "clip", "radius": 0.3}},
    "ball, published": {"name": "poincare_ball", "lift": {"name": "published", "curvature": 3.0}},
    "ball, exp_map, c = 0.1": {"name": "poincare_ball", "c": 0.1, "lift": {"name": "exp_map", "gain": 0.3}},
    "ball, soft_clip, learnt c": {"name": "poincare_ball", "c": 2.0, "lift": {"name": "soft_clip"}, "learn_c": True},
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_space__keeps_the_contract(variant: str, check: str) -> None:
    CHECKS[check](lambda: create_space(VARIANTS[variant]))


def test_check_space__runs_every_check() -> None:
    check_space(Euclidean)


@pytest.fixture
def broken() -> Iterator[Callable[..., Callable[[], AbstractSpace]]]:
    """Make a space of the table with some attributes changed, and enter it into the table for the test."""

    def make(kind: type[AbstractSpace], **changes: object) -> Callable[[], AbstractSpace]:
        cls = type("Broken", (kind,), {"describe": lambda self: {"name": "broken"}, **changes})
        SPACES.register("broken", cls, "a space that breaks its contract")
        return cls

    yield make
    SPACES.entries.pop("broken", None)


def _uneven(self: AbstractSpace, x: Tensor, y: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x - y, dim=-1) * (1.0 + 0.1 * torch.sigmoid(x[..., 0]))


def _squared(self: AbstractSpace, x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square().sum(-1)


BROKEN = {
    "projection": (Hypersphere, {"project": lambda self, z: z / z.norm(dim=-1, keepdim=True)}),
    "half_precision": (Euclidean, {"project": lambda self, z: z}),
    "distance": (Euclidean, {"distance": _uneven}),
    "triangle": (Euclidean, {"distance": _squared}),
    "pairwise": (Euclidean, {"pairwise_distance": lambda self, x, y: 1.01 * torch.cdist(x, y)}),
    "mean": (Euclidean, {"mean": lambda self, x: x.sum(-2)}),
    "log_and_exp": (PoincareBall, {"log_map": lambda self, base, x: x - base}),
    "curvature": (Hypersphere, {"curvature": property(lambda self: 2.0)}),
    "frechet_mean": (Hypersphere, {"log_map": lambda self, base, x: x - base}),
    "gradients": (Euclidean, {"distance": lambda self, x, y: (x - y).square().sum(-1).sqrt()}),
    "description": (PoincareBall, {"__init__": lambda self: PoincareBall.__init__(self, c=torch.rand(()).item())}),
    "vectors": (Euclidean, {"as_vectors": lambda self, x: 0.0 * x}),
    "origin": (Euclidean, {"origin": property(lambda self: PoincareBall(c=1e-4).origin)}),
    "dissimilarity": (Euclidean, {"dissimilarity": property(lambda self: Hypersphere().dissimilarity)}),
    "angles": (Euclidean, {"angular": True}),
    "defaults": (Euclidean, {"default_scorer": "cosine"}),
}


def test_broken__covers_every_check() -> None:
    assert set(BROKEN) == set(CHECKS)


@pytest.mark.parametrize("check", BROKEN)
def test_check__finds_the_space_that_breaks_it(check: str, broken: Callable[..., Callable[[], AbstractSpace]]) -> None:
    kind, changes = BROKEN[check]
    factory = broken(kind, **changes)
    with pytest.raises((AssertionError, ValueError)):
        CHECKS[check](factory)

"""What is built of a recipe: optimisers, schedules of learning rate and margin, a compiled encoder."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_recipes import change
from torch import Tensor, nn

from curvox.errors import MissingExtraError, RecipeError
from curvox.training import train
from curvox.training.recipe.recipe import MarginRecipe, OptimizerRecipe, ScheduleRecipe
from curvox.training.run.checkpoints import read_state
from curvox.training.step.building import build_optimizer, learning_rate_factor, margin_scale
from curvox.training.step.module import SpeakerModule


@pytest.fixture
def ball_tree(tiny_tree: dict[str, Any]) -> dict[str, Any]:
    return {**tiny_tree, "loss": {"name": "ham_softmax", "centres": "riemannian"}}


def test_riemannian_adam__moves_plain_parameters_as_adam_does() -> None:
    torch.manual_seed(1)
    models = [nn.Linear(5, 4), nn.Linear(5, 4)]
    models[1].load_state_dict(models[0].state_dict())
    options = [
        OptimizerRecipe(name="adam", weight_decay=0.01),
        OptimizerRecipe(name="riemannian_adam", weight_decay=0.01),
    ]
    optimizers = [build_optimizer(o, m, nn.Linear(1, 1)) for o, m in zip(options, models, strict=True)]
    batches = torch.randn(20, 3, 5)
    for batch in batches:
        for model, optimizer in zip(models, optimizers, strict=True):
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(models[1].state_dict(), models[0].state_dict(), rtol=1e-5, atol=1e-6)


def test_riemannian_adam__trains_centres_on_the_ball_and_resumes_exactly(
    ball_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["training.optimizer.name=riemannian_adam", "training.optimizer.learning_rate=0.05"]
    recipe = change(ball_tree, *overrides, "training.epochs=1", "training.checkpoint_every_steps=2")
    steps = train(recipe, tmp_path / "whole").steps
    whole = read_state(tmp_path / "whole" / "last")
    centres = whole["state_dict"]["loss.centres"]
    assert (centres.norm(dim=1) < 1).all()
    assert centres.norm(dim=1).min() > 0.01  # they start within a few thousandths of the origin

    original = SpeakerModule.embed_batch

    def embed_batch(module: SpeakerModule, batch: dict[str, Tensor]) -> Tensor:
        if module.global_step == steps - 2:
            raise ZeroDivisionError
        return original(module, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SpeakerModule, "embed_batch", embed_batch)
        with pytest.raises(ZeroDivisionError):
            train(recipe, tmp_path / "cut")
    assert 0 < read_state(tmp_path / "cut" / "last")["global_step"] < steps
    train(recipe, tmp_path / "cut", resume=True)
    resumed = read_state(tmp_path / "cut" / "last")
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(resumed[part], whole[part], rtol=0, atol=0)


def test_manifold__is_not_left_to_a_plain_optimizer(ball_tree: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"manifold \(first: centres\).*adamw.*riemannian_adam"):
        train(change(ball_tree, "training.optimizer.name=adamw"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_riemannian_adam__without_geoopt_names_the_extra(
    tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "geoopt.optim", None)
    with pytest.raises(MissingExtraError, match=r"curvox\[riemannian\]"):
        train(change(tiny_tree, "training.optimizer.name=riemannian_adam"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


SETTINGS = {"learning_rate": 0.1, "steps_per_epoch": 10, "total_steps": 100}


def factors(name: str, warmup: float = 2.0, final: float = 0.001) -> list[float]:
    schedule = ScheduleRecipe(name=name, warmup_epochs=warmup, final_learning_rate=final)  # pyright: ignore
    return [learning_rate_factor(step, schedule=schedule, **SETTINGS) for step in range(100)]


@pytest.mark.parametrize("name", ["cosine", "exponential", "constant"])
def test_learning_rate__rises_from_above_zero_then_never_again(name: str) -> None:
    values = factors(name)
    assert 0 < values[0] < 0.1
    assert all(b > a for a, b in pairwise(values[:20]))
    assert values[20] == 1.0
    assert all(b <= a for a, b in pairwise(values[20:]))


@pytest.mark.parametrize("name", ["cosine", "exponential"])
def test_learning_rate__ends_at_the_final_one(name: str) -> None:
    assert factors(name)[-1] == pytest.approx(0.01)
    assert factors(name, warmup=0.0)[0] == 1.0


def test_learning_rate__is_the_closed_form_half_way() -> None:
    middle = 20 + 79 / 2
    cosine, exponential = factors("cosine"), factors("exponential")
    low, high = math.floor(middle), math.ceil(middle)
    assert (cosine[low] + cosine[high]) / 2 == pytest.approx((1 + 0.01) / 2, abs=1e-3)
    assert math.sqrt(exponential[low] * exponential[high]) == pytest.approx(0.1)


def test_margin__grows_linearly_between_its_epochs() -> None:
    warmup = MarginRecipe(start_epoch=1.0, end_epoch=3.0)
    values = [margin_scale(step, warmup=warmup, steps_per_epoch=10) for step in range(40)]
    assert values[:11] == [0.0] * 11
    assert values[20] == 0.5
    assert values[30:] == [1.0] * 10
    assert all(b - a == pytest.approx(0.05) for a, b in pairwise(values[10:31]))


def test_margin__is_full_from_the_start_without_a_warmup() -> None:
    assert margin_scale(0, warmup=MarginRecipe(), steps_per_epoch=10) == 1.0


def test_learning_rate__of_steps_is_that_of_torchs_step_lr() -> None:
    schedule = ScheduleRecipe(name="step", warmup_epochs=0.0, decay_per_epoch=0.97)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    oracle = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.97)
    for epoch in range(10):
        steps = range(10 * epoch, 10 * epoch + 10)
        found = [0.1 * learning_rate_factor(step, schedule=schedule, **SETTINGS) for step in steps]
        assert found == pytest.approx([oracle.get_last_lr()[0]] * 10, rel=1e-12)
        optimizer.step()
        oracle.step()


def test_learning_rate__of_steps_counts_epochs_from_the_end_of_the_warmup() -> None:
    schedule = ScheduleRecipe(name="step", warmup_epochs=1.5, decay_per_epoch=0.5)
    values = [learning_rate_factor(step, schedule=schedule, **SETTINGS) for step in range(100)]
    assert all(b > a for a, b in pairwise(values[:16]))
    assert values[15:36] == [1.0] * 10 + [0.5] * 10 + [0.25]


def test_schedule__refuses_a_decay_that_is_missing_or_without_effect() -> None:
    with pytest.raises(ValueError, match="the schedule step needs decay_per_epoch"):
        ScheduleRecipe(name="step")
    with pytest.raises(ValueError, match="cosine has none"):
        ScheduleRecipe(name="cosine", decay_per_epoch=0.97)


def test_margin__may_grow_exponentially() -> None:
    """What is missing to the full margin falls by the same factor in every step, to a thousandth, and ends there."""
    warmup = MarginRecipe(start_epoch=1.0, end_epoch=3.0, shape="exponential")
    values = [margin_scale(step, warmup=warmup, steps_per_epoch=10) for step in range(40)]
    assert values[:11] == [0.0] * 11
    missing = [1 - value for value in values[10:30]]
    assert all(b / a == pytest.approx(0.001 ** (1 / 20)) for a, b in pairwise(missing))
    assert values[20] == pytest.approx(1 - 0.001**0.5)
    assert values[30:] == [1.0] * 10


def test_compiled_run__has_the_checkpoint_of_one_that_is_not(
    tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for the compiler, which counts the batches that go through what it returned."""
    calls = []

    def compile_nothing(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def counted(features: torch.Tensor) -> torch.Tensor:
            calls.append(features.shape)
            return function(features)

        return counted

    monkeypatch.setattr(torch, "compile", compile_nothing)
    result = train(change(tiny_tree, "training.compile=true", "training.max_steps=2"), tmp_path / "run")
    assert len(calls) == result.steps == 2  # and no recording of the dev trials
    assert len(set(calls)) == 1
    found, expected = (read_state(run / "last")["state_dict"] for run in (tmp_path / "run", tiny_run))
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: tensor.shape for name, tensor in expected.items()
    }


def test_compile__without_a_compiler_is_refused(
    tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no_such_compiler")
    with pytest.raises(RecipeError, match=r"needs a C\+\+ compiler, and no_such_compiler is not there"):
        train(change(tiny_tree, "training.compile=true"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []

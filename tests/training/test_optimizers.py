"""Optimisers: plain ones, and geoopt's for parameters on a manifold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_recipes import change
from torch import Tensor, nn

from curvox.errors import MissingExtraError, RecipeError
from curvox.training import train
from curvox.training.recipe.recipe import OptimizerRecipe
from curvox.training.run.checkpoints import read_state
from curvox.training.step.building import build_optimizer
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

"""The doctor beside a run: what it measures, that it changes nothing, what it says and when it stops."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from tiny_recipes import change
from torch import Tensor, nn

from curvox.diagnosis import VITALS, Evidence, Finding, LiveWatch, adapt
from curvox.embedder import load
from curvox.errors import TrainingError
from curvox.geometry import Hypersphere, create_space
from curvox.training import build_model, read_vitals, recipe_from, train, with_loss
from curvox.training.run.watch import embedding_signs, gradient_signs, item_signs, update_ratio


def test_embedding_signs__match_plain_loops() -> None:
    torch.manual_seed(0)
    raw, speakers = torch.randn(12, 5) * torch.rand(12, 1), torch.arange(12) // 3
    signs = embedding_signs(Hypersphere(), raw, speakers)
    unit = (raw / raw.norm(dim=1, keepdim=True)).double().numpy()
    same, different, chords = [], [], []
    for i in range(12):
        for j in range(i):
            angle = np.arccos(np.clip(unit[i] @ unit[j], -1, 1))
            (same if speakers[i] == speakers[j] else different).append(angle)
            chords.append(((unit[i] - unit[j]) ** 2).sum())
    assert signs["same_distance"] == pytest.approx(np.mean(same), rel=1e-4)
    assert signs["different_distance"] == pytest.approx(np.mean(different), rel=1e-4)
    assert signs["uniformity"] == pytest.approx(np.log(np.mean(np.exp(-2 * np.array(chords)))), rel=1e-4)
    singular = np.linalg.svd(unit - unit.mean(0), compute_uv=False)
    shares = singular / singular.sum()
    assert signs["effective_rank"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-4)
    assert "radius_mid" not in signs


def test_embedding_signs__of_a_batch_without_positives_lack_alignment() -> None:
    ball = create_space({"name": "poincare_ball", "lift": "exp_map"})
    signs = embedding_signs(ball, torch.randn(6, 4), torch.arange(6))
    assert not {"alignment", "same_distance"} & signs.keys()
    assert 0 < signs["radius_low"] <= signs["radius_mid"] <= signs["radius_high"] <= 1


def test_item_signs__are_shares_of_the_rows() -> None:
    gradient = torch.zeros(5, 3)
    gradient[0, 0], gradient[1, 1], gradient[2, 2] = 6.0, -3.0, 0.001
    assert item_signs(gradient) == {"active_share": pytest.approx(2 / 5), "top_item_share": pytest.approx(6 / 9.001)}
    assert item_signs(gradient.fill_(0)) == {"active_share": 0.0}


def test_gradient_signs__count_encoder_and_loss_and_the_first_layer() -> None:
    encoder, loss = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)), nn.Linear(1, 1, bias=False)
    lengths = [3.0, 1.0, 2.0, 1.0, 1.0]
    for parameter, length in zip([*encoder.parameters(), *loss.parameters()], lengths, strict=True):
        parameter.grad = torch.full_like(parameter, length / parameter.numel() ** 0.5)
    signs = gradient_signs(encoder, loss)
    assert signs["gradient_norm"] == pytest.approx(np.linalg.norm(lengths))
    assert signs["first_layer_share"] == pytest.approx(3 / np.linalg.norm(lengths[:-1]))


def test_update_ratio__is_the_change_over_the_weights() -> None:
    layer = nn.Linear(2, 1)
    nn.init.constant_(layer.weight, 2.0)
    nn.init.constant_(layer.bias, 1.0)
    before = [p.detach().clone() for p in layer.parameters()]
    assert update_ratio(before, layer.parameters()) == 0
    nn.init.constant_(layer.bias, 1.3)
    assert update_ratio(before, layer.parameters()) == pytest.approx(0.1)


def test_watch__changes_nothing_however_often_it_looks(
    tiny_tree: dict[str, Any], tiny_run: Path, tmp_path: Path
) -> None:
    train(recipe_from(tiny_tree), tmp_path / "run", watch_every=1)
    ours, theirs = (load(folder / "last").state_dict() for folder in (tmp_path / "run", tiny_run))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_watch__logs_the_signs_of_the_first_step_and_of_every_nth(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    recipe = change(tiny_tree, "loss={name: triplet}", "data.recordings_per_speaker=2", "training.max_steps=11")
    train(recipe, tmp_path / "run", watch_every=5)
    history = read_vitals(tmp_path / "run", recipe, None)
    assert history.steps.tolist() == [0, 4, 9]
    expected = VITALS.keys() - {"dev_eer", "radius_low", "radius_mid", "radius_high"}
    assert history.signs.keys() == expected
    assert all(np.isfinite(history.signs[name]).all() for name in expected - {"loss", "learning_rate", "margin_scale"})
    assert np.isfinite(history.signs["loss"][1:]).all()
    assert (history.signs["same_distance"] > 0).all()
    events = list((tmp_path / "run" / "tensorboard").rglob("events.*"))
    assert b"vital/effective_rank" in events[0].read_bytes()


def dead(embeddings: Tensor, speakers: Tensor) -> Tensor:
    return 0.0 * embeddings.sum() + 1.0


def heard(tree: dict[str, Any], folder: Path, *overrides: str, dead_loss: bool = False) -> str:
    """Train and return what was printed."""
    console = Console(file=io.StringIO(), width=1000)
    build = with_loss(lambda dim, speakers: adapt(dead, dim=dim)) if dead_loss else build_model
    recipe = change(tree, "data.recordings_per_speaker=2", "training.max_steps=9", *overrides)
    try:
        train(recipe, folder, console=console, build=build, watch_every=1)
    except TrainingError as error:
        return f"{console.file.getvalue()}\nSTOPPED {error}"  # pyright: ignore
    return console.file.getvalue()  # pyright: ignore


def test_watch__tells_a_loss_without_a_gradient_once(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    said = heard(tiny_tree, tmp_path / "run", dead_loss=True)
    assert "STOPPED" not in said
    assert said.count("failure: ") == 1
    assert "recordings with a gradient 0 % (healthy: some" in said
    assert (tmp_path / "run" / "run.json").exists()


def test_watch__stops_the_run_when_the_recipe_says_so(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    stop = ("training.stop_on_failure=true", "training.checkpoint_every_steps=1")
    said = heard(tiny_tree, tmp_path / "run", *stop, dead_loss=True)
    stopped = said.partition("STOPPED")[2]
    assert "training.stop_on_failure" in stopped
    assert "margin" in stopped.lower()  # the remedy
    assert not (tmp_path / "run" / "run.json").exists()
    assert not (tmp_path / "run" / "failure.json").exists()
    assert load(tmp_path / "run" / "last") is not None


def test_watch__goes_on_after_a_warning(
    tiny_tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def feed(watch: LiveWatch, step: int, vitals: Mapping[str, float]) -> tuple[Finding, ...]:
        evidence = Evidence("a number", 0.25, "above 1", "%")
        return (Finding("overfitting", "warning", (evidence,)),) if step == 2 else ()

    monkeypatch.setattr(LiveWatch, "feed", feed)
    said = heard(tiny_tree, tmp_path / "run", "training.stop_on_failure=true", "training.max_steps=4")
    assert "step 3, warning: Train and dev go apart: a number 25 % (healthy: above 1)" in said
    assert "STOPPED" not in said

"""What an evaluation reads of a run beside its scores."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_recipes import change

from curvox.bench.evaluating import findings_of, last_vitals, learnt_scalars
from curvox.diagnosis import VitalHistory
from curvox.embedder import load
from curvox.files import tensors_from_file
from curvox.training import train


def history(**signs: list[float]) -> VitalHistory:
    steps = np.arange(len(next(iter(signs.values())))) * 10
    return VitalHistory(steps, {name: np.array(values) for name, values in signs.items()}, (), 10, 100)


def test_last_vitals__are_the_last_that_were_logged() -> None:
    found = last_vitals(history(loss=[3.0, 2.0, math.nan], gradient_norm=[math.nan] * 3, uniformity=[-1.0, -2.0, -3.0]))
    assert found == {"loss": 2.0, "uniformity": -3.0}


def test_findings__are_those_of_the_doctor_beside_the_training() -> None:
    collapsed = history(different_distance=[0.0] * 20, uniformity=[0.0] * 20, effective_rank=[1.0] * 20)
    assert findings_of(collapsed) == ("collapse",)
    healthy = history(different_distance=[1.0] * 20, uniformity=[-3.0] * 20, effective_rank=[30.0] * 20)
    assert findings_of(healthy) == ()


def test_findings__leave_notes_out() -> None:
    dead_radius = history(radius_low=[1.0] * 20, radius_high=[1.0] * 20)
    assert findings_of(dead_radius) == ()


def test_learnt_scalars__are_those_of_space_lift_and_loss(tiny_tree: dict[str, Any], tmp_path: Path) -> None:
    space = "{name: poincare_ball, learn_c: true, lift: exp_map}"
    loss = f"{{name: ham_softmax, scale: 30.0, learn_scale: true, space: {space}}}"
    run = tmp_path / "run"
    train(change(tiny_tree, f"loss={loss}", "training.optimizer.learning_rate=0.05"), run)
    best = tensors_from_file(run / "best" / "model.safetensors")
    last = tensors_from_file(run / "last" / "training.safetensors")
    found = learnt_scalars(run, load(run))
    assert found.keys() == {"c", "gain", "scale"}
    assert found["c"] == pytest.approx(10 ** math.tanh(float(best["space.raw_c"])), rel=1e-6)
    assert found["gain"] == pytest.approx(math.log1p(math.exp(float(best["space.lift.raw_gain"]))), rel=1e-6)
    raw_scale = float(last["state.state_dict.loss.scaling.raw_scale"])
    assert found["scale"] == pytest.approx(30 * 10 ** math.tanh(raw_scale), rel=1e-6)
    assert raw_scale != 0


def test_learnt_scalars__are_none_where_nothing_is_learnt(tiny_run: Path) -> None:
    assert learnt_scalars(tiny_run, load(tiny_run)) == {}

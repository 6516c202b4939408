"""A run watched while it goes on: sure before it speaks, and each cause once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from curvox.diagnosis import CAUSES, VITALS, Finding, LiveWatch

HEALTHY = {
    "loss": 5.0, "effective_rank": 20.0, "alignment": 0.5, "uniformity": -2.5, "same_distance": 0.4,
    "different_distance": 1.4, "active_share": 0.8, "top_item_share": 0.1, "gradient_norm": 3.0,
    "first_layer_share": 0.1, "update_ratio": 2e-3, "learning_rate": 1e-3, "margin_scale": 1.0,
    "radius_low": 0.5, "radius_mid": 0.6, "radius_high": 0.7,
}  # fmt: skip


def watch(logs: Sequence[Mapping[str, float]]) -> list[tuple[int, Finding]]:
    """What is said at which log, each of `HEALTHY` but for what it says."""
    assert all(log.keys() <= VITALS.keys() for log in logs)
    doctor = LiveWatch()
    said = [(place, f) for place, log in enumerate(logs) for f in doctor.feed(10 * place, {**HEALTHY, **log})]
    assert all(finding.cause in CAUSES and finding.evidence for _, finding in said)
    return said


@pytest.mark.parametrize("seed", range(10))
def test_live__says_nothing_of_a_healthy_run(seed: int):
    rng = np.random.default_rng(seed)
    logs = [
        {
            "loss": 10.0 * float(np.exp(-step / 30 + 0.3 * rng.standard_normal())),
            "gradient_norm": 50.0 * float(np.exp(-step / 20 + 0.5 * rng.standard_normal())),
            "update_ratio": 0.02 / (1.0 + step / 5),
        }
        for step in range(100)
    ]
    assert watch(logs) == []


CASES = {
    "collapse": ({"different_distance": 1e-6, "uniformity": -1e-6, "effective_rank": 1.0}, "failure"),
    "frozen_parameters": ({"update_ratio": 0.0}, "failure"),
    "learning_rate_too_low": ({"update_ratio": 1e-8}, "warning"),
    "never_active": ({"active_share": 0.0, "gradient_norm": 0.0, "different_distance": 0.5}, "failure"),
    "dead_radius": ({"radius_low": 0.9, "radius_mid": 0.9, "radius_high": 0.9}, "note"),
}


@pytest.mark.parametrize("cause", CASES)
def test_live__speaks_at_the_third_log_and_once(cause: str):
    signs, severity = CASES[cause]
    said = watch([{}, {}, *[signs] * 8])
    assert [(place, f.cause, f.severity) for place, f in said] == [(4, cause, severity)]


@pytest.mark.parametrize("cause", CASES)
def test_live__a_sign_that_comes_and_goes_is_not_sure(cause: str):
    signs, _ = CASES[cause]
    assert watch([signs if place % 3 else {} for place in range(30)]) == []


@pytest.mark.parametrize("cause", CASES)
def test_live__a_sign_that_is_not_logged_is_no_evidence(cause: str):
    doctor = LiveWatch()
    assert all(doctor.feed(step, {"loss": 1.0, "gradient_norm": float("nan")}) == () for step in range(10))


def test_live__without_a_gradient_nothing_has_to_move():
    still = {"update_ratio": 0.0, "gradient_norm": 0.0}
    assert watch([still] * 10) == []


def test_live__a_solved_batch_without_a_gradient_is_a_note():
    solved = {"active_share": 0.0, "gradient_norm": 0.0, "same_distance": 0.1, "different_distance": 1.5}
    assert [(f.cause, f.severity) for _, f in watch([{}, *[solved] * 5])] == [("never_active", "note")]


def test_live__short_vectors_in_all_directions_have_not_collapsed():
    assert watch([{"different_distance": 1e-6, "uniformity": -2.0}] * 5) == []


def test_live__a_gradient_that_explodes_is_told_at_once():
    logs = [{} for _ in range(20)]
    logs[12] = {"gradient_norm": 1e4}
    assert [(place, f.cause, f.where) for place, f in watch(logs)] == [(12, "exploding_gradient", "step 120")]


def test_live__an_infinite_gradient_explodes():
    logs = [{} for _ in range(12)]
    logs[9] = {"gradient_norm": float("inf")}
    assert [(place, f.cause) for place, f in watch(logs)] == [(9, "exploding_gradient")]


def test_live__a_step_longer_than_the_weights_is_told_at_once():
    said = watch([{"update_ratio": 3.0}, {}, {}])
    assert [(place, f.cause, f.severity) for place, f in said] == [(0, "learning_rate_too_high", "failure")]


def test_live__a_loss_that_rises_with_the_margin_is_a_note():
    ramp = [{"loss": 2.0 + 0.3 * place, "margin_scale": place / 20} for place in range(20)]
    assert [(f.cause, f.severity) for _, f in watch(ramp)] == [("margin_ramp", "note")]
    fixed = [{"loss": 2.0 + 0.3 * place, "margin_scale": 1.0} for place in range(20)]
    assert watch(fixed) == []
    falling = [{"loss": 9.0 - 0.3 * place, "margin_scale": place / 20} for place in range(20)]
    assert watch(falling) == []

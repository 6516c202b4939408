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


def told(logs: Sequence[Mapping[str, float]]) -> list[tuple[int, str, str]]:
    return [(place, finding.cause, finding.severity) for place, finding in watch(logs)]


@pytest.mark.parametrize("cause", CASES)
def test_live__speaks_at_the_third_log_and_once_and_not_of_what_comes_and_goes(cause: str):
    signs, severity = CASES[cause]
    assert told([{}, {}, *[signs] * 8]) == [(4, cause, severity)]
    assert told([signs if place % 3 else {} for place in range(30)]) == []


def test_live__a_sign_that_is_not_logged_is_no_evidence():
    doctor = LiveWatch()
    assert all(doctor.feed(step, {"loss": 1.0, "gradient_norm": float("nan")}) == () for step in range(10))


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        # Without a gradient nothing has to move.
        ({"update_ratio": 0.0, "gradient_norm": 0.0}, []),
        # A solved batch has no gradient, and should not.
        (
            {"active_share": 0.0, "gradient_norm": 0.0, "same_distance": 0.1, "different_distance": 1.5},
            [(3, "never_active", "note")],
        ),
        # Short vectors in all directions have not collapsed.
        ({"different_distance": 1e-6, "uniformity": -2.0}, []),
    ],
)
def test_live__what_looks_like_a_fault_and_is_none(signs: dict[str, float], expected: list[tuple[int, str, str]]):
    assert told([{}, *[signs] * 5]) == expected


@pytest.mark.parametrize("norm", [1e4, float("inf")])
def test_live__a_gradient_that_explodes_is_told_at_once(norm: float):
    said = watch([{"gradient_norm": norm} if place == 12 else {} for place in range(20)])
    assert [(place, f.cause, f.where) for place, f in said] == [(12, "exploding_gradient", "step 120")]


def test_live__a_step_longer_than_the_weights_is_told_at_once():
    assert told([{"update_ratio": 3.0}, {}, {}]) == [(0, "learning_rate_too_high", "failure")]


def test_live__a_loss_that_rises_with_the_margin_is_a_note():
    def ramp(slope: float, share: float) -> list[tuple[int, str, str]]:
        logs = [{"loss": 9.0 + slope * place, "margin_scale": 1.0 - share + share * place / 20} for place in range(20)]
        return told(logs)

    assert [said[1:] for said in ramp(0.3, 1.0)] == [("margin_ramp", "note")]
    assert ramp(0.3, 0.0) == ramp(-0.3, 1.0) == []

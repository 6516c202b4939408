"""What the course of a run shows, from curves drawn by hand and from real trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from tiny_steps import training, voices

from curvox.diagnosis import CAUSES, EpochVitals, VitalHistory
from curvox.diagnosis.diagnosing import history_checks

LOOKED_FOR = {
    "overfitting", "margin_ramp", "learning_rate_too_high", "learning_rate_too_low", "exploding_gradient",
    "vanishing_gradient", "few_items_rule",
}  # fmt: skip


def history(
    signs: Mapping[str, Sequence[float] | np.ndarray] | None = None,
    *,
    eers: Sequence[float] = (),
    losses: Sequence[float] | None = None,
) -> VitalHistory:
    """A history of these signs, logged every ten steps, and of these epochs."""
    signs = signs or {}
    length = max((len(values) for values in signs.values()), default=0)
    epoch_losses = losses if losses is not None else [3.0 / (epoch + 1) for epoch in range(len(eers))]
    epochs = tuple(
        EpochVitals(epoch + 1, loss, eer) for epoch, (loss, eer) in enumerate(zip(epoch_losses, eers, strict=True))
    )
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in signs.items()}
    return VitalHistory(10 * np.arange(length), arrays, epochs, 10, 10 * length)


def found(curves: VitalHistory) -> dict[str, str]:
    checked = history_checks(curves)
    assert {f.cause for f in checked.findings} <= set(checked.causes) <= CAUSES.keys()
    assert all(finding.evidence for finding in checked.findings)
    return {finding.cause: finding.severity for finding in checked.findings}


def healthy(seed: int, logs: int = 40) -> dict[str, np.ndarray]:
    """Signs of a training as it should be, with the noise of small batches."""
    rng = np.random.default_rng(seed)
    time = np.arange(logs) / logs

    def noise(spread: float) -> np.ndarray:
        return np.exp(spread * rng.standard_normal(logs))

    return {
        "loss": 12.0 * np.exp(-4.0 * time) * noise(0.3),
        "gradient_norm": 60.0 * np.exp(-3.0 * time) * noise(0.5),
        "update_ratio": 0.005 * (1.0 - 0.9 * time) * noise(0.1),
        "first_layer_share": 0.2 * noise(0.3),
        "effective_rank": np.full(logs, 12.0),
        "top_item_share": np.minimum(0.05 * np.exp(2.5 * time) * noise(0.2), 1.0),
        "margin_scale": np.ones(logs),
        "learning_rate": 0.002 * (1.0 - 0.9 * time),
    }


def shown(seed: int, **signs: Sequence[float] | np.ndarray) -> dict[str, str]:
    """What healthy curves show of which some were replaced."""
    return found(history({**healthy(seed), **signs}))


def after(start: Sequence[float], usual: float | np.ndarray) -> np.ndarray:
    """A curve of 40 logs that begins like this."""
    return np.concatenate([start, np.broadcast_to(usual, 40)[len(start) :]])


@pytest.mark.parametrize("seed", range(20))
def test_history__healthy_curves_and_a_dev_eer_at_rest_show_nothing(seed: int):
    rng = np.random.default_rng(100 + seed)
    eers = 0.08 + 0.3 * np.exp(-0.4 * np.arange(15)) + 0.008 * rng.standard_normal(15)
    curves = history(healthy(seed), eers=eers.tolist())
    assert found(curves) == {}
    assert set(history_checks(curves).causes) == LOOKED_FOR
    assert found(history(eers=(0.12 + 0.008 * rng.standard_normal(20)).tolist())) == {}


@pytest.mark.parametrize(("rise", "severity"), [(0.06, "warning"), (0.2, "failure")])
def test_overfitting__goes_by_the_rise(rise: float, severity: str):
    down = [0.4, 0.3, 0.22, 0.16, 0.15, 0.15]
    up = [0.15 + rise * share for share in (0.3, 0.6, 0.9, 1.0, 1.0, 1.0)]
    assert found(history(eers=down + up)) == {"overfitting": severity}


def test_overfitting__not_where_the_training_loss_rises_too_nor_by_one_bad_epoch():
    eers = [0.3, 0.2, 0.15, 0.15, 0.2, 0.3, 0.35, 0.4, 0.4]
    losses = [3.0, 2.0, 1.0, 0.9, 1.5, 3.0, 4.0, 4.0, 4.0]
    assert found(history(eers=eers, losses=losses)) == {}
    assert found(history(eers=[0.4, 0.3, 0.2, 0.15, 0.15, 0.15, 0.15, 0.35])) == {}
    checked = history_checks(history(eers=[0.2, 0.3, 0.5]))
    assert any(gap.cause == "overfitting" and "got 3" in gap.why for gap in checked.not_checked)


@pytest.mark.parametrize(("left", "expected"), [(0.1, {"overfitting": "warning"}), (0.5, {})])
def test_overfitting__of_recordings_learnt_by_heart_needs_a_smaller_rise(left: float, expected: dict[str, str]):
    eers = [0.45, 0.42, 0.41, 0.43, 0.445, 0.45, 0.455]
    losses = [3.0, 2.5, 2.0, 1.5, 1.2, left * 2.0, left * 2.0]
    assert found(history(eers=eers, losses=losses)) == expected


@pytest.mark.parametrize("seed", range(5))
def test_margin_ramp__a_loss_that_rises_with_the_margin_is_a_note_and_nothing_else(seed: int):
    scale = np.clip((np.arange(40) - 10) / 20, 0.0, 1.0)
    loss = 2.0 * np.exp(-np.arange(40) / 10) + 9.0 * scale
    assert shown(seed, margin_scale=scale, loss=loss) == {"margin_ramp": "note"}
    assert shown(seed, margin_scale=np.linspace(0.0, 1.0, 40), loss=np.linspace(9.0, 1.0, 40)) == {}


def test_learning_rate_too_high__by_the_length_of_steps():
    usual = healthy(2)["update_ratio"]
    for start, expected in (
        ([0.05] * 3, {"learning_rate_too_high": "warning"}),
        ([0.15] * 3, {"learning_rate_too_high": "failure"}),
        ([2.0], {"learning_rate_too_high": "failure"}),
        ([0.1], {}),  # the first step of Adam, which is of full length
    ):
        assert shown(2, update_ratio=after(start, usual)) == expected


def test_learning_rate_too_high__by_a_loss_above_its_start():
    start = [10.0] * 4 + [60.0, 55.0, 50.0]
    assert shown(3, loss=after(start, 13.0)) == {"learning_rate_too_high": "failure"}
    assert shown(3, loss=after(start, 2.0)) == {}  # it recovered


def test_learning_rate_too_low__by_the_length_of_steps():
    short, nothing = np.full(40, 1e-7), np.zeros(40)
    assert shown(4, update_ratio=short) == {"learning_rate_too_low": "failure"}
    # Without a gradient there is nothing to step along; where nothing moves at all it is no question of length.
    assert "learning_rate_too_low" not in shown(4, update_ratio=short, gradient_norm=nothing)
    assert shown(4, update_ratio=nothing) == {}


def test_exploding_gradient__goes_by_the_spike_and_names_the_step():
    for times, severity in ((60.0, "warning"), (1e4, "failure")):
        signs = healthy(5)
        signs["gradient_norm"][25] = times * signs["gradient_norm"][:5].max()
        (finding,) = history_checks(history(signs)).findings
        assert (finding.cause, finding.severity, finding.where) == ("exploding_gradient", severity, "step 250")


def test_exploding_gradient__the_last_active_triplets_are_none():
    """Late in training most batches have no gradient at all, and the next has that of a few triplets."""
    time = np.arange(40)
    assert shown(6, gradient_norm=after([4.0] * 5, np.where(time % 6 == 5, 3.0, 1e-6))) == {}
    assert shown(6, gradient_norm=np.where(time % 5 == 0, 3.0, 0.0)) == {}


def test_vanishing_gradient__by_the_first_layers():
    assert shown(7, first_layer_share=np.full(40, 1e-7)) == {"vanishing_gradient": "failure"}
    # At zero they may be frozen, which is not for this check to say.
    checked = history_checks(history({**healthy(7), "first_layer_share": np.zeros(40)}))
    assert checked.findings == ()
    assert any(gap.cause == "vanishing_gradient" for gap in checked.not_checked)


def test_few_items_rule__of_the_first_batches_only():
    late = np.repeat([0.05, 0.95], 20)
    assert shown(8, top_item_share=late) == {}
    assert shown(8, top_item_share=late[::-1]) == {"few_items_rule": "failure"}


@pytest.mark.parametrize(("items", "rank"), [(4, 12.0), (None, 3.2)])
def test_few_items_rule__needs_to_know_of_a_large_batch(items: int | None, rank: float):
    curves = history({**healthy(8), "top_item_share": np.full(40, 0.6), "effective_rank": np.full(40, rank)})
    checked = history_checks(curves, items=items)
    assert checked.findings == ()
    assert any(gap.cause == "few_items_rule" for gap in checked.not_checked)
    assert history_checks(curves, items=32).findings[0].cause == "few_items_rule"


def test_history__without_logs_says_what_is_missing():
    checked = history_checks(history())
    assert checked.causes == ()
    assert {gap.cause for gap in checked.not_checked} == LOOKED_FOR
    assert all(gap.why for gap in checked.not_checked)


@pytest.mark.parametrize(("rate", "expected"), [(2e-3, {}), (1.0, {"learning_rate_too_high": "failure"})])
def test_history__of_a_real_training(rate: float, expected: dict[str, str]):
    setup = training(1, learning_rate=rate)
    losses, ratios = [], []
    for step in range(12):
        before = [p.detach().clone() for p in setup.encoder.parameters()]
        with torch.no_grad():
            x, speakers = voices(step)
            losses.append(float(setup.loss(setup.encoder(x), speakers).value))
        setup.run(1, seed=step)
        change = [p.detach() - b for p, b in zip(setup.encoder.parameters(), before, strict=True)]
        ratios.append(float(nn_norm(change) / nn_norm(before)))
    assert found(history({"loss": losses, "update_ratio": ratios})) == expected


def nn_norm(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack([tensor.norm() for tensor in tensors]).norm()

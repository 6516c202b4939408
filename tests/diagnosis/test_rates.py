"""A learning rate that does not fit, told by steps of other lengths."""

from __future__ import annotations

import pytest
import torch
from tiny_steps import found, severities, training

from curvox.diagnosis.diagnosing import step_checks


@pytest.mark.parametrize("loss", ["softmax", "am_softmax", "triplet", "gaussian_kl"])
@pytest.mark.parametrize("rate", [30.0, 1000.0])
def test_learning_rate_too_high__from_the_first_step(loss: str, rate: float):
    assert found(training(2, loss=loss, learning_rate=rate)).keys() == {"learning_rate_too_high"}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("optimizer", "rate"), [(torch.optim.Adam, 10.0), (torch.optim.SGD, 300.0)])
def test_learning_rate_too_high__after_a_run(seed: int, optimizer: type[torch.optim.Optimizer], rate: float):
    setup = training(seed, learning_rate=rate, optimizer=optimizer).run(12)
    assert found(setup)["learning_rate_too_high"] == "failure"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("loss", "rate"), [("am_softmax", 1e-7), ("triplet", 1e-7), ("ham_softmax", 1e-6)])
def test_learning_rate_too_low__is_named_with_one_that_fits(seed: int, loss: str, rate: float):
    setup = training(seed, loss=loss, learning_rate=rate).run(10)
    checked = step_checks(setup.probe(), setup.loss)
    assert severities(checked) == {"learning_rate_too_low": "failure"}
    fitting = checked.findings[0].evidence[-1].value
    assert 1e-4 <= fitting <= 1.0


@pytest.mark.parametrize("loss", ["am_softmax", "triplet"])
def test_learning_rate_too_low__not_at_the_end_of_a_good_training(loss: str):
    setup = training(5, loss=loss, learning_rate=1e-2).run(30)
    setup.learning_rate = 1e-5
    assert found(setup) == {}


def test_learning_rate_too_low__needs_to_know_the_start():
    setup = training(0, learning_rate=1e-7).run(5)
    checked = step_checks(setup.probe(initial=None), setup.loss)
    assert severities(checked) == {}
    assert "start" in next(gap.why for gap in checked.not_checked if gap.cause == "learning_rate_too_low")


def test_learning_rates__need_weights_that_train():
    setup = training(0, change=lambda *parts: [part.requires_grad_(False) for part in parts])
    checked = step_checks(setup.probe(), setup.loss)
    assert severities(checked) == {"frozen_parameters": "failure"}
    assert {"learning_rate_too_high", "learning_rate_too_low"} <= {gap.cause for gap in checked.not_checked}

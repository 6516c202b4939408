"""A learning rate that does not fit, told by steps of other lengths."""

from __future__ import annotations

import pytest
import torch
from tiny_steps import checked, found, severities, training, why_not


@pytest.mark.parametrize("loss", ["softmax", "am_softmax", "triplet", "gaussian_kl"])
@pytest.mark.parametrize("rate", [30.0, 1000.0])
def test_learning_rate_too_high__from_the_first_step(loss: str, rate: float):
    assert found(training(2, loss=loss, learning_rate=rate)).keys() == {"learning_rate_too_high"}


@pytest.mark.parametrize(("optimizer", "rate"), [(torch.optim.Adam, 10.0), (torch.optim.SGD, 300.0)])
def test_learning_rate_too_high__after_a_run(optimizer: type[torch.optim.Optimizer], rate: float):
    setup = training(1, learning_rate=rate, optimizer=optimizer).run(12)
    assert found(setup)["learning_rate_too_high"] == "failure"


@pytest.mark.parametrize(("loss", "rate"), [("am_softmax", 1e-7), ("triplet", 1e-7), ("ham_softmax", 1e-6)])
def test_learning_rate_too_low__is_named_with_one_that_fits(loss: str, rate: float):
    shown = checked(training(1, loss=loss, learning_rate=rate).run(10))
    assert severities(shown) == {"learning_rate_too_low": "failure"}
    assert 1e-4 <= shown.findings[0].evidence[-1].value <= 1.0


@pytest.mark.parametrize("loss", ["am_softmax", "triplet"])
def test_learning_rate_too_low__not_at_the_end_of_a_good_training(loss: str):
    setup = training(5, loss=loss, learning_rate=1e-2).run(30)
    setup.learning_rate = 1e-5
    assert found(setup) == {}


def test_learning_rate_too_low__needs_to_know_the_start():
    shown = checked(training(0, learning_rate=1e-7).run(5), initial=None)
    assert severities(shown) == {}
    assert "start" in why_not(shown, "learning_rate_too_low")


def test_learning_rates__need_weights_that_train():
    shown = checked(training(0, change=lambda *parts: [part.requires_grad_(False) for part in parts]))
    assert severities(shown) == {"frozen_parameters": "failure"}
    assert why_not(shown, "learning_rate_too_high") == why_not(shown, "learning_rate_too_low") != ""

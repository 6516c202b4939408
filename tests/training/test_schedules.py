"""Learning rate and margin over the steps."""

import math
from itertools import pairwise

import pytest
import torch

from curvox.training.recipe.recipe import MarginRecipe, ScheduleRecipe
from curvox.training.step.building import learning_rate_factor, margin_scale

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

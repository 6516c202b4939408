"""Learning rate and margin over the steps."""

import math
from itertools import pairwise

import pytest

from curvox.training.recipe import MarginRecipe, ScheduleRecipe
from curvox.training.schedules import learning_rate_factor, margin_scale

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

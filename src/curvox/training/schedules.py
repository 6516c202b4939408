"""What changes over a run, as pure functions of the step: learning rate and margin."""

from __future__ import annotations

import math

from curvox.training.recipe import MarginRecipe, ScheduleRecipe


def learning_rate_factor(
    step: int, *, schedule: ScheduleRecipe, learning_rate: float, steps_per_epoch: int, total_steps: int
) -> float:
    """Return the factor on ``learning_rate`` at optimiser step ``step`` (0-based).

    Warm-up is linear and never zero; the fall then reaches ``final_learning_rate`` at the last step.
    """
    warmup = schedule.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / math.ceil(warmup + 1)
    final = schedule.final_learning_rate / learning_rate
    progress = min(1.0, (step - warmup) / max(1.0, total_steps - 1 - warmup))
    if schedule.name == "cosine":
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))
    if schedule.name == "exponential":
        return final**progress
    return 1.0


def margin_scale(step: int, *, warmup: MarginRecipe, steps_per_epoch: int) -> float:
    """Return the share of the full margin that holds at optimiser step ``step`` (0-based), in [0, 1]."""
    start, end = warmup.start_epoch * steps_per_epoch, warmup.end_epoch * steps_per_epoch
    if step >= end:
        return 1.0
    if step < start:
        return 0.0
    return (step - start) / (end - start)

"""What changes over a run, as pure functions of the step: learning rate and margin."""

from __future__ import annotations

import math

from curvox.training.recipe import MarginRecipe, ScheduleRecipe


def learning_rate_factor(
    step: int, *, schedule: ScheduleRecipe, learning_rate: float, steps_per_epoch: int, total_steps: int
) -> float:
    """Return the factor on ``learning_rate`` at optimiser step ``step`` (0-based).

    Warm-up is linear and never zero. Then cosine and exponential fall a little every step and reach
    ``final_learning_rate`` at the last one; step falls by ``decay_per_epoch`` at the end of each epoch.
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
    if schedule.decay_per_epoch is not None:
        return schedule.decay_per_epoch ** math.floor((step - warmup) / steps_per_epoch)
    return 1.0


def margin_scale(step: int, *, warmup: MarginRecipe, steps_per_epoch: int) -> float:
    """Return the share of the full margin that holds at optimiser step ``step`` (0-based), in [0, 1].

    The exponential rise is 1 - 0.001^p at the share p of the way, as in WeSpeaker (Wang et al. 2023, arXiv:2210.17016);
    its last thousandth comes at the end.
    """
    start, end = warmup.start_epoch * steps_per_epoch, warmup.end_epoch * steps_per_epoch
    if step >= end:
        return 1.0
    if step < start:
        return 0.0
    progress = (step - start) / (end - start)
    return progress if warmup.shape == "linear" else 1.0 - 0.001**progress

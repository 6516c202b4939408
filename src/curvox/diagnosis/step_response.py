"""What one step of the optimiser does to the loss of the very batch it was computed from, for steps of many lengths."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

MOST_EXTRA = 3
"""Steps ten times as long, or as short, that are added while the longest does not raise the loss, or the shortest does
not lower it."""

IN_THE_VALLEY = 0.3
"""A hundredth of a step does a small part of what the best step does, unless all steps are too long."""

NO_RISE = 0.02
"""A loss that mines its pairs jumps by so much for the smallest step."""


def step_responses(
    make_optimizer: Callable[[], torch.optim.Optimizer],
    named: Mapping[str, nn.Parameter],
    gradients: Mapping[str, Tensor],
    evaluate: Callable[[], float],
    restore: Callable[[], None],
    *,
    value: float,
    learning_rate: float,
    multiples: tuple[float, ...],
    clip_gradient_norm: float | None,
) -> dict[float, float]:
    """Return the loss after one step with ``learning_rate`` times each of ``multiples``, infinite where it is lost.

    Where the longest step does not raise the loss, longer ones are tried too; where the shortest does not lower it by
    less than others, as short steps do, shorter ones.
    """
    clipped = _clipped(gradients, clip_gradient_norm)

    def after(multiple: float) -> float:
        restore()
        _step(make_optimizer(), named, clipped, learning_rate * multiple)
        with torch.no_grad():
            return evaluate()

    found = {multiple: after(multiple) for multiple in sorted(multiples)}
    extra = MOST_EXTRA if any(bool(gradient.any()) for gradient in gradients.values()) else 0
    for _ in range(extra):
        longest = max(found)
        if not found[longest] <= value + NO_RISE * abs(value):
            break
        found[10 * longest] = after(10 * longest)
    for _ in range(extra):
        shortest = min(found)
        fall = value - found[shortest]
        if 0 < fall < IN_THE_VALLEY * (value - min(found.values())):
            break
        found[shortest / 10] = after(shortest / 10)
    restore()
    return dict(sorted(found.items()))


def rates_of(optimizer: torch.optim.Optimizer, named: Mapping[str, nn.Parameter]) -> dict[str, float]:
    """Return the learning rate that ``optimizer`` has for each parameter it holds, by name."""
    names = {id(parameter): name for name, parameter in named.items()}
    return {
        names[id(parameter)]: float(group["lr"])
        for group in optimizer.param_groups
        for parameter in group["params"]
        if id(parameter) in names
    }


def _clipped(gradients: Mapping[str, Tensor], limit: float | None) -> dict[str, Tensor]:
    if limit is None or not gradients:
        return dict(gradients)
    norm = torch.stack([gradient.norm() for gradient in gradients.values()]).norm()
    factor = float((limit / (norm + 1e-6)).clamp(max=1.0))
    return {name: gradient * factor for name, gradient in gradients.items()}


def _step(
    optimizer: torch.optim.Optimizer,
    named: Mapping[str, nn.Parameter],
    gradients: Mapping[str, Tensor],
    learning_rate: float,
) -> None:
    """Take one step; the optimiser, which may be the run's own, is afterwards what it was."""
    rates = rates_of(optimizer, named)
    usual = max((rate for name, rate in rates.items() if name.startswith("encoder.")), default=0.0)
    usual = usual or max(rates.values(), default=0.0)
    groups = [dict(group) for group in optimizer.param_groups]
    state = {parameter: copy.deepcopy(values) for parameter, values in optimizer.state.items()}
    for group in optimizer.param_groups:
        group["lr"] = float(group["lr"]) * (learning_rate / usual if usual else 0.0)
    for name, parameter in named.items():
        gradient = gradients.get(name)
        parameter.grad = gradient.clone() if gradient is not None and parameter.requires_grad else None
    optimizer.step()
    for parameter in named.values():
        parameter.grad = None
    for group, before in zip(optimizer.param_groups, groups, strict=True):
        group.update(before)
    optimizer.state.clear()
    optimizer.state.update(state)

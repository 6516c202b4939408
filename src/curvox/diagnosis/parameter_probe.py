"""What a training step finds of each parameter: size, gradient, whether it trains, how far it went."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from curvox.diagnosis.observation import ParameterProbe
from curvox.errors import InputError

MOST_TRIALS = 12
"""Forward passes spent on parameters without a gradient; groups that are not told apart by then count as one."""

PERTURBATION = 0.3
"""A parameter without a gradient is changed by this share of its size, to see whether anything depends on it."""

NO_CHANGE = 1e-5
"""Relative change of embeddings or loss that is rounding: far below what a change by a third of a weight does."""


def named_parameters(encoder: nn.Module, loss: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters of both by dotted name, "encoder." first; one that both hold is the encoder's."""
    named: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for part, module in (("encoder", encoder), ("loss", loss)):
        for name, parameter in module.named_parameters():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                named[f"{part}.{name}"] = parameter
    return named


def probe_parameters(
    named: Mapping[str, nn.Parameter],
    gradients: Mapping[str, Tensor],
    *,
    trained: Collection[str],
    detached: Collection[str],
    initial: Mapping[str, Tensor] | None,
) -> tuple[ParameterProbe, ...]:
    """Measure each parameter.

    Raises:
        InputError: ``initial`` has a tensor of another shape.
    """
    return tuple(
        ParameterProbe(
            name,
            parameter.numel(),
            float(parameter.detach().double().norm()),
            # What a gradient never reaches although the loss depends on it has a gradient of nothing, not none.
            float(gradients[name].double().norm()) if name in gradients else (0.0 if name in detached else None),
            name in trained,
            None if initial is None or name not in initial else _moved(name, parameter, initial[name]),
            name in detached,
        )
        for name, parameter in named.items()
    )


def _moved(name: str, now: Tensor, start: Tensor) -> float:
    if now.shape != start.shape:
        raise InputError(
            f"initial weights must have the shapes of the model's, got {tuple(start.shape)} for {name}, which is "
            f"{tuple(now.shape)}; build them with the recipe and seed of the run"
        )
    start = start.detach().to(now.device).double()
    # what starts at zero is measured against weights of one
    return float((now.detach().double() - start).norm()) / (float(start.norm()) or math.sqrt(now.numel()))


@torch.no_grad()
def find_detached(
    candidates: Sequence[str],
    named: Mapping[str, nn.Parameter],
    evaluate: Callable[[], Tensor],
    restore: Callable[[], None],
) -> frozenset[str]:
    """Find those of ``candidates``, which have no gradient, on which the loss depends nonetheless.

    Each is changed by about a third; parameters of one module are changed together.

    Args:
        candidates: names in ``named``.
        named: all parameters.
        evaluate: returns embeddings and loss in one vector.
        restore: puts weights, buffers and the state of chance back.
    """
    restore()
    before = evaluate()
    owners: dict[str, list[str]] = {}
    for name in candidates:
        owners.setdefault(name.rpartition(".")[0], []).append(name)
    groups, found, trials = [list(owners.values())] if owners else [], set[str](), 0
    while groups:
        group = groups.pop(0)
        names = [name for owner in group for name in owner]
        if trials < MOST_TRIALS:
            trials += 1
            if not _matters(names, named, evaluate, restore, before):
                continue
            if len(group) > 1:
                half = len(group) // 2
                groups += [group[:half], group[half:]]
                continue
        found.update(names)
    return frozenset(found)


def _matters(
    names: Sequence[str],
    named: Mapping[str, nn.Parameter],
    evaluate: Callable[[], Tensor],
    restore: Callable[[], None],
    before: Tensor,
) -> bool:
    generator = torch.Generator().manual_seed(0)
    for name in names:
        parameter = named[name]
        noise = torch.randn(parameter.shape, generator=generator).to(parameter)
        parameter.add_(PERTURBATION * noise * (parameter.square().mean().sqrt() + 1e-3))
    change = (evaluate() - before).norm()
    restore()
    return not bool(change <= NO_CHANGE * before.norm())

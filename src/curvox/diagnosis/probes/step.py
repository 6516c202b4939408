"""One training step, measured: gradients, how far each weight went, what steps of other lengths would do."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from curvox.diagnosis.observation import Origin, ParameterProbe, StepProbe
from curvox.diagnosis.probes.kept_state import KeptWeights, kept_state
from curvox.diagnosis.probes.origin import ActivationWatch, find_origin
from curvox.errors import InputError, require_positive
from curvox.losses import AbstractLoss

MOST_EXTRA = 3
"""Steps ten times as long, or as short, that are added while the longest does not raise the loss, or the shortest does
not lower it."""

IN_THE_VALLEY = 0.3
"""A hundredth of a step does a small part of what the best step does, unless all steps are too long."""

NO_RISE = 0.02
"""A loss that mines its pairs jumps by so much for the smallest step."""

MOST_TRIALS = 12
"""Forward passes spent on parameters without a gradient; groups that are not told apart by then count as one."""

PERTURBATION = 0.3
"""A parameter without a gradient is changed by this share of its size, to see whether anything depends on it."""

NO_CHANGE = 1e-5
"""Relative change of embeddings or loss that is rounding: far below what a change by a third of a weight does."""


def probe_step(
    embed: Callable[[], Tensor],
    encoder: nn.Module,
    loss: nn.Module,
    speakers: Tensor,
    make_optimizer: Callable[[], torch.optim.Optimizer],
    *,
    learning_rate: float,
    items: tuple[str, ...] = (),
    initial: Mapping[str, Tensor] | None = None,
    trained: Collection[str] | None = None,
    batches_with_positives: float | None = None,
    precision: str = "32-true",
    clip_gradient_norm: float | None = None,
    multiples: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0),
) -> StepProbe:
    """Measure one training step, at the cost of about ten of them.

    Both modules are put into training mode for it. Afterwards weights, buffers, gradients, modes and the state of
    torch's chance are bit for bit what they were.

    Args:
        embed: computes raw embeddings (B, D) of one fixed batch by ``encoder``, with a gradient, the same each time
            but for torch's chance.
        encoder: what ``embed`` runs; its parameters are named "encoder.…".
        loss: takes (embeddings, speakers) and returns a scalar or what has it as ``value``; "loss.…".
        speakers: (B,).
        make_optimizer: returns the optimiser of the run over the parameters of both, with its state where it has one.
            Only the ratios of its learning rates count.
        learning_rate: the highest of the schedule, of the encoder.
        items: names of the B recordings.
        initial: weights at the start of the run, by name; without it nothing is known of how far they went.
        trained: names of the parameters that the run's optimiser had; None asks that of ``make_optimizer``.
        batches_with_positives: share of the run's batches in which some speaker comes twice.
        precision: as the recipe has it; the probe itself is in the precision of the weights.
        clip_gradient_norm: as the recipe has it.
        multiples: of the learning rate, for which the response is measured; shorter and longer ones may be added.

    Raises:
        InputError: not a batch, or the loss refuses it.
    """
    require_positive(learning_rate, "learning_rate")
    with kept_state([encoder, loss]) as kept:
        encoder.train()
        loss.train()
        modules = nn.ModuleDict({"encoder": encoder, "loss": loss})
        step = _Step(embed, modules, loss, speakers, dict(modules.named_parameters()), kept)
        rates = step.rates_of(make_optimizer())
        wanted = {name for name, rate in rates.items() if rate > 0} if trained is None else set(trained)
        trains = {name for name, parameter in step.named.items() if parameter.requires_grad and name in wanted}
        found = step.measure()
        response, detached = dict[float, float](), frozenset[str]()
        if found.finite:
            detached = step.find_detached([name for name in step.named if name not in found.gradients])
            moving = {name: gradient for name, gradient in found.gradients.items() if name in trains}
            moving = _clipped(moving, clip_gradient_norm)
            response = step.responses(make_optimizer, moving, found.value, learning_rate, multiples)
        kept.restore()
        parameters = step.parameters(found.gradients, trains, detached, initial or {})
    return StepProbe(
        found.value,
        found.raw,
        speakers.detach().cpu(),
        found.gradient,
        item_influence=found.gradient.norm(dim=1),
        parameters=parameters,
        learning_rate=learning_rate,
        response=response,
        items=items,
        batches_with_positives=batches_with_positives,
        dtype_maximum=found.maximum,
        precision=precision,
        origin=found.origin,
    )


@dataclass(frozen=True)
class _Found:
    value: float
    raw: Tensor
    gradient: Tensor
    gradients: dict[str, Tensor]
    maximum: float
    origin: Origin | None = None

    @property
    def finite(self) -> bool:
        tensors = (self.raw, self.gradient, *self.gradients.values())
        return math.isfinite(self.value) and all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


@dataclass(frozen=True)
class _Step:
    """The step: forward and backward from the kept weights, and what else can be asked there.

    Parameters are named as `modules` has them; one that encoder and loss share is the encoder's.
    """

    embed: Callable[[], Tensor]
    modules: nn.ModuleDict
    loss: nn.Module
    speakers: Tensor
    named: dict[str, nn.Parameter]
    kept: KeptWeights

    def value(self, raw: Tensor) -> Tensor:
        """The scalar that the loss makes of raw embeddings."""
        output = self.loss(raw, self.speakers)
        return output if isinstance(output, Tensor) else output.value

    def value_or_nan(self, raw: Tensor) -> Tensor:
        """As ``value``, but NaN where a loss refuses embeddings that are not finite."""
        try:
            return self.value(raw)
        except InputError:
            if bool(torch.isfinite(raw.square().sum())):
                raise
            return raw.new_tensor(math.nan)

    def measure(self) -> _Found:
        """Forward and backward, with a gradient for every parameter, whether it trains or not; where numbers were lost,
        the origin of that."""
        for parameter in self.named.values():
            parameter.requires_grad_(True)
        found = self._forth_and_back()
        if found.finite:
            return found
        self.kept.restore()
        origin = find_origin(lambda: self.value(self.embed()), self.modules, items=len(self.speakers))
        return replace(found, origin=origin)

    def _forth_and_back(self) -> _Found:
        watch = ActivationWatch()
        with watch:
            raw = self.embed()
        if raw.ndim != 2 or len(raw) != len(self.speakers):
            expected = f"embed must return embeddings ({len(self.speakers)}, D), a row for each of the speakers"
            raise InputError(f"{expected}, got {tuple(raw.shape)}")
        # The loss's own rows of the gradient, also where nothing leads on into the encoder.
        leaf = raw.detach().requires_grad_(True)
        # The losses of curvox compute in float32 under autocast too.
        with nullcontext() if any(isinstance(part, AbstractLoss) for part in self.loss.modules()) else watch:
            value = self.value_or_nan(leaf)
        if value.requires_grad:
            value.backward()
        if raw.requires_grad and leaf.grad is not None:
            raw.backward(leaf.grad)
        gradients = {name: p.grad.detach().clone() for name, p in self.named.items() if p.grad is not None}
        gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        return _Found(
            float(value.detach()), raw.detach().float().cpu(), gradient.detach().float().cpu(), gradients, watch.maximum
        )

    def parameters(
        self,
        gradients: Mapping[str, Tensor],
        trained: Collection[str],
        detached: Collection[str],
        initial: Mapping[str, Tensor],
    ) -> tuple[ParameterProbe, ...]:
        """Size, gradient and way of each parameter."""
        return tuple(
            ParameterProbe(
                name,
                parameter.numel(),
                float(parameter.detach().double().norm()),
                # What a gradient never reaches although the loss depends on it has a gradient of nothing, not none.
                float(gradients[name].double().norm()) if name in gradients else (0.0 if name in detached else None),
                name in trained,
                _moved(name, parameter, initial[name]) if name in initial else None,
                name in detached,
            )
            for name, parameter in self.named.items()
        )

    @torch.no_grad()
    def find_detached(self, candidates: Sequence[str]) -> frozenset[str]:
        """Find those of ``candidates``, which have no gradient, on which the loss depends nonetheless.

        Each is changed by about a third. All are changed together at first; groups that matter are halved, down to
        those of one module.
        """
        if not candidates:
            return frozenset()
        self.kept.restore()
        before = self._outcome()
        owners: dict[str, list[str]] = {}
        for name in candidates:
            owners.setdefault(name.rpartition(".")[0], []).append(name)
        groups, found, trials = [list(owners.values())], set[str](), 0
        while groups:
            group = groups.pop(0)
            names = [name for owner in group for name in owner]
            if trials < MOST_TRIALS:
                trials += 1
                if not self._matters(names, before):
                    continue
                if len(group) > 1:
                    half = len(group) // 2
                    groups += [group[:half], group[half:]]
                    continue
            found.update(names)
        return frozenset(found)

    def _matters(self, names: Sequence[str], before: Tensor) -> bool:
        generator = torch.Generator().manual_seed(0)
        for name in names:
            parameter = self.named[name]
            noise = torch.randn(parameter.shape, generator=generator).to(parameter)
            parameter.add_(PERTURBATION * noise * (parameter.square().mean().sqrt() + 1e-3))
        change = (self._outcome() - before).norm()
        self.kept.restore()
        return not bool(change <= NO_CHANGE * before.norm())

    def _outcome(self) -> Tensor:
        """Embeddings and loss with the weights of now, in one vector."""
        raw = self.embed()
        return torch.cat([raw.detach().double().flatten(), self.value_or_nan(raw).detach().double().reshape(1)])

    def responses(
        self,
        make_optimizer: Callable[[], torch.optim.Optimizer],
        gradients: Mapping[str, Tensor],
        value: float,
        learning_rate: float,
        multiples: tuple[float, ...],
    ) -> dict[float, float]:
        """The loss after one step with ``learning_rate`` times each of ``multiples``, infinite where it is lost.

        Where the longest step does not raise the loss, longer ones are tried too; where the shortest does not lower it
        by less than others, as short steps do, shorter ones.
        """

        def after(multiple: float) -> float:
            self.kept.restore()
            self._take_step(make_optimizer(), gradients, learning_rate * multiple)
            with torch.no_grad():
                now = float(self.value_or_nan(self.embed()).detach())
            return now if math.isfinite(now) else math.inf

        found = {multiple: after(multiple) for multiple in sorted(multiples)}
        extra = MOST_EXTRA if any(bool(gradient.any()) for gradient in gradients.values()) else 0
        for _ in range(extra):
            longest = max(found)
            if not found[longest] <= value + NO_RISE * abs(value):
                break
            found[10 * longest] = after(10 * longest)
        for _ in range(extra):
            shortest = min(found)
            if 0 < value - found[shortest] < IN_THE_VALLEY * (value - min(found.values())):
                break
            found[shortest / 10] = after(shortest / 10)
        self.kept.restore()
        return dict(sorted(found.items()))

    def rates_of(self, optimizer: torch.optim.Optimizer) -> dict[str, float]:
        """The learning rate that ``optimizer`` has for each parameter it holds, by name."""
        names = {parameter: name for name, parameter in self.named.items()}
        held = ((parameter, group["lr"]) for group in optimizer.param_groups for parameter in group["params"])
        return {names[parameter]: float(rate) for parameter, rate in held if parameter in names}

    def _take_step(self, optimizer: torch.optim.Optimizer, gradients: Mapping[str, Tensor], rate: float) -> None:
        """Take one step; the optimiser, which may be the run's own, is afterwards what it was."""
        rates = self.rates_of(optimizer)
        usual = max((rate for name, rate in rates.items() if name.startswith("encoder.")), default=0.0)
        usual = usual or max(rates.values(), default=0.0)
        groups = [dict(group) for group in optimizer.param_groups]
        state = {parameter: copy.deepcopy(values) for parameter, values in optimizer.state.items()}
        for group in optimizer.param_groups:
            group["lr"] = float(group["lr"]) * (rate / usual if usual else 0.0)
        for name, parameter in self.named.items():
            gradient = gradients.get(name)
            parameter.grad = None if gradient is None else gradient.clone()
        optimizer.step()
        for parameter in self.named.values():
            parameter.grad = None
        for group, before in zip(optimizer.param_groups, groups, strict=True):
            group.update(before)
        optimizer.state.clear()
        optimizer.state.update(state)


def _moved(name: str, now: Tensor, start: Tensor) -> float:
    if now.shape != start.shape:
        raise InputError(
            f"initial weights must have the shapes of the model's, got {tuple(start.shape)} for {name}, which is "
            f"{tuple(now.shape)}; build them with the recipe and seed of the run"
        )
    start = start.detach().to(now.device).double()
    # what starts at zero is measured against weights of one
    return float((now.detach().double() - start).norm()) / (float(start.norm()) or math.sqrt(now.numel()))


def _clipped(gradients: Mapping[str, Tensor], limit: float | None) -> dict[str, Tensor]:
    if limit is None or not gradients:
        return dict(gradients)
    norm = torch.stack([gradient.norm() for gradient in gradients.values()]).norm()
    factor = float((limit / (norm + 1e-6)).clamp(max=1.0))
    return {name: gradient * factor for name, gradient in gradients.items()}

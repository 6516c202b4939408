"""One training step, measured: gradients, how far each weight went, what steps of other lengths would do."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from curvox.diagnosis.activation_watch import ActivationWatch
from curvox.diagnosis.kept_state import KeptWeights, kept_state
from curvox.diagnosis.observation import StepProbe
from curvox.diagnosis.origin import Origin, find_origin
from curvox.diagnosis.parameter_probe import find_detached, named_parameters, probe_parameters
from curvox.diagnosis.step_response import rates_of, step_responses
from curvox.errors import InputError, require_positive
from curvox.losses import AbstractLoss


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
        step = _Step(embed, encoder, loss, speakers, named_parameters(encoder, loss), kept)
        rates = rates_of(make_optimizer(), step.named)
        wanted = {name for name, rate in rates.items() if rate > 0} if trained is None else set(trained)
        trains = {name for name, parameter in step.named.items() if parameter.requires_grad and name in wanted}
        found = step.measure()
        response: dict[float, float] = {}
        detached: frozenset[str] = frozenset()
        if found.finite:
            without = [name for name in step.named if name not in found.gradients]
            detached = find_detached(without, step.named, step.outcome, kept.restore) if without else detached
            response = step_responses(
                make_optimizer, step.named, {n: g for n, g in found.gradients.items() if n in trains},
                step.value_now, kept.restore, value=found.value, learning_rate=learning_rate, multiples=multiples,
                clip_gradient_norm=clip_gradient_norm,
            )  # fmt: skip
        kept.restore()
        parameters = probe_parameters(step.named, found.gradients, trained=trains, detached=detached, initial=initial)
    influence = found.gradient.norm(dim=1)
    return StepProbe(
        found.value, found.raw, speakers.detach().cpu(), found.gradient, influence, parameters, learning_rate, response,
        items, batches_with_positives, found.maximum, precision, found.origin,
    )  # fmt: skip


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
    """The step: forward and backward from the kept weights."""

    embed: Callable[[], Tensor]
    encoder: nn.Module
    loss: nn.Module
    speakers: Tensor
    named: dict[str, nn.Parameter]
    kept: KeptWeights

    def measure(self) -> _Found:
        """Forward, backward and, where numbers were lost, the origin of that."""
        required = {name: parameter.requires_grad for name, parameter in self.named.items()}
        try:
            for parameter in self.named.values():
                parameter.requires_grad_(True)
            found = self._forth_and_back()
            return found if found.finite else replace(found, origin=self._origin())
        finally:
            for name, parameter in self.named.items():
                parameter.requires_grad_(required[name])
                parameter.grad = None

    def _forth_and_back(self) -> _Found:
        watch = ActivationWatch()
        with watch:
            raw = self.embed()
        self._check(raw)
        # the loss's own rows of the gradient, also where nothing leads on into the encoder
        leaf = raw.detach().requires_grad_(True)
        # the losses of curvox compute in float32 under autocast too
        with nullcontext() if any(isinstance(part, AbstractLoss) for part in self.loss.modules()) else watch:
            value = self._value_or_nan(leaf)
        if value.requires_grad:
            value.backward()
        if raw.requires_grad and leaf.grad is not None:
            raw.backward(leaf.grad)
        gradients = {name: p.grad.detach().clone() for name, p in self.named.items() if p.grad is not None}
        gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        return _Found(
            float(value.detach()), raw.detach().float().cpu(), gradient.detach().float().cpu(), gradients, watch.maximum
        )

    def _check(self, raw: Tensor) -> None:
        if raw.ndim != 2 or len(raw) != len(self.speakers):
            raise InputError(
                f"embed must return embeddings ({len(self.speakers)}, D), a row for each of the speakers, "
                f"got {tuple(raw.shape)}"
            )

    def value(self, raw: Tensor) -> Tensor:
        """The scalar that the loss makes of raw embeddings."""
        output = self.loss(raw, self.speakers)
        return output if isinstance(output, Tensor) else output.value

    def _value_or_nan(self, raw: Tensor) -> Tensor:
        """As ``value``, but NaN where a loss refuses embeddings that are not finite."""
        try:
            return self.value(raw)
        except InputError:
            if bool(torch.isfinite(raw.square().sum())):
                raise
            return raw.new_tensor(math.nan)

    def _origin(self) -> Origin | None:
        self.kept.restore()
        modules = nn.ModuleDict({"encoder": self.encoder, "loss": self.loss})
        return find_origin(lambda: self.value(self.embed()), modules, items=len(self.speakers))

    def value_now(self) -> float:
        """The loss with the weights of now, infinite where it is none."""
        value = float(self._value_or_nan(self.embed()).detach())
        return value if math.isfinite(value) else math.inf

    def outcome(self) -> Tensor:
        """Embeddings and loss with the weights of now, in one vector."""
        raw = self.embed()
        return torch.cat([raw.detach().double().flatten(), self._value_or_nan(raw).detach().double().reshape(1)])

"""Trainings of a second: a small encoder on vectors of eight speakers, and one step of it measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from curvox.diagnosis import CAUSES, StepProbe
from curvox.diagnosis.diagnosing import step_checks
from curvox.diagnosis.findings import Checked
from curvox.diagnosis.probes.step import probe_step
from curvox.losses import create_loss

DIM = 8
SPEAKERS = 8


def tiny_encoder() -> nn.Sequential:
    """Three linear layers with batch normalisation between, from 12 numbers to `DIM`."""
    return nn.Sequential(
        nn.Linear(12, 24), nn.BatchNorm1d(24), nn.ReLU(),
        nn.Linear(24, 24), nn.BatchNorm1d(24), nn.ReLU(),
        nn.Linear(24, DIM),
    )  # fmt: skip


def voices(seed: int, recordings: int = 4) -> tuple[Tensor, Tensor]:
    """(32, 12) vectors and their speakers; the speakers are the same whatever the seed."""
    speakers = torch.arange(SPEAKERS).repeat_interleave(recordings)
    centres = torch.randn(SPEAKERS, 12, generator=torch.Generator().manual_seed(7))
    noise = torch.randn(len(speakers), 12, generator=torch.Generator().manual_seed(seed))
    return centres[speakers] + 0.7 * noise, speakers


@dataclass
class Training:
    """A model in training, and the weights it began with."""

    encoder: nn.Module
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    initial: dict[str, Tensor]
    learning_rate: float

    def run(self, steps: int, seed: int = 0) -> Training:
        """Take so many steps, each on a batch of its own."""
        self.encoder.train()
        for step in range(steps):
            x, speakers = voices(1000 * seed + step)
            self.optimizer.zero_grad()
            self.loss(self.encoder(x), speakers).value.backward()
            self.optimizer.step()
        return self

    def probe(self, **more: Any) -> StepProbe:
        """Measure the next step."""
        x, speakers = voices(999)
        options = {"learning_rate": self.learning_rate, "initial": self.initial, **more}
        return probe_step(lambda: self.encoder(x), self.encoder, self.loss, speakers, lambda: self.optimizer, **options)


def training(
    seed: int = 0,
    *,
    encoder: nn.Module | None = None,
    loss: str = "am_softmax",
    learning_rate: float = 2e-3,
    change: Callable[[nn.Module, nn.Module], object] | None = None,
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam,
) -> Training:
    """Build a training; ``change`` is done to encoder and loss before the optimiser is built."""
    torch.manual_seed(seed)
    encoder = encoder or tiny_encoder()
    built = create_loss(loss, dim=DIM, speakers=SPEAKERS)
    parts = (("encoder", encoder), ("loss", built))
    initial = {f"{part}.{name}": p.detach().clone() for part, m in parts for name, p in m.named_parameters()}
    if change is not None:
        change(encoder, built)
    groups = [{"params": list(m.parameters())} for _, m in parts if list(m.parameters())]
    return Training(encoder, built, optimizer(groups, lr=learning_rate), initial, learning_rate)  # type: ignore[call-arg]


def with_layer(place: int, layer: nn.Module) -> nn.Sequential:
    """The tiny encoder with one more layer."""
    layers = list(tiny_encoder())
    return nn.Sequential(*layers[:place], layer, *layers[place:])


def checked(setup: Training, **more: Any) -> Checked:
    """What the next step shows."""
    return step_checks(setup.probe(**more), setup.loss)


def found(setup: Training, **more: Any) -> dict[str, str]:
    """Severities of what the next step shows, by cause."""
    return severities(checked(setup, **more))


def severities(result: Checked) -> dict[str, str]:
    """Severities of what was found, by cause; all of it has evidence and was looked for."""
    assert all(finding.evidence for finding in result.findings)
    assert {f.cause for f in result.findings} <= set(result.causes) <= CAUSES.keys()
    return {finding.cause: finding.severity for finding in result.findings}


def why_not(result: Checked, cause: str) -> str:
    """The reason for which a cause could not be looked for, "" where it was."""
    return next((gap.why for gap in result.not_checked if gap.cause == cause), "")

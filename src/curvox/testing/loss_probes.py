"""What the checks of the loss contract are written with: the list of them, losses, batches and steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from curvox.errors import InputError
from curvox.losses import AbstractLoss, LossOutput

LossFactory = Callable[[int, int], AbstractLoss]
Check = Callable[[LossFactory], None]

DIM, SPEAKERS = 6, 4
CHECKS: dict[str, Check] = {}


def listed(check: Check) -> Check:
    """Enter a check into ``CHECKS`` under its name without ``check_``."""
    CHECKS[check.__name__.removeprefix("check_")] = check
    return check


def require(holds: bool | Tensor, message: str) -> None:
    """Raise AssertionError with ``message`` unless ``holds``."""
    if not bool(holds):
        raise AssertionError(message)


def build(factory: LossFactory, *, dim: int = DIM, speakers: int = SPEAKERS, spread: bool = True) -> AbstractLoss:
    """Build a loss from a fixed seed; ``spread`` moves its centres apart, as training would have."""
    torch.manual_seed(1)
    loss = factory(dim, speakers)
    if spread:
        for centres in centres_of(loss, speakers):
            torch.nn.init.normal_(centres, std=0.5)
    return loss


def centres_of(loss: AbstractLoss, speakers: int) -> list[torch.nn.Parameter]:
    """The parameters that hold whole vectors of the embeddings' dimension, one or more for each speaker."""
    wide = [parameter for parameter in loss.parameters() if parameter.ndim > 1 and parameter.shape[-1] == loss.dim]
    return [parameter for parameter in wide if parameter.numel() % (speakers * loss.dim) == 0]


def batch(items: int = 8, *, dim: int = DIM, speakers: int = SPEAKERS, seed: int = 2) -> tuple[Tensor, Tensor]:
    """Normal embeddings and speakers with two recordings each, side by side, for as long as there are speakers."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(items, dim, generator=generator), torch.arange(items) // 2 % speakers


def step(loss: AbstractLoss, embeddings: Tensor, speakers: Tensor) -> tuple[LossOutput, list[Tensor]]:
    """Run a loss forward and backward; everything that comes out must be finite."""
    loss.zero_grad()
    leaf = embeddings.clone().requires_grad_()
    output = loss(leaf, speakers)
    output.value.backward()
    gradients = [leaf.grad, *(parameter.grad for parameter in loss.parameters())]
    present = [gradient for gradient in gradients if gradient is not None]
    require(torch.isfinite(output.value), f"the loss is {output.value.item()}")
    require(torch.isfinite(output.per_item).all(), f"per_item is not finite: {output.per_item}")
    for gradient in present:
        require(torch.isfinite(gradient).all(), f"a gradient of shape {tuple(gradient.shape)} is not finite")
    return output, present


@contextmanager
def or_refused() -> Iterator[None]:
    """Let an `InputError` pass that says something."""
    try:
        yield
    except InputError as refusal:
        require(len(str(refusal)) > 20, f"a refusal must name its cause, got {str(refusal)!r}")


def refuses(what: str, loss: AbstractLoss, embeddings: Tensor, speakers: Tensor) -> None:
    """Require that the loss refuses a batch by `InputError`."""
    try:
        loss(embeddings, speakers)
    except InputError:
        return
    raise AssertionError(f"{what} must be refused by InputError")

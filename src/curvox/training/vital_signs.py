"""The vital signs of one training step, from what the step computes anyway: embeddings, gradients, weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from curvox.diagnosis import (
    alignment,
    effective_rank,
    radius_quantiles,
    same_and_different_distances,
    uniformity,
)
from curvox.geometry import AbstractSpace, widen
from curvox.training.sharded_state import gradient_norm

# Pairs are counted among the first recordings of a batch; batches of whole speakers have them side by side.
MOST_RECORDINGS = 1024
ACTIVE_ABOVE = 0.01
"""A recording is active when its gradient is longer than this share of the batch's mean."""


@torch.no_grad()
def embedding_signs(space: AbstractSpace, raw: Tensor, speakers: Tensor) -> dict[str, float]:
    """Signs of a batch of raw embeddings (B, D) of ``speakers`` (B,) that are compared in ``space``.

    What a batch cannot show is left out: alignment and the distance of one speaker need somebody who comes twice, radii
    need a ball. Computed on the CPU.
    """
    raw, speakers = widen(raw.detach())[:MOST_RECORDINGS].cpu(), speakers[:MOST_RECORDINGS].cpu()
    space = space if _on_cpu(space) else copy.deepcopy(space).cpu()
    points = space.project(raw)
    same, different = same_and_different_distances(space, points, speakers)
    signs = {
        "effective_rank": effective_rank(points),
        "alignment": alignment(raw, speakers),
        "uniformity": uniformity(raw),
        "same_distance": same.mean().item(),
        "different_distance": different.mean().item(),
    }
    if space.ball is not None:
        radii = radius_quantiles(space, raw)
        signs |= dict(zip(("radius_low", "radius_mid", "radius_high"), radii, strict=True))
    return {name: value for name, value in signs.items() if not math.isnan(value)}


@torch.no_grad()
def item_signs(gradient: Tensor) -> dict[str, float]:
    """How the gradient (B, D) by the raw embeddings is shared out: the share of recordings whose row is longer than
    `ACTIVE_ABOVE` times the mean, and the share of the longest row in the sum of their lengths."""
    norms = torch.linalg.vector_norm(gradient.detach().double(), dim=1)
    total = norms.sum()
    if not total > 0:
        return {"active_share": 0.0}
    active = (norms > ACTIVE_ABOVE * norms.mean()).double().mean()
    return {"active_share": float(active), "top_item_share": float(norms.max() / total)}


@torch.no_grad()
def gradient_signs(encoder: nn.Module, loss: nn.Module) -> dict[str, float]:
    """Norm of the gradient of encoder and loss together, and the share that the encoder's first weights have in the
    norm of its own: norm over norm, so that the share of equal layers falls with the root of their number."""
    every = {id(p): p for p in (*encoder.parameters(), *loss.parameters())}
    signs = {"gradient_norm": float(gradient_norm(every.values()))}
    first = next((p for p in encoder.parameters() if p.requires_grad and p.ndim > 1), None)
    whole = float(gradient_norm(encoder.parameters()))
    if first is not None and whole > 0:
        signs["first_layer_share"] = 0.0 if first.grad is None else float(gradient_norm([first])) / whole
    return signs


@torch.no_grad()
def kept_weights(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """A copy of the weights, for `update_ratio`."""
    return [p.detach().clone() for p in parameters]


@torch.no_grad()
def update_ratio(before: list[Tensor], parameters: Iterable[nn.Parameter]) -> float:
    """Norm of the change since `kept_weights` over the norm before it."""
    now = [p.detach() for p in parameters]
    change = nn.utils.get_total_norm([new - old for new, old in zip(now, before, strict=True)])
    return float(change) / max(float(nn.utils.get_total_norm(before)), 1e-30)


def _on_cpu(module: nn.Module) -> bool:
    return all(tensor.device.type == "cpu" for tensor in (*module.parameters(), *module.buffers()))

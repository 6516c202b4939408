"""The systems that benchmarks/losses.py measures: our losses, their rivals as usually written, and the floor."""

from __future__ import annotations

import torch
from measuring import Step
from torch import Tensor, nn

from curvox.losses import create_loss

DIM = 192


class PlainMargin(nn.Module):
    """AM-Softmax as it is usually written: normalise, one product, subtract, cross-entropy."""

    def __init__(self, speakers: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.empty(speakers, DIM))

    def forward(self, z: Tensor, speakers: Tensor) -> Tensor:
        cosines = nn.functional.linear(nn.functional.normalize(z), nn.functional.normalize(self.centres))
        margin = torch.zeros_like(cosines).scatter_(1, speakers[:, None], 0.2)
        return nn.functional.cross_entropy(30.0 * (cosines - margin), speakers)


class PublishedHAM(nn.Module):
    """HAM-Softmax in the published (B, N, D) form, its setting C = 3: clip, broadcast, arcosh, cross-entropy."""

    def __init__(self, speakers: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.empty(speakers, DIM))

    def forward(self, z: Tensor, speakers: Tensor) -> Tensor:
        radius = (1 - 1e-5) / 3**0.5
        x, w = (v * (radius / v.norm(dim=-1, keepdim=True)).clamp_max(1.0) for v in (z, self.centres))
        gap = (x[:, None, :] - w[None, :, :]).square().sum(-1)
        inside = (1 - x.square().sum(-1))[:, None] * (1 - w.square().sum(-1))[None, :]
        distance = torch.acosh((1 + 2 * gap / inside).clamp_min(1 + 1e-5))
        margin = torch.zeros_like(distance).scatter_(1, speakers[:, None], 0.2)
        return nn.functional.cross_entropy(-30.0 * (distance + margin), speakers)


def system_of(name: str, speakers: int) -> nn.Module:
    if name == "plain AM":
        return PlainMargin(speakers)
    if name == "published HAM":
        return PublishedHAM(speakers)
    name, _, scale = name.partition(" s=")
    if name == "ham exp_map":
        options = {"name": "ham_softmax", "space": {"name": "poincare_ball", "lift": "exp_map"}}
    else:
        options = {"name": name} | ({"scale": float(scale)} if scale else {})
    loss = create_loss(options, dim=DIM, speakers=speakers)
    return loss


def step_of(name: str, batch: int, speakers: int, device: str = "cpu") -> Step:
    """A training step of a system with trained-looking centres: forward, backward, a fresh gradient each time."""
    torch.manual_seed(0)
    z = torch.randn(batch, DIM, device=device).requires_grad_()
    labels = torch.randint(speakers, (batch,), device=device)
    if name == "floor":
        return floor_of(z.detach(), speakers)
    with torch.device(device):
        module = system_of(name, speakers)
    for centres in module.parameters():
        if centres.ndim == 2:
            nn.init.normal_(centres)

    def step() -> None:
        output = module(z, labels)
        (output if isinstance(output, Tensor) else output.value).backward()
        z.grad = None
        module.zero_grad(set_to_none=True)  # so that a peak is above the weights alone

    return step


def floor_of(z: Tensor, speakers: int) -> Step:
    weights = torch.randn(speakers, DIM, device=z.device)
    logits, d_weights, d_z = torch.empty(len(z), speakers, device=z.device), torch.empty_like(weights), z.clone()

    def step() -> None:
        torch.mm(z, weights.T, out=logits)
        torch.mm(logits, weights, out=d_z)
        torch.mm(logits.T, z, out=d_weights)

    return step

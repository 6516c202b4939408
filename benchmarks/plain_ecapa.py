"""ECAPA-TDNN written plainly, as published implementations have it: the rival in the training-step benchmark."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2 * dilation, dilation=dilation)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(torch.relu(self.conv(x)))


class Block(nn.Module):
    def __init__(self, channels: int, dilation: int, scale: int = 8):
        super().__init__()
        self.scale, width = scale, channels // scale
        self.first, self.last = Unit(channels, channels), Unit(channels, channels)
        self.inner = nn.ModuleList(Unit(width, width, 3, dilation) for _ in range(scale - 1))
        self.squeeze, self.excite = nn.Linear(channels, 128), nn.Linear(128, channels)

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.chunk(self.first(x), self.scale, dim=1)
        outputs = []
        for i, unit in enumerate(self.inner):
            outputs.append(unit(parts[i] if i == 0 else outputs[-1] + parts[i]))
        y = self.last(torch.cat([*outputs, parts[-1]], dim=1))
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(y.mean(dim=2)))))
        return x + y * gate.unsqueeze(2)


class PlainECAPA(nn.Module):
    """Features (B, T, n_mels) to embeddings (B, dim)."""

    def __init__(self, n_mels: int, channels: int, aggregated: int, dim: int, final_norm: bool = True):
        super().__init__()
        self.entry = Unit(n_mels, channels, 5)
        self.blocks = nn.ModuleList(Block(channels, d) for d in (2, 3, 4))
        self.aggregate = nn.Conv1d(3 * channels, aggregated, 1)
        self.attention = nn.Sequential(nn.Conv1d(3 * aggregated, 128, 1), nn.Tanh(), nn.Conv1d(128, aggregated, 1))
        self.pool_bn = nn.BatchNorm1d(2 * aggregated)
        self.project = nn.Linear(2 * aggregated, dim)
        self.final_bn = nn.BatchNorm1d(dim) if final_norm else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        x = self.entry(features.transpose(1, 2))
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        h = torch.relu(self.aggregate(torch.cat(outputs, dim=1)))
        mean = h.mean(dim=2, keepdim=True).expand_as(h)
        deviation = torch.sqrt(h.var(dim=2, keepdim=True, correction=0) + 1e-7).expand_as(h)
        weights = torch.softmax(self.attention(torch.cat([h, mean, deviation], dim=1)), dim=2)
        first = torch.sum(weights * h, dim=2)
        second = torch.sqrt((torch.sum(weights * h**2, dim=2) - first**2).clamp(min=1e-7))
        return self.final_bn(self.project(self.pool_bn(torch.cat([first, second], dim=1))))


class PlainHAM(nn.Module):
    """HAM-Softmax of the published setting by its formula, with the one matrix product."""

    def __init__(self, dim: int, speakers: int, scale: float = 30.0, margin: float = 0.2, curvature: float = 3.0):
        super().__init__()
        self.weight = nn.Parameter(1e-3 * torch.randn(speakers, dim))
        self.scale, self.margin, self.radius = scale, margin, (1 - 1e-5) / curvature**0.5

    def forward(self, z: Tensor, speakers: Tensor) -> Tensor:
        x, w = self._clip(z), self._clip(self.weight)
        xx, ww = x.square().sum(1)[:, None], w.square().sum(1)[None]
        u = (2 * (xx + ww - 2 * x @ w.T).clamp(min=1e-12)) / ((1 - xx) * (1 - ww))
        distance = torch.log1p(u + torch.sqrt(u * (u + 2)))
        target = nn.functional.one_hot(speakers, len(self.weight))
        return nn.functional.cross_entropy(-self.scale * (distance + self.margin * target), speakers)

    def _clip(self, z: Tensor) -> Tensor:
        return z * (self.radius / z.norm(dim=1, keepdim=True).clamp(min=1e-15)).clamp(max=1)

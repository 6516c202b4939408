"""ResNet34 for speakers written plainly, as published implementations have it: a rival in the train-step benchmark."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class PlainResNet34(nn.Module):
    """Features (B, T, n_mels) to embeddings (B, dim)."""

    def __init__(self, n_mels: int, channels: int, dim: int):
        super().__init__()
        self.conv = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        blocks, inputs = [], channels
        for stage, count in enumerate((3, 4, 6, 3)):
            for i in range(count):
                blocks.append(Block(inputs, channels * 2**stage, 2 if stage and i == 0 else 1))
                inputs = channels * 2**stage
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(2 * inputs * (n_mels // 8), dim)

    def forward(self, features: Tensor) -> Tensor:
        x = self.blocks(torch.relu(self.bn(self.conv(features.transpose(1, 2).unsqueeze(1)))))
        mean, deviation = x.mean(dim=3), torch.sqrt(x.var(dim=3) + 1e-7)
        return self.linear(torch.cat([mean.flatten(1), deviation.flatten(1)], dim=1))

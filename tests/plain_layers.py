"""Layers as plain functions of a state dict: what the encoders' oracles are written with."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Module = TypeVar("Module", bound=torch.nn.Module)


class PlainLayers:
    """Layers by their names in ``state``; maps are (B, C, F, T), where curvox has (B, C, T, F)."""

    def __init__(self, state: dict[str, Tensor]):
        self.state = state

    def bias(self, name: str) -> Tensor | None:
        return self.state.get(f"{name}.bias")

    def conv(self, x: Tensor, name: str, dilation: int = 1, stride: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        padding = weight.shape[2] // 2 * dilation
        groups = x.shape[1] // weight.shape[1]
        return F.conv1d(x, weight, self.bias(name), stride, padding, dilation, groups)

    def conv_2d(self, x: Tensor, name: str, stride: tuple[int, int] = (1, 1), padding: int | None = None) -> Tensor:
        weight = self.state[f"{name}.weight"].transpose(2, 3)
        padding = weight.shape[2] // 2 if padding is None else padding
        return F.conv2d(x, weight, self.bias(name), stride, padding, groups=x.shape[1] // weight.shape[1])

    def linear(self, x: Tensor, name: str) -> Tensor:
        y = x @ self.state[f"{name}.weight"].T
        bias = self.bias(name)
        return y if bias is None else y + bias

    def norm(self, x: Tensor, name: str, epsilon: float = 1e-5) -> Tensor:
        """Batch normalisation with the running statistics."""
        shape = (1, -1, *(1 for _ in x.shape[2:]))
        mean, var = self.state[f"{name}.running_mean"], self.state[f"{name}.running_var"]
        scaled = (x - mean.view(shape)) / torch.sqrt(var.view(shape) + epsilon)
        if f"{name}.weight" not in self.state:
            return scaled
        return scaled * self.state[f"{name}.weight"].view(shape) + self.state[f"{name}.bias"].view(shape)

    def layer_norm(self, x: Tensor, name: str, dim: int, epsilon: float = 1e-6) -> Tensor:
        """Layer normalisation over ``dim``."""
        centred = x - x.mean(dim, keepdim=True)
        scaled = centred / torch.sqrt(centred.square().mean(dim, keepdim=True) + epsilon)
        shape = [-1 if i == dim else 1 for i in range(x.ndim)]
        return scaled * self.state[f"{name}.weight"].view(shape) + self.state[f"{name}.bias"].view(shape)

    def residual_block(self, x: Tensor, name: str, stride: tuple[int, int]) -> Tensor:
        y = self.norm(self.conv_2d(x, f"{name}.conv1", stride), f"{name}.norm1").clamp(min=0)
        y = self.norm(self.conv_2d(y, f"{name}.conv2"), f"{name}.norm2")
        if f"{name}.shortcut.0.weight" in self.state:
            x = self.norm(self.conv_2d(x, f"{name}.shortcut.0", stride, padding=0), f"{name}.shortcut.1")
        return (y + x).clamp(min=0)


def statistics(x: Tensor) -> Tensor:
    """Mean and standard deviation over the last dimension, one after the other, by NumPy."""
    frames = x.detach().numpy()
    deviation = frames.var(axis=-1).clip(min=1e-7) ** 0.5
    return torch.from_numpy(np.concatenate([frames.mean(axis=-1), deviation], axis=1))


def bins_before_channels(x: Tensor) -> Tensor:
    """(B, C, F, T) as (B, F · C, T), by loops."""
    rows = [x[:, channel, bin_] for bin_ in range(x.shape[2]) for channel in range(x.shape[1])]
    return torch.stack(rows, dim=1)


def randomise(module: Module) -> Module:
    """Give every weight and running statistic a value of its own; in evaluation mode and float64."""
    torch.manual_seed(0)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            tensor.normal_(std=0.3)
        elif tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5) if name.endswith("weight") else tensor.normal_(std=0.3)
    return module.eval().double()

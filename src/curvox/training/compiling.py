"""torch.compile for the encoder: whether it can be had, and how."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import torch
from torch import Tensor, nn

from curvox.errors import RecipeError


def compiled(encoder: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return the encoder as a function of features (B, T, n_mels) that is compiled when first called.

    It is compiled for the shapes it gets, which in training are always the same.
    """
    return torch.compile(encoder.forward, dynamic=False)


def check_compiler() -> None:
    """Refuse a machine without the C++ compiler that torch.compile calls.

    Raises:
        RecipeError: there is none.
    """
    name = os.environ.get("CXX", "g++")
    if shutil.which(name) is None:
        raise RecipeError(
            f"training.compile needs a C++ compiler, and {name} is not there: install it, name another one in the "
            "environment variable CXX, or leave training.compile out"
        )

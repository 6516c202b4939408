"""The largest number that a computation passes through, for float16, which ends at 65,504."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_CONSTANTS = ("empty", "new_empty", "full", "new_full", "fill", "masked_fill", "where", "scalar_tensor", "arange")
_IN_FLOAT32 = (
    "pow", "square", "exp", "expm1", "sinh", "cosh", "tan", "sum", "prod", "cumsum", "cumprod", "norm",
    "linalg_vector_norm", "reciprocal", "rsqrt", "logsumexp", "native_layer_norm", "native_group_norm",
)  # fmt: skip


class ActivationWatch(TorchDispatchMode):
    """Keeps the largest absolute value of all results, in ``maximum``.

    Left out are constants, such as a mask of -1e9, and what autocast computes in float32 anyway.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maximum = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func._schema.name.split("::")[-1].rstrip("_")
        if name not in _CONSTANTS and name not in _IN_FLOAT32 and not func.is_view:
            for result in tree_leaves(output):
                if isinstance(result, Tensor) and result.is_floating_point() and result.numel():
                    largest = float(torch.nan_to_num(result.detach(), 0.0, 0.0, 0.0).abs().amax())
                    self.maximum = max(self.maximum, largest)
        return output

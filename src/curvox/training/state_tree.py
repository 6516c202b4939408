"""Training state as two files, tensors in safetensors and the rest in JSON, instead of a pickle.

A state is nested dicts, lists and tuples of tensors, numbers, strings and None. JSON knows neither tuples nor keys
that are not strings, so these are written as objects with one marker key; a tensor is written as the name of its
entry.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curvox.errors import CheckpointError
from curvox.files import replace_text, tensors_from_file, tensors_to_file
from curvox.records import read_tree

TENSORS, REST = "training.safetensors", "training.json"
_TENSOR, _TUPLE, _PAIRS, _FLOAT = "$tensor", "$tuple", "$pairs", "$float"
_AGAIN = "take the whole folder of one run"
_LARGEST_BYTES = 1 << 30
_NON_FINITE = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


def write_state(state: Any, folder: Path) -> None:
    """Write ``state`` into ``folder``; refuse a value that is neither plain nor a tensor."""
    tensors: dict[str, Tensor] = {}
    rest = _encode(state, "state", tensors)
    tensors_to_file(tensors, folder / TENSORS)
    replace_text(folder / REST, json.dumps(rest, allow_nan=False))


def read_state(folder: Path) -> Any:
    """Return what `write_state` wrote.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    tensors = tensors_from_file(folder / TENSORS)
    path = folder / REST
    tree = read_tree(path, what="the state of a training", again=_AGAIN, limit_bytes=_LARGEST_BYTES)
    try:
        return _decode(tree, tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not belong to {TENSORS} beside it: {error!r}; {_AGAIN}") from error


def _encode(value: Any, where: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[where] = value
        return {_TENSOR: where}
    if isinstance(value, dict):
        plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
        if plain:
            return {key: _encode(item, f"{where}.{key}", tensors) for key, item in value.items()}
        pairs = [[_encode(k, where, tensors), _encode(v, f"{where}.{k}", tensors)] for k, v in value.items()]
        return {_PAIRS: pairs}
    if isinstance(value, (list, tuple)):
        items = [_encode(item, f"{where}.{i}", tensors) for i, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {_FLOAT: str(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (torch.Size,)):
        return {_TUPLE: list(value)}
    raise CheckpointError(
        f"training state holds a {type(value).__name__} at {where}, which cannot be written as plain data"
    )


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        return tensors[value[_TENSOR]]
    if _TUPLE in value:
        return tuple(_decode(item, tensors) for item in value[_TUPLE])
    if _PAIRS in value:
        return {_decode(key, tensors): _decode(item, tensors) for key, item in value[_PAIRS]}
    if _FLOAT in value:
        return _NON_FINITE[value[_FLOAT]]
    return {key: _decode(item, tensors) for key, item in value.items()}

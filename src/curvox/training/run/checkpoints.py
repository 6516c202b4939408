"""Checkpoints as folders: written as one act, never pickled; resumed, and started from by another run.

The state of a training is nested dicts, lists and tuples of tensors, numbers, strings and None. Its tensors go into
safetensors, the rest into JSON, which knows neither tuples nor keys that are not strings: these are written as objects
with one marker key, and a tensor as the name of its entry.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.fabric.plugins import CheckpointIO
from torch import Tensor

from curvox.audio import FilterBank
from curvox.corpora import speaker_of_class
from curvox.embedder import Embedder, load, write_embedder
from curvox.encoders import ENCODERS
from curvox.errors import CheckpointError, RecipeError
from curvox.files import replace_folder, replace_text, settle_folder, tensors_from_file, tensors_to_file
from curvox.records import read_tree
from curvox.training.step.module import SpeakerModule, different_tensors

TENSORS, REST = "training.safetensors", "training.json"
_TENSOR, _TUPLE, _PAIRS, _FLOAT = "$tensor", "$tuple", "$pairs", "$float"
_AGAIN = "take the whole folder of one run"
_LARGEST_BYTES = 1 << 30


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
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _encode(item, f"{where}.{key}", tensors) for key, item in value.items()}
        pairs = [[_encode(k, where, tensors), _encode(v, f"{where}.{k}", tensors)] for k, v in value.items()]
        return {_PAIRS: pairs}
    if isinstance(value, (list, tuple)):
        items = [_encode(item, f"{where}.{i}", tensors) for i, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
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
        return float(value[_FLOAT])
    return {key: _decode(item, tensors) for key, item in value.items()}


def write_checkpoint(path: Path, model: Embedder, state: dict[str, Any]) -> None:
    """Put a folder with the model and the state of its training in the place of ``path``."""

    def write(folder: Path) -> None:
        write_embedder(model, folder)
        write_state(state, folder)

    replace_folder(path, write)


class FolderCheckpointIO(CheckpointIO):
    """Writes ``last``: the model as `load` reads it, and beside it what resuming needs."""

    def __init__(self) -> None:
        self.model: Embedder | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        assert self.model is not None, "the run sets the model before it trains"
        write_checkpoint(Path(path), self.model, checkpoint)

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        folder = Path(path)
        settle_folder(folder)
        return read_training_state(folder)

    def remove_checkpoint(self, path: Any) -> None:
        raise NotImplementedError("curvox keeps one folder for the best and one for the last checkpoint")


def read_training_state(folder: Path) -> dict[str, Any]:
    """Return the training state in a ``last`` folder.

    Raises:
        CheckpointError: there is none, or it is damaged or foreign.
    """
    if not (folder / REST).is_file():
        raise CheckpointError(
            f"{folder} holds no training state; expected the run of a training, such as runs/x, or its last/"
        )
    state = read_state(folder)
    if not isinstance(state, dict) or not {"curvox", "state_dict", "pytorch-lightning_version"} <= state.keys():
        raise CheckpointError(f"{folder} was not written by a training run; take the whole folder of one run")
    if "speakers" not in state["curvox"]:
        raise CheckpointError(f"{folder} was written by an older version, which kept no names of speakers; train anew")
    return state


@dataclass(frozen=True)
class Start:
    """Weights of encoder and loss of an earlier run, and the names of its speakers in the order of its classes, with
    their labels at the levels that the loss asks for."""

    folder: Path
    weights: Mapping[str, Tensor]
    speakers: tuple[str, ...]
    labels: Mapping[str, Sequence[str]]


def read_start(source: str, embedder: Embedder) -> Start:
    """Read ``last`` of the run ``source``, or ``source`` itself when it is a ``last`` or an ``averaged``.

    Raises:
        CheckpointError: there is no training state, or it is damaged.
        RecipeError: its features or encoder have other options than ``embedder``.
    """
    folder = Path(source)
    folder = folder / "last" if (folder / "last").is_dir() else folder
    state = read_training_state(folder)
    there, here = load(folder).description, embedder.description
    name = str(here["encoder"]["name"])
    differences = [
        *_differences("features", FilterBank, there["features"], here["features"]),
        *_differences("encoder", ENCODERS.load(name), there["encoder"], here["encoder"]),
    ]
    if differences:
        raise RecipeError(f"training.start_from = {source} was trained with other settings: {'; '.join(differences)}")
    return Start(folder, state["state_dict"], tuple(state["curvox"]["speakers"]), state["curvox"].get("labels", {}))


def apply_start(start: Start, module: SpeakerModule) -> None:
    """Give ``module`` the weights of ``start``; a run at several speeds may be gone on with at the first of them.

    Raises:
        RecipeError: a tensor has another shape or is on one side only, or the classes are other speakers.
    """
    own, weights = module.state_dict(), dict(start.weights)
    if module.loss.speakers is not None:
        names = module.data.class_names
        if _goes_on_without_speeds(start, names):
            weights = _first_classes(weights, own, len(start.speakers), len(names))
        else:
            _check_speakers(start, names)
        _check_labels(start, module.data.class_labels)
    wrong = [
        f"{name} is {_shape(weights.get(name))} there and {_shape(own.get(name))} here"
        for name in different_tensors(weights, own)
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise RecipeError(
            f"the weights of {start.folder} do not fit this recipe: {'; '.join(wrong[:3])}{more}; "
            "encoder and loss must be those of the earlier run, but for numbers such as the margin"
        )
    module.load_state_dict(weights)


def _goes_on_without_speeds(start: Start, names: tuple[str, ...]) -> bool:
    """Whether ``names`` are the first classes of the earlier run, and its others are these speakers at other speeds."""
    first, others = start.speakers[: len(names)], start.speakers[len(names) :]
    return bool(others) and first == names and {*map(speaker_of_class, others)} <= {*map(speaker_of_class, names)}


def _first_classes(
    weights: Mapping[str, Tensor], own: Mapping[str, Tensor], there: int, here: int
) -> dict[str, Tensor]:
    """Cut what the loss keeps for each of ``there`` classes, along the first dimension, to the first ``here``."""
    cut = {
        name: tensor[:here]
        for name, tensor in weights.items()
        if name.startswith("loss.") and name in own and tensor.shape[:1] == (there,) and own[name].shape[:1] == (here,)
    }
    return {**weights, **cut}


def _check_speakers(start: Start, names: tuple[str, ...]) -> None:
    if start.speakers == names:
        return
    place = next(
        (i for i, (a, b) in enumerate(zip(start.speakers, names, strict=False)) if a != b),
        min(len(start.speakers), len(names)),
    )
    there, here = ([*some, "nobody"][min(place, len(some))] for some in (start.speakers, names))
    raise RecipeError(
        f"the classes of {start.folder} are other speakers: {len(start.speakers)} there, {len(names)} here, first "
        f"difference in class {place}: {there} there, {here} here; train on the corpus and the split of the earlier run"
    )


def _check_labels(start: Start, here: Mapping[str, Sequence[str]]) -> None:
    """Refuse to use what was learnt of a node for another one."""
    for level, labels in here.items():
        there = list(start.labels.get(level, ()))[: len(labels)]
        if there and (wrong := [i for i, pair in enumerate(zip(there, labels, strict=True)) if len({*pair}) > 1]):
            first = wrong[0]
            raise RecipeError(
                f"the {level} of {len(wrong)} speakers is another than in {start.folder}, first that of "
                f'{start.speakers[first]}: "{there[first]}" there, "{labels[first]}" here; what the loss has learnt of '
                "the nodes would go astray: train with the labels of the earlier run, or anew"
            )


def _differences(where: str, constructor: Callable[..., Any], there: Any, here: Any) -> list[str]:
    defaults = {n: p.default for n, p in inspect.signature(constructor).parameters.items() if p.default is not p.empty}
    old, new = {**defaults, **there}, {**defaults, **here}
    return [
        f"{where}.{key} was {old.get(key)!r} and is {new.get(key)!r}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _shape(tensor: Tensor | None) -> tuple[int, ...] | str:
    return "missing" if tensor is None else tuple(tensor.shape)

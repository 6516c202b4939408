"""Fine-tuning: training that starts from the weights of an earlier run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from curvox.audio import FilterBank
from curvox.corpora import speaker_of_class
from curvox.embedder import Embedder, load_embedder
from curvox.encoders import ENCODERS
from curvox.errors import RecipeError
from curvox.training.checkpoints import read_training_state
from curvox.training.module import SpeakerModule, different_tensors


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
    there, here = load_embedder(folder).description, embedder.description
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
    return {
        name: tensor[:here]
        if name.startswith("loss.")
        and name in own
        and _shape(tensor)[:1] == (there,)
        and own[name].shape[:1] == (here,)
        else tensor
        for name, tensor in weights.items()
    }


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
    """Refuse prototypes that would become those of other nodes."""
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

"""From the options of a recipe to objects: every key is checked against the constructor it feeds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from curvox.audio import (
    AugmentationOptions,
    ClippingOptions,
    CodecOptions,
    FilterBank,
    MaskOptions,
    RecordedNoiseOptions,
    RecordedRoomOptions,
    SimulatedRoomOptions,
    TelephoneOptions,
)
from curvox.encoders import ENCODERS
from curvox.errors import InputError, RecipeError, nearest
from curvox.training.augmenting import Augmentation


def build_filter_bank(options: Mapping[str, Any], sampling_rate_hz: int) -> FilterBank:
    """Build the front end from the recipe's ``features``."""
    checked = check_options(FilterBank, options, where="features", given={"sampling_rate_hz"})
    return FilterBank(sampling_rate_hz=sampling_rate_hz, **checked)


def build_encoder(options: Mapping[str, Any], n_mels: int) -> Any:
    """Build the encoder that ``options["name"]`` names."""
    name, rest = _named(options, "encoder")
    cls = ENCODERS.load(name)
    return cls(n_mels=n_mels, **check_options(cls, rest, where="encoder", given={"n_mels"}))


_AUGMENTATION = {
    "recorded_noise": RecordedNoiseOptions,
    "waveforms": AugmentationOptions,
    "clipping": ClippingOptions,
    "telephone": TelephoneOptions,
    "codecs": CodecOptions,
    "features": MaskOptions,
}


def build_augmentation(options: Mapping[str, Any], sampling_rate_hz: int = 16000) -> Augmentation:
    """Build the augmentation from the recipe's ``augmentation``: a mapping of options for each stage, all optional,
    for waveforms of ``sampling_rate_hz``.

    Raises:
        RecipeError: an unknown key, a wrong value, a folder that is missing or holds other files, or a rate that codecs
            do not know.
        MissingExtraError: a stage needs a library that is not installed.
    """
    known = ("rooms", *_AUGMENTATION, "beside_clean")
    for key in options:
        if key not in known:
            raise RecipeError(f'unknown key "augmentation.{key}": {nearest(str(key), known)}')
    chosen: dict[str, Any] = {
        key: None if options.get(key) is None else _construct(cls, options[key], f"augmentation.{key}")
        for key, cls in _AUGMENTATION.items()
    }
    beside_clean = _checked(options.get("beside_clean", False), bool, "augmentation.beside_clean")
    rooms = _rooms(options.get("rooms"))
    if beside_clean and rooms is None and not any(chosen.values()):
        raise RecipeError("augmentation.beside_clean needs a stage that changes the copies, such as waveforms: {}")
    augmentation = Augmentation(rooms=rooms, **chosen, beside_clean=beside_clean)
    try:
        augmentation.check_sources(sampling_rate_hz)
    except InputError as error:
        raise RecipeError(f"augmentation: {error}") from error
    return augmentation


def _rooms(options: Any) -> RecordedRoomOptions | SimulatedRoomOptions | None:
    """Rooms from a folder where a path is given, simulated ones where none is."""
    if options is None:
        return None
    has_path = isinstance(options, Mapping) and "path" in options
    return _construct(RecordedRoomOptions if has_path else SimulatedRoomOptions, options, "augmentation.rooms")


def _construct(cls: type, options: Any, where: str) -> Any:
    if not isinstance(options, Mapping):
        raise RecipeError(f"{where}: expected a mapping (empty for the defaults), got {options!r}")
    return cls(**check_options(cls, options, where=where))


def _named(options: Any, where: str) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(options, Mapping) or not isinstance(options.get("name"), str):
        raise RecipeError(f"{where}: expected a mapping with a name, got {options!r}")
    return options["name"], {key: value for key, value in options.items() if key != "name"}


def check_options(
    constructor: Callable[..., Any], options: Mapping[str, Any], *, where: str, given: Collection[str] = ()
) -> dict[str, Any]:
    """Return ``options`` with each value checked against the constructor's annotation.

    Args:
        constructor: class or function the options feed.
        options: keys and values from the recipe.
        where: the recipe's section, for messages.
        given: parameters that curvox itself passes, which a recipe may not set.

    Raises:
        RecipeError: an unknown key (with the nearest ones), a missing one, or a value of the wrong type.
    """
    parameters = {n: p for n, p in inspect.signature(constructor).parameters.items() if n not in given}
    for key in options:
        if key not in parameters:
            raise RecipeError(f'unknown key "{where}.{key}": {nearest(str(key), parameters)}')
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in options]
    if missing:
        raise RecipeError(f"{where}: missing key {', '.join(missing)}")
    hints = get_type_hints(constructor.__init__ if inspect.isclass(constructor) else constructor)
    return {key: _checked(value, hints.get(key, Any), f"{where}.{key}") for key, value in options.items()}


def _checked(value: Any, annotation: Any, where: str) -> Any:
    try:
        return TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError as error:
        reasons = "; ".join(sorted({e["msg"] for e in error.errors()}))
        raise RecipeError(f"{where}: {reasons}, got {value!r}") from error

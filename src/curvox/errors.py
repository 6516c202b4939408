"""The exceptions of curvox, all of one base, and the checks that many of its entrances make.

Every message says what was expected, what came, and how to repair it.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from numbers import Integral
from types import ModuleType


class CurvoxError(Exception):
    """Base of every error curvox raises on purpose; catching it catches them all."""


class InputError(CurvoxError, ValueError):
    """A value, shape or file given by the user does not fit."""


class UnknownNameError(InputError):
    """A name is in no table; the message lists the nearest names."""


class AudioError(InputError):
    """A recording cannot be used: missing, empty, truncated, silent, too short, not audio."""


class CorpusError(InputError):
    """A manifest, a corpus folder or a trial list is wrong; the message names file and line."""


class RecipeError(InputError):
    """A recipe has an unknown key, a value of the wrong type or values that contradict."""


class CheckpointError(CurvoxError):
    """A model folder is incomplete, foreign or damaged."""


class TrainingError(CurvoxError):
    """Training cannot go on; the message names the batch, the values and the likeliest cause."""


class TrainingInterruptedError(TrainingError):
    """Somebody stopped a training; the message says how to continue it, ``signal`` is the number of what came."""

    def __init__(self, message: str, signal: int = 2):
        super().__init__(message)
        self.signal = signal


class OutputExistsError(CurvoxError, FileExistsError):
    """An output would overwrite a file; nothing was written."""


class MissingExtraError(CurvoxError, ImportError):
    """A feature needs an optional package that is not installed."""


def import_extra(name: str, message: str) -> ModuleType:
    """Import a package of an extra; where it is missing, raise `MissingExtraError` with ``message`` and the cause."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"{message} ({error})") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for a misspelt ``name``: ``did you mean "x"?`` or the list of known names."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(f'"{c}"' for c in close) + "?"
    return "known: " + ", ".join(known) if known else "none are known"


def require_name(name: str, known: Iterable[str], what: str) -> None:
    """Refuse ``name`` with the nearest names when it is not among ``known``."""
    known = list(known)
    if name not in known:
        raise UnknownNameError(f'unknown {what} "{name}": {nearest(name, known)}')


def require_positive(value: float, name: str) -> float:
    """Return ``value`` as a float, or refuse it when it is not a finite number above zero."""
    if not _is_finite(value) or value <= 0:
        raise InputError(f"{name} must be a finite number above 0, got {value!r}")
    return float(value)


def require_non_negative(value: float, name: str) -> float:
    """Return ``value`` as a float, or refuse it when it is not a finite number of at least zero."""
    if not _is_finite(value) or value < 0:
        raise InputError(f"{name} must be a finite number of at least 0, got {value!r}")
    return float(value)


def require_at_least(least: int, **values: int) -> None:
    """Refuse the first of the named values that is not a whole number of at least ``least``."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")

"""Speak through espeak-ng by ctypes: one private, freshly loaded synthesiser per speaker."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import shutil
from pathlib import Path
from types import TracebackType

import numpy as np

from curvox.errors import CurvoxError, InputError, import_extra

SAMPLING_RATE_HZ = 22050
"""What espeak-ng produces."""

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_BUFFER_MS = 200
_POSITION_IS_CHARACTER = 1
_UTF8 = 1
_RATE, _PITCH = 1, 3
_LONGEST_PATH = 130
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_SHARED_FILES = ("phondata", "phonindex", "phontab", "intonations")


def prepare_espeak(folder: Path, dictionaries: tuple[str, ...]) -> None:
    """Copy what espeak-ng reads into ``folder``, where drawn voices can then be added.

    ``dictionaries`` are language codes whose pronunciation rules will be needed (``("en", "de")``).
    Raises MissingExtraError without the package ``espeakng-loader``.
    """
    if len(os.fsencode(folder.absolute())) > _LONGEST_PATH:
        raise InputError(
            f"espeak-ng reads its data from paths of at most {_LONGEST_PATH} bytes, got {folder}; "
            "point the environment variable TMPDIR to a shorter folder"
        )
    _, source = _installed()
    target = _data_folder(folder)
    target.joinpath("voices", "!v").mkdir(parents=True)
    for name in (*_SHARED_FILES, *(f"{code}_dict" for code in dictionaries)):
        shutil.copyfile(source / name, target / name)
    shutil.copytree(source / "lang", target / "lang")


class Espeak:
    """A synthesiser with the data of ``folder`` (see :func:`prepare_espeak`); use it in a ``with`` statement.

    ``name`` must be unique among those open in the folder. espeak-ng keeps phase, flutter and random state in global
    variables that no call resets, so what it says would depend on everything said before. Each object therefore loads
    its own copy of the library: what it says depends on nothing but its own calls.
    """

    def __init__(self, folder: Path, *, name: str, seed: int = 0) -> None:
        self._voices = _data_folder(folder) / "voices" / "!v"
        self._name = name
        self._pieces: list[np.ndarray] = []
        self._wanted_samples = 0
        self._failure: BaseException | None = None
        self._callback = _CALLBACK(self._receive)  # kept: espeak-ng holds only a pointer
        # the file stays while it is loaded: a new file in its place could be taken for the library already there
        self._file = folder / f"{name}.library"
        if self._file.exists():
            raise InputError(f'a synthesiser named "{name}" is already open in {folder}; close it or take another name')
        self._library: ctypes.CDLL | None = _load_copy(self._file)
        try:
            self._start(self._library, folder, seed)
        except CurvoxError:
            self.close()
            raise

    def set_voice(self, language: str, variant: str) -> None:
        """Speak with a language file ("gmw/en") as changed by ``variant``, the text of a voice variant file."""
        text = f"language variant\nname {self._name}\n{variant}"
        self._voices.joinpath(self._name).write_text(text, encoding="utf-8")
        status = self._open_library().espeak_SetVoiceByName(f"{language}+{self._name}".encode())
        if status:
            raise CurvoxError(f'espeak-ng refused the voice "{language}" with the variant\n{variant}(status {status})')

    def say(self, text: str, *, wanted_samples: int, words_per_minute: int = 175, pitch: int = 50) -> np.ndarray:
        """Return float32 samples at 22,050 Hz in [-1, 1], ended soon after ``wanted_samples`` (or when the text ends).

        ``words_per_minute`` is 80 to 450; ``pitch`` is 0 to 100, 50 leaves the voice as it is.
        """
        library = self._open_library()
        self._pieces, self._wanted_samples, self._failure = [], wanted_samples, None
        library.espeak_SetParameter(_RATE, words_per_minute, 0)
        library.espeak_SetParameter(_PITCH, pitch, 0)
        data = text.encode() + b"\0"
        status = library.espeak_Synth(data, len(data), 0, _POSITION_IS_CHARACTER, 0, _UTF8, None, None)
        if self._failure is not None:
            raise self._failure
        if status or not self._pieces:
            raise CurvoxError(f'espeak-ng could not say "{text}" (status {status}, {len(self._pieces)} buffers)')
        return np.concatenate(self._pieces).astype(np.float32) / 32768.0

    def close(self) -> None:
        """Unload the library and delete its copy; calling it twice does no harm."""
        if self._library is not None:
            self._library.espeak_Terminate()
            _ctypes.dlclose(self._library._handle)
            self._library = None
            self._file.unlink()

    def __enter__(self) -> Espeak:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_library(self) -> ctypes.CDLL:
        if self._library is None:
            raise CurvoxError("this synthesiser is closed; say everything inside its `with` statement")
        return self._library

    def _start(self, library: ctypes.CDLL, folder: Path, seed: int) -> None:
        library.espeak_Initialize.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
        library.espeak_SetSynthCallback.argtypes = (_CALLBACK,)
        library.espeak_SetSynthCallback.restype = None
        library.espeak_SetVoiceByName.argtypes = (ctypes.c_char_p,)
        library.espeak_SetParameter.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int)
        library.espeak_ng_SetRandSeed.argtypes = (ctypes.c_long,)
        where, pointer = (ctypes.c_uint, ctypes.c_int, ctypes.c_uint), ctypes.c_void_p
        library.espeak_Synth.argtypes = (ctypes.c_char_p, ctypes.c_size_t, *where, ctypes.c_uint, pointer, pointer)
        rate = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, os.fsencode(folder.absolute()), _DO_NOT_EXIT)
        if rate != SAMPLING_RATE_HZ:
            raise CurvoxError(f"espeak-ng should start at {SAMPLING_RATE_HZ} Hz, got {rate}; reinstall espeakng-loader")
        library.espeak_SetSynthCallback(self._callback)
        library.espeak_ng_SetRandSeed(seed)

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        """Take one buffer; return 1 to make espeak-ng stop. An exception may not pass through C, so it is kept."""
        try:
            if samples and count > 0:
                self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
            return int(sum(piece.size for piece in self._pieces) >= self._wanted_samples)
        except BaseException as failure:
            self._failure = failure
            return 1


def _load_copy(copy: Path) -> ctypes.CDLL:
    """Copy the library to ``copy`` and load it from there: one file is only ever loaded once, with its state."""
    library, _ = _installed()
    shutil.copyfile(library, copy)
    try:
        return ctypes.CDLL(str(copy))
    except OSError as error:
        raise CurvoxError(
            f"espeak-ng could not be loaded from {copy.parent} ({error}); if that folder forbids programs, "
            "point the environment variable TMPDIR to one that allows them"
        ) from error


def _installed() -> tuple[Path, Path]:
    """Return the paths of the library and of the data folder that the wheel brought."""
    how = "which is not installed; pip install 'curvox[demo]'"
    espeakng_loader = import_extra("espeakng_loader", f"synthetic voices need the package espeakng-loader, {how}")
    return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())


def _data_folder(folder: Path) -> Path:
    return folder / "espeak-ng-data"

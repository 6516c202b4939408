"""The file of a waveform store: written whole or not at all, by one process at a time.

In this order: a magic line, all samples as little-endian int16 without gaps, the offsets of the recordings as
int64, a JSON text (fingerprint, rate, failures), and a trailer with the length of that text.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from curvox.audio.decoding import FORMAT_VERSION, DecodingJob, Failure
from curvox.errors import AudioError, CurvoxError
from curvox.files import clear_leftovers, locked, whole_file

HEAD = b"curvox waves 1\n\n"
_TRAILER = struct.Struct("<Q8s")
_TRAILER_MAGIC = b"cvxwaves"


def write_store(path: Path, job: DecodingJob, fingerprint: str) -> None:
    """Write the store under a temporary name, make sure it is on the disk, then give it its name."""
    with whole_file(path) as file:
        _write_content(file, job, fingerprint)


def _write_content(file: IO[bytes], job: DecodingJob, fingerprint: str) -> None:
    lengths = np.zeros(len(job.paths), dtype=np.int64)
    failures: list[Failure] = []
    file.write(HEAD)
    with closing(job.results()) as results:
        for index, result in enumerate(results):
            if isinstance(result, AudioError):
                failures.append(Failure(job.paths[index], str(result), index))
            else:
                lengths[index] = len(result)
                file.write(result.data)
            if job.progress is not None:
                job.progress(index + 1, len(job.paths))
    if len(failures) == len(job.paths):
        raise AudioError(f"none of the {len(failures)} recordings can be read; the first: {failures[0].message}")
    meta = {
        "version": FORMAT_VERSION,
        "fingerprint": fingerprint,
        "sampling_rate_hz": job.sampling_rate_hz,
        "recordings": len(job.paths),
        "failures": [asdict(failure) | {"path": str(failure.path)} for failure in failures],
    }
    text = json.dumps(meta).encode()
    file.write(np.concatenate(([0], np.cumsum(lengths))).astype("<i8").tobytes())
    file.write(text)
    file.write(_TRAILER.pack(len(text), _TRAILER_MAGIC))


def read_index(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    """Read a store's JSON text and offsets, checking that the file is whole."""
    refusal = f'"{path}" is not a whole waveform store; delete it and build it again'
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size < len(HEAD) + _TRAILER.size:
                raise CurvoxError(refusal)
            file.seek(-_TRAILER.size, os.SEEK_END)
            n_text, magic = _TRAILER.unpack(file.read())
            if magic != _TRAILER_MAGIC or n_text > size:
                raise CurvoxError(refusal)
            file.seek(size - _TRAILER.size - n_text)
            meta = json.loads(file.read(n_text))
            n_index = 8 * (meta["recordings"] + 1)
            file.seek(size - _TRAILER.size - n_text - n_index)
            offsets = np.frombuffer(file.read(n_index), dtype="<i8")
    except FileNotFoundError as error:
        raise CurvoxError(f'the waveform store "{path}" does not exist; build it again') from error
    except (ValueError, KeyError, TypeError) as error:
        raise CurvoxError(refusal) from error
    if size != len(HEAD) + 2 * int(offsets[-1]) + n_index + n_text + _TRAILER.size:
        raise CurvoxError(refusal)
    return meta, offsets


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CurvoxError(
            f'the waveform cache "{path.parent}" cannot be written: {error.strerror or error}; free some space or '
            "name another folder for the cache. What was there before is untouched"
        ) from error


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let one process at a time build ``path``, and clear away what a killed one left half done.

    Where there are no locks builders repeat each other's work, safely.
    """
    with locked(path.with_name(f"{path.name}.lock")) as lock:
        if lock.held:
            clear_leftovers(path)
        yield

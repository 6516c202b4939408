"""CN-Celeb1 and 2 in small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curvox.testing.dummies.sound import write_lines, write_recording

TRAINED_ON = ("id00000", "id00001")
EVALUATED = ("id00800", "id00801")
NAMES = ("singing-01-001", "singing-01-002", "interview-02-001", "live_broadcast-03-001")
# Those of an evaluated speaker that are enrolled, and those that are tested; the last is neither.
ENROLLED, TESTED = NAMES[:2], NAMES[2:3]


def lay_out_cnceleb1(folder: Path) -> Path:
    """Lay out CN-Celeb1: ``data/``, ``dev/``, ``eval/`` with its lists, which say .wav where the files are .flac."""
    _write_data(folder / "data", (*TRAINED_ON, *EVALUATED))
    write_lines(folder / "dev" / "dev.lst", *TRAINED_ON)
    for speaker in EVALUATED:
        write_recording(folder / "eval" / "enroll" / f"{speaker}-enroll.flac", speaker)
        for name in TESTED:
            write_recording(folder / "eval" / "test" / f"{speaker}-{name}.flac", speaker, take=name)
    lists = folder / "eval" / "lists"
    tests = [f"test/{speaker}-{name}.wav" for speaker in EVALUATED for name in TESTED]
    write_lines(lists / "enroll.lst", *(f"{s}-enroll enroll/{s}-enroll.wav" for s in EVALUATED))
    models = (" ".join([f"{s}-enroll", *(f"{s}/{name}.wav" for name in ENROLLED)]) for s in EVALUATED)
    write_lines(lists / "enroll.map", *models)
    write_lines(lists / "test.lst", *tests)
    pairs = [(speaker, test) for speaker in EVALUATED for test in tests]
    write_lines(lists / "trials.lst", *(f"{s}-enroll {test} {int(test[5:12] == s)}" for s, test in pairs))
    return folder


def lay_out_cnceleb2(folder: Path) -> Path:
    """Lay out CN-Celeb2: ``data/`` and the list of its speakers."""
    speakers = ("id10000", "id10001")
    _write_data(folder / "data", speakers)
    write_lines(folder / "spk.lst", *speakers)
    return folder


def _write_data(folder: Path, speakers: Sequence[str]) -> None:
    for speaker in speakers:
        for name in NAMES:
            write_recording(folder / speaker / f"{name}.flac", speaker, take=name)

"""Results as plain values that can be kept as JSON and compared: for `same_results.py`."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

TOLERANCE, FLOOR = 1e-6, 1e-9
"""Largest relative difference that passes, and the absolute one that does."""

SHOWN = 20
"""Values of an array that are kept beside its hash."""

LEFT_OUT = {
    # keys of JSON, and the reason
    "seconds": "time",
    "date": "time",
    "created": "time",
    "versions": "of libraries",
    "torch": "version",
    "pytorch-lightning_version": "version",
    "command": "a command line",
    "cores": "of the machine",
}
PROSE = re.compile(
    r"(^|/)(title|why\w*|notes?|warnings?|mechanism|remedy|page|text|message|measure|healthy|too_small|space|where|facts|"
    r"calibration|cohort|said|words|unit)(/|$|\[)"
)
"""Paths of values that people read: text there may change, which is told but does no harm. Numbers there may not."""

ALLOWED: dict[str, str] = {}
"""Regular expressions of ITEM/PATH that may differ, each with its reason: the changes made on purpose."""

SKIPPED = re.compile(r"\.(html|svg|png|md|tex|lock|waves|log)$|tfevents|(^|/)\.|hparams")
"""Files that are not compared: pages and pictures, decoded audio, and TensorBoard's, which hold times."""


def read_folder(folder: Path, *, only: str = "") -> dict[str, Any]:
    """Read all files below a folder that are compared, by their paths."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)): path for path in paths}
    return {k: read_result(v) for k, v in names.items() if not SKIPPED.search(k) and re.search(only, k)}


def read_result(path: Path) -> Any:
    """Read a file by its ending: JSON, YAML and tables as values, arrays as arrays, everything else as its hash."""
    match path.suffix:
        case ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        case ".yaml":
            return yaml.safe_load(path.read_text(encoding="utf-8"))
        case ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        case ".safetensors":
            from safetensors.torch import load_file

            return {name: tensor.detach().numpy() for name, tensor in load_file(path).items()}
        case ".csv" | ".tsv" | ".txt":
            separator = {".csv": ",", ".tsv": "\t"}.get(path.suffix, " ")
            with path.open(encoding="utf-8", newline="") as file:
                return [[_number(cell) for cell in row] for row in csv.reader(file, delimiter=separator)]
        case ".tar":
            with tarfile.open(path) as archive:
                return [[m.name, m.size, _hash(archive.extractfile(m).read())] for m in archive if m.isfile()]  # pyright: ignore
        case _:
            return _hash(path.read_bytes())


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def comparable(value: Any, hidden: Mapping[str, str]) -> Any:
    """Turn a result into plain values: arrays become a hash with some numbers, paths of this machine their names."""
    if isinstance(value, Mapping):
        return {str(key): comparable(of, hidden) for key, of in value.items() if key not in LEFT_OUT}
    if isinstance(value, list | tuple):
        return [comparable(of, hidden) for of in value]
    if isinstance(value, np.ndarray):
        return _array(value, hidden)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str):
        for path, name in hidden.items():
            value = value.replace(path, name)
        return value
    return value


def _array(values: np.ndarray, hidden: Mapping[str, str]) -> Any:
    if values.dtype.kind not in "fiub":
        return comparable(values.tolist(), hidden)
    wide = values.astype(np.float64)
    some = wide.ravel()[:: max(1, wide.size // SHOWN)][:SHOWN]
    return {
        "$array": [str(values.dtype), *values.shape],
        "sha256": _hash(np.ascontiguousarray(values).tobytes()),
        "norm": float(np.linalg.norm(wide)),
        "sum": float(wide.sum()),
        "some": some.tolist(),
    }


@dataclass
class Comparison:
    """What two versions of an item have in common."""

    largest: float = 0.0
    where: str = ""
    values: int = 0
    reworded: int = 0
    allowed: dict[str, str] = field(default_factory=dict)
    different: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.different)

    @property
    def verdict(self) -> str:
        if self.different:
            return "DIFFERENT"
        return "equal" if self.largest == 0.0 else "within 1e-6"

    def detail(self) -> str:
        """The largest difference and where it is, texts that were changed, and the first differences."""
        parts = [f"{self.values} values"] if self.values else []
        if self.largest:
            parts.append(f"largest {self.largest:.1e} at {self.where}")
        if self.reworded:
            parts.append(f"{self.reworded} texts reworded")
        parts += [f"allowed: {path} ({reason})" for path, reason in self.allowed.items()]
        if self.different:
            more = f" and {len(self.different) - 3} more" if len(self.different) > 3 else ""
            parts.append("; ".join(self.different[:3]) + more)
        return ", ".join(parts)

    def differ(self, path: str, what: str) -> None:
        for pattern, reason in ALLOWED.items():
            if re.search(pattern, path):
                self.allowed[path] = reason
                return
        self.different.append(f"{path.partition('/')[2]}: {what}")


def compare_values(kept: Any, found: Any, path: str) -> Comparison:
    """Compare two results of an item."""
    comparison = Comparison()
    _compare(kept, found, path, comparison)
    return comparison


def _compare(kept: Any, found: Any, path: str, seen: Comparison) -> None:
    if isinstance(kept, dict) and isinstance(found, dict):
        if "$array" in kept and "$array" in found:
            return _compare_arrays(kept, found, path, seen)
        for key in [*kept, *(key for key in found if key not in kept)]:
            if key in kept and key in found:
                _compare(kept[key], found[key], f"{path}/{key}", seen)
            else:
                seen.differ(f"{path}/{key}", "is missing" if key in kept else "is new")
        return None
    if isinstance(kept, list) and isinstance(found, list):
        if len(kept) != len(found):
            prose = PROSE.search(path) and all(isinstance(of, str) for of in [*kept, *found])
            if prose:
                seen.reworded += 1
            else:
                seen.differ(path, f"has {len(found)} entries, had {len(kept)}")
            return None
        for number, (a, b) in enumerate(zip(kept, found, strict=True)):
            _compare(a, b, f"{path}[{number}]", seen)
        return None
    seen.values += 1
    if isinstance(kept, int | float) and isinstance(found, int | float) and not {type(kept), type(found)} & {bool}:
        return _compare_numbers(kept, found, path, seen)
    if kept == found and type(kept) is type(found):
        return None
    if isinstance(kept, str) and isinstance(found, str) and PROSE.search(path):
        seen.reworded += 1
        return None
    seen.differ(path, f"{_short(kept)} became {_short(found)}")
    return None


def _compare_arrays(kept: dict[str, Any], found: dict[str, Any], path: str, seen: Comparison) -> None:
    seen.values += 1
    if kept["$array"] != found["$array"]:
        seen.differ(path, f"is {found['$array']}, was {kept['$array']}")
    elif kept["sha256"] != found["sha256"]:
        # The numbers are judged by the size of the array: single entries may be near zero.
        size = max(kept["norm"], FLOOR)
        pairs = [("norm", kept["norm"], found["norm"]), ("sum", kept["sum"], found["sum"])]
        pairs += [(f"some[{i}]", a, b) for i, (a, b) in enumerate(zip(kept["some"], found["some"], strict=True))]
        for name, a, b in pairs:
            _note(abs(a - b) / size, f"{path}/{name}", f"{a!r} became {b!r}", seen)
        seen.largest = max(seen.largest, 1e-16)  # not one bit for bit, wherever it differs


def _compare_numbers(kept: float, found: float, path: str, seen: Comparison) -> None:
    if kept == found or (math.isnan(kept) and math.isnan(found)):
        return
    difference = abs(kept - found)
    relative = difference / max(abs(kept), abs(found)) if math.isfinite(difference) else math.inf
    if math.isnan(relative):
        relative = math.inf
    whole = isinstance(kept, int) and isinstance(found, int)
    passes = difference <= FLOOR and not whole
    _note(min(relative, TOLERANCE) if passes else relative, path, f"{kept!r} became {found!r}", seen)


def _note(relative: float, path: str, what: str, seen: Comparison) -> None:
    if not relative <= TOLERANCE:
        seen.differ(path, what)
    elif relative > seen.largest:
        seen.largest, seen.where = relative, path.partition("/")[2]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

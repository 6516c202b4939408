"""What reading a large manifest costs: seconds, and the peak of memory above that of the imports.

    python benchmarks/manifest.py [--utterances 1000000] [--files 20000] [--save]

Makes a manifest.tsv as `curvox data prepare voxceleb2` writes it: made-up speakers with 20 videos on average and 8
utterances in each. Read without and with a look at the files; the second with a smaller manifest, for which empty
recordings (one byte each) are laid out. Every figure comes from a process of its own. ``--save`` writes
benchmarks/results/manifest.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "manifest.md"
HEADER = (
    "utterance", "path", "corpus", "speaker", "session", "gender", "language", "native_language", "nationality",
    "channel", "sampling_rate_hz", "duration_s", "split",
)  # fmt: skip
DOORS = ("read_corpus", "check_corpus")
_MB = 2**20


def main() -> None:
    arguments = _arguments()
    if arguments.measure:
        door, manifest, check_files = arguments.measure
        print(json.dumps(measure(door, Path(manifest), check_files == "files")))
        return
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        large = write_manifest(Path(temporary) / "large", arguments.utterances, with_files=False)
        small = write_manifest(Path(temporary) / "small", arguments.files, with_files=True)
        cases = [(large, arguments.utterances, "no"), (small, arguments.files, "files")]
        for manifest, utterances, check_files in cases:
            for door in DOORS:
                measured = _in_own_process(door, manifest, check_files)
                rows.append((door, utterances, manifest.stat().st_size / _MB, check_files, measured))
    table = _table(rows)
    print(table)
    if arguments.save:
        RESULT.write_text(_page(table), encoding="utf-8")


def write_manifest(folder: Path, utterances: int, *, with_files: bool) -> Path:
    """Write ``folder``/manifest.tsv of so many utterances; recordings of one byte beside it if wanted."""
    folder.mkdir()
    manifest = folder / "manifest.tsv"
    with manifest.open("w", encoding="utf-8") as file:
        file.write("\t".join(HEADER) + "\n")
        for number in range(utterances):
            speaker, video, clip = number // 160, number // 8, number % 8
            speaker_id, session = f"id{speaker:05d}", f"v{video * 2654435761 % 2**32:010x}"
            path = f"dev/aac/{speaker_id}/{session}/{clip:05d}.m4a"
            length_s = 4 + number * 7919 % 9000 / 1000
            cells = (path, path, "voxceleb2", speaker_id, session, "fm"[speaker % 2], "", "", "", "", "16000",
                     f"{length_s:.3f}", "test" if speaker % 50 == 0 else "train")  # fmt: skip
            file.write("\t".join(cells) + "\n")
            if with_files:
                recording = folder / path
                recording.parent.mkdir(parents=True, exist_ok=True)
                recording.write_bytes(b"x")
    return manifest


def measure(door: str, manifest: Path, check_files: bool) -> dict[str, float]:
    """Return seconds, and megabytes of peak memory above what the imports took, of one reading."""
    from curvox import corpora

    before = _peak_mb()
    start = time.process_time(), time.perf_counter()
    found = getattr(corpora, door)(manifest, check_files=check_files)
    seconds = [now - then for now, then in zip((time.process_time(), time.perf_counter()), start, strict=True)]
    utterances = len(found) if door == "read_corpus" else found.utterances
    return {"cpu_s": seconds[0], "seconds": seconds[1], "peak_mb": _peak_mb() - before, "utterances": utterances}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_own_process(door: str, manifest: Path, check_files: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", door, str(manifest), check_files]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _table(rows: list[tuple[str, int, float, str, dict[str, float]]]) -> str:
    lines = ["| | utterances | manifest, MB | files looked at | CPU, s | wall, s | peak, MB | bytes an utterance |",
             "|---|---:|---:|---|---:|---:|---:|---:|"]  # fmt: skip
    for door, utterances, size_mb, files, measured in rows:
        each = measured["peak_mb"] * _MB / utterances
        lines.append(
            f"| `{door}` | {utterances:,} | {size_mb:.0f} | {files.replace('files', 'yes')} | "
            f"{measured['cpu_s']:.1f} | {measured['seconds']:.1f} | {measured['peak_mb']:.0f} | {each:.0f} |"
        )
    return "\n".join(lines) + "\n"


def _page(table: str) -> str:
    machine = f"{platform.machine()}, {os.cpu_count()} processors with a load of {os.getloadavg()[1]:.1f}"
    when = f"Python {platform.python_version()}, {date.today().isoformat()}"
    return f"# Reading a large manifest\n\n{machine}, {when}. `python benchmarks/manifest.py --save`\n\n{table}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--save", action="store_true", help="Write benchmarks/results/manifest.md.")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""How long do ``import curvox`` and ``curvox --help`` take, and is torch left alone?

    python benchmarks/startup.py [--repeats 11]

Bare Python and the two take turns; printed are medians in seconds. What ``import curvox`` adds over Python should be
below 0.3 s, ``curvox --help`` should answer in less than 1 s.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = {
    "python": [sys.executable, "-c", "pass"],
    "import curvox": [sys.executable, "-c", "import curvox"],
    "curvox --help": [str(Path(sys.executable).with_name("curvox")), "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11)
    repeats = parser.parse_args().repeats
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(repeats):
        for name, command in PROGRAMS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"{name:16} {value:.3f} s")
    print(f"import curvox adds {medians['import curvox'] - medians['python']:.3f} s over Python")
    code = "import sys, curvox; print('torch' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    print(f"torch imported by import curvox: {loaded}")


if __name__ == "__main__":
    main()

"""Run a test again and again beside busy loops, which brings out what depends on who comes first.

    python benchmarks/repeated.py tests/training/test_processes.py::test_training__of_two_processes_goes_on_as_one
        [--times 30] [--busy 1]

The last lines of each run that fails are printed, and in the end how many did. Each busy loop takes a core for itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

SPIN = "while True: pass"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", help="what pytest calls it: a node id or a file")
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--busy", type=int, default=1)
    arguments = parser.parse_args()
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(arguments.busy)]
    try:
        failed = sum(_fails(arguments.test, time) for time in range(1, arguments.times + 1))
    finally:
        for process in spinning:
            process.kill()
    print(f"{failed} of {arguments.times} runs failed, beside {arguments.busy} busy")
    return min(failed, 1)


def _fails(test: str, time: int) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    words = done.stdout.splitlines()[-40:] if done.returncode else done.stdout.splitlines()[-1:]
    print(f"run {time}:", *words, sep="\n    ", flush=True)
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())

"""Run a test again and again beside busy loops, which brings out what depends on who comes first.

    python benchmarks/repeated.py [--times 30] [--busy 1]
        tests/training/test_processes.py::test_training__of_two_processes_goes_on_as_one_and_that_as_two_nodes

pytest tells each run, and in the end how many failed. Each busy loop wants a core for itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest


class Repeated:
    """Has pytest run each test so many times, with the fixtures of its module made once."""

    def __init__(self, times: int):
        self.times = times

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        metafunc.fixturenames.append("turn")
        metafunc.parametrize("turn", range(1, self.times + 1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", help="what pytest calls it: a node id or a file")
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--busy", type=int, default=1)
    arguments = parser.parse_args()
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(arguments.busy)]
    try:
        return pytest.main(["-v", "-p", "no:cacheprovider", arguments.test], plugins=[Repeated(arguments.times)])
    finally:
        for process in spinning:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())

"""The command ``curvox``, as a process of its own and in this one."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

CURVOX = Path(sys.executable).with_name("curvox")


def curvox(*arguments: str | Path, columns: int = 200) -> subprocess.CompletedProcess[str]:
    """Run the command as its users do."""
    return subprocess.run(
        [CURVOX, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "COLUMNS": str(columns)},
    )


def curvox_here(*arguments: str | Path, columns: int = 200) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, where torch is imported already: seconds less for each call.

    An exception that the command lets through arrives here as it is, where a process would print a traceback.
    """
    from curvox.cli import main

    words = ["curvox", *map(str, arguments)]
    said, complained = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", words)
        patch.setenv("COLUMNS", str(columns))
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            try:
                main()
                code = 0
            except SystemExit as end:
                code = end.code
    assert code is None or isinstance(code, int), code
    return subprocess.CompletedProcess(words, code or 0, said.getvalue(), complained.getvalue())

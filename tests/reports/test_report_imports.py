"""Reports are light until something is drawn."""

import subprocess
import sys


def test_import__brings_neither_torch_nor_matplotlib_nor_jinja():
    code = (
        "import sys, curvox.reports, curvox.diagnosis.verdict\n"
        "print([m for m in ('torch', 'matplotlib', 'jinja2', 'rich', 'lightning') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Puts what the table of causes says into docs/findings.md, between the marks of each cause.

    python docs/finding_facts.py

Headings, mechanisms, remedies and recipe lines come from `curvox.diagnosis.CAUSES`; the rest of the page is written by
hand and stays as it is. A test compares the page with the table.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import fill

from curvox.diagnosis import CAUSES

PAGE = Path(__file__).parent / "findings.md"


def facts(name: str) -> str:
    """Return what the table says of a cause, as it stands on the page."""
    cause = CAUSES[name]
    recipe = f"\n\n```yaml\n{cause.recipe}\n```" if cause.recipe else ""
    explained = ", ".join(f"[{effect}](#{effect})" for effect in cause.explains)
    explains = f"\n\n{_folded(f'It can explain {explained}.')}" if explained else ""
    mechanism, remedy = _folded(cause.mechanism), _folded(f"**Remedy.** {cause.remedy}")
    return f"### {cause.title} {{ #{name} }}\n\n{mechanism}\n\n{remedy}{recipe}{explains}"


def _folded(text: str) -> str:
    return fill(text, 118, break_long_words=False, break_on_hyphens=False)


def with_facts(page: str) -> str:
    """Return the page with the facts of today's table between its marks."""
    marked = r"(<!-- facts: (\w+) -->\n).*?(\n<!-- end of facts -->)"
    return re.sub(marked, lambda found: f"{found[1]}{facts(found[2])}{found[3]}", page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_facts(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

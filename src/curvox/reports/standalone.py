"""An inline figure as an SVG file of its own, which sees neither the colours of a page nor its theme."""

from __future__ import annotations

import re

_STYLE = """<style>
svg { color: #1c2128; background: #ffffff; }
@media (prefers-color-scheme: dark) {
  svg { color: #e6e9ed; background: #14171b; --paper: #14171b; --grid: #373e47;
        --series-1: #4ea3e0; --series-2: #f08a4b; --series-3: #2fc49a; --series-4: #e39ac2;
        --series-5: #f0b73d; --series-6: #8ed0f7; --series-7: #d9cf45; }
}
</style>"""


def standalone(svg: str) -> str:
    """Return a figure of `curvox.reports.drawing.draw` with a size and with its own colours, light and dark."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    size = "" if found is None else f' width="{found[1]}" height="{found[2]}"'
    head, rest = svg.split(">", 1)
    return f"{head}{size}>{_STYLE}{rest}\n"

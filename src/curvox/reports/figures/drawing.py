"""How a figure is drawn: its colours and marks, and the way from matplotlib to an SVG that lives inside a page.

Colours stand in the SVG as CSS variables with the light value as a fallback, so a page can swap them in the dark; text
stays text in the reader's own sans-serif, so that it is sharp, can be searched, and knows every script.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from curvox.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import LineStyleType, RcKeyType

# Okabe & Ito's colours, told apart with every common colour blindness; yellow darkened to be seen on white.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b5a800")
OTHER = "#8a929b"
INK = "#1c2128"
GRID = "#d4d9df"
PAPER = "#ffffff"

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[LineStyleType, ...] = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1.5, 1.2)))

_VARIABLES = {
    **{colour: f"var(--series-{i}, {colour})" for i, colour in enumerate(SERIES, start=1)},
    OTHER: f"var(--series-other, {OTHER})",
    INK: "currentColor",
    GRID: f"var(--grid, {GRID})",
    PAPER: f"var(--paper, {PAPER})",
}
_STYLE: dict[RcKeyType, Any] = {
    "svg.hashsalt": "curvox",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.labelsize": 11,
    "axes.linewidth": 0.8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "legend.columnspacing": 1.2,
    "legend.handletextpad": 0.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "lines.markeredgecolor": PAPER,
    "lines.markeredgewidth": 0.5,
}
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"


class Look(NamedTuple):
    """How one system is drawn everywhere on a page: no two of the first 56 look alike, in colour or without."""

    colour: str
    marker: str
    line: LineStyleType


def look(i: int) -> Look:
    """Return the look of the i-th system, counted from 0."""
    return Look(SERIES[i % len(SERIES)], MARKERS[i % len(MARKERS)], LINES[i % len(LINES)])


def plain(text: str) -> str:
    """Return a label as one line that XML can hold."""
    return " ".join(_NOT_IN_XML.sub("\ufffd", text).split())


def draw(size: tuple[float, float], paint: Callable[[Figure, Axes], None], *, name: str, label: str) -> str:
    """Return a figure of one pair of axes as inline SVG, the same text for the same input.

    Args:
        size: width and height in inches.
        paint: draws on the figure and its axes.
        name: stands before every id, so that figures of different names share a page.
        label: what a screen reader says in place of the picture.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("figures need matplotlib; install it: pip install matplotlib") from error
    file = io.StringIO()
    # The reader's own settings of matplotlib neither change the picture nor are changed.
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        # Scripts that matplotlib's font lacks are drawn by the reader's fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure, figure.add_subplot())
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(file.getvalue(), name, plain(label))


def _inline(document: str, name: str, label: str) -> str:
    """Turn a stand-alone SVG document into an element for a page."""
    root = ET.fromstring(document)
    for parent in list(root.iter()):
        for child in list(parent):
            # A style sheet inside would rule the whole page.
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    for element in root.iter():
        _settle(element, name)
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"xmlns": _SVG[1:-1], "viewBox": view, "role": "img", "aria-label": label})
    root.set("style", "font-family: system-ui, sans-serif; stroke-linejoin: round; stroke-linecap: butt")
    return ET.tostring(root, encoding="unicode")


def _settle(element: ET.Element, name: str) -> None:
    """Drop the namespaces, make the ids the figure's own, and put variables in place of colours."""
    element.tag = element.tag.removeprefix(_SVG)
    link = element.attrib.pop(_LINK, None)
    if link is not None:
        element.set("href", f"#{name}-{link.removeprefix('#')}")
    for key, value in list(element.attrib.items()):
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key == "clip-path":
            element.set(key, value.replace("url(#", f"url(#{name}-"))
        elif key == "style":
            element.set(key, _css(value))


def _css(style: str) -> str:
    style = re.sub(r"#[0-9a-f]{6}\b", lambda colour: _VARIABLES.get(colour[0], colour[0]), style)
    # The family is the page's; some versions write it with the size, in one property.
    return re.sub(r"font-family:[^;]*;?\s*", "", re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", style))

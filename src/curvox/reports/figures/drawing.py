"""How a figure is drawn: its colours, marks and axes, and the way from matplotlib to an SVG that lives inside a page.

Colours stand in the SVG as CSS variables with the light value as a fallback, so a page can swap them in the dark; text
stays text in the reader's own sans-serif, so that it is sharp, can be searched, and knows every script.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curvox.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
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


def draw_shares(
    size: tuple[float, float],
    sides: Sequence[tuple[str, NDArray[np.float64]]],
    edges: NDArray[np.float64],
    *,
    titles: tuple[str, str],
    name: str,
    label: str,
    alpha: float = 0.25,
    columns: int = 2,
    also: Callable[[Axes], None] | None = None,
) -> str:
    """Return histograms over one another as inline SVG.

    Args:
        size: as of `draw`, like ``name`` and ``label``.
        sides: name of each histogram, and the share in every bin as a fraction.
        edges: of the bins.
        titles: of the horizontal and the vertical axis.
        alpha: how opaque the areas are.
        columns: of the legend.
        also: draws something more on the axes.
    """

    def paint(figure: Figure, axes: Axes) -> None:
        for i, (title, shares) in enumerate(sides):
            colour, _, line = look(i)
            axes.stairs(100 * shares, edges, color=colour, fill=True, alpha=alpha, linewidth=0)
            axes.stairs(100 * shares, edges, color=colour, linestyle=line, linewidth=1.4, label=title)
        if also is not None:
            also(axes)
        axes.set(xlabel=titles[0], ylabel=titles[1], xlim=(edges[0], edges[-1]))
        axes.set_ylim(bottom=0)
        axes.grid(True, axis="y")
        figure.legend(loc="outside lower center", ncols=columns)

    return draw(size, paint, name=name, label=label)


def name_rows(axes: Axes, places: Sequence[float], names: Sequence[str], size: float = 10) -> None:
    """Put names beside rows, in place of an axis at the left; ``size`` is that of the letters."""
    axes.set_yticks(places, names, fontsize=size)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(True, axis="x")


def empty_disk(axes: Axes, radii: Iterable[float], width: float = 0.6) -> None:
    """Draw the rim of the unit disk and circles of some radii in it, their lines of a width in points."""
    from matplotlib.patches import Circle

    for radius in radii:
        axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor=GRID, linewidth=width, zorder=1))
    axes.add_patch(Circle((0, 0), 1.0, fill=False, edgecolor=INK, linewidth=1.0, clip_on=False))
    axes.set(xlim=(-1.01, 1.01), ylim=(-1.01, 1.01), aspect="equal")
    axes.set_axis_off()


def legend_handle(
    colour: str,
    marker: str = "none",
    line: LineStyleType = "none",
    *,
    label: str = "",
    size: float = 7.0,
    face: str | None = None,
    edge: str = PAPER,
    edge_width: float = 0.5,
    width: float = 1.8,
) -> Line2D:
    """Return the line and the mark of a legend entry; lengths are in points, ``face`` is ``colour`` where left out."""
    from matplotlib.lines import Line2D

    handle = Line2D([], [], color=colour, marker=marker, linestyle=line, markersize=size, linewidth=width, label=label)
    handle.set(markerfacecolor=face or colour, markeredgecolor=edge, markeredgewidth=edge_width)
    return handle


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

"""Draw the picture of every loss of the table: value and gradient over the distance to the target.

    python benchmarks/loss_pictures.py [NAME ...]

Writes docs/pictures/NAME.svg, which stands alone on light and dark pages, and, beside them, the numbers that are
drawn: docs/pictures/curves.json. The losses are run as their constructors make them. A test compares these numbers
with those of today's code, and each picture with its numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loss_profile import PROFILE_DIM, PROFILE_SPEAKERS, LossProfile, ProfileCurve, loss_profile

from curvox.losses import LOSSES, create_loss
from curvox.reports.figures.drawing import GRID, INK, draw, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"

_SIZE = (7.2, 3.0)
_TIE = "as near to a rival as to the own centre"

# An SVG shown as an image sees neither the page's colours nor its theme: it brings its own paper, by the reader's wish.
_STYLE = """<style>
svg { color: #1c2128; background: #ffffff; }
@media (prefers-color-scheme: dark) {
  svg { color: #e6e9ed; background: #1c2026; --paper: #1c2026; --grid: #373e47;
        --series-1: #4ea3e0; --series-2: #f08a4b; }
}
</style>"""


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    file = PICTURES / "curves.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in sys.argv[1:] or LOSSES:
        profile = loss_profile(create_loss(name, dim=PROFILE_DIM, speakers=PROFILE_SPEAKERS))
        numbers = known[name] = plain_numbers(profile)
        digest = hashlib.sha256(json.dumps(numbers).encode()).hexdigest()
        picture = loss_picture(profile, title=LOSSES[name].attribute, curves_id=digest[:16])
        (PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")
        print(f"{name}.svg")
    lines = [f"{json.dumps(name)}: {json.dumps(known[name])}" for name in LOSSES if name in known]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def plain_numbers(profile: LossProfile) -> dict[str, Any]:
    """The profile as JSON holds it, rounded to what a picture can show."""
    return json.loads(json.dumps(dataclasses.asdict(profile)), parse_float=lambda text: float(f"{float(text):.5g}"))


def loss_picture(profile: LossProfile, *, title: str, curves_id: str = "") -> str:
    """Return the picture of a loss, the same text for the same profile: left its value, right its gradient.

    Args:
        profile: what to draw.
        title: whose it is, for a screen reader.
        curves_id: written into the file as ``data-curves``, to tell later which numbers it shows.
    """

    def paint(figure: Figure, axes: Axes) -> None:
        axes.remove()
        value, gradient = figure.subplots(1, 2)
        for i, curve in enumerate(profile.curves):
            style = {"color": look(i).colour, "linestyle": look(i).line}
            value.plot(curve.distances, curve.values, **style)
            gradient.plot(curve.distances, curve.slopes, **style)
        gradient.axhline(0, color=INK, linewidth=0.8, zorder=1)
        for panel, label in ((value, "loss"), (gradient, "d loss / d distance")):
            if profile.tie is not None:
                panel.axvline(profile.tie, color=INK, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
            panel.set(xlabel=_axis(profile), ylabel=label)
            panel.set_xlim(0, max(curve.distances[-1] for curve in profile.curves))
            panel.grid(True, color=GRID)
        highest = max(max(curve.values) for curve in profile.curves)
        value.set_ylim(-0.02 * highest, 1.05 * highest)
        figure.set_layout_engine("constrained", wspace=0.08)
        handles, labels = _legend(profile)
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))

    svg = draw(_SIZE, paint, name="loss", label=f"{title}: value and gradient over the {_axis(profile)}.")
    return _standalone(svg, curves_id)


def _axis(profile: LossProfile) -> str:
    return f"{profile.axis}, {profile.unit}" if profile.unit else profile.axis


def _legend(profile: LossProfile) -> tuple[list[Line2D], list[str]]:
    from matplotlib.lines import Line2D

    looks = [look(i) for i in range(len(profile.curves))]
    handles = [Line2D([], [], color=one.colour, linestyle=one.line) for one in looks]
    labels = [_name(curve, profile.unit) for curve in profile.curves]
    if profile.tie is not None:
        handles.append(Line2D([], [], color=INK, linewidth=0.9, linestyle=(0, (1, 2))))
        labels.append(_TIE)
    return handles, labels


def _name(curve: ProfileCurve, unit: str) -> str:
    return curve.name if curve.standing is None else f"{curve.name} at {curve.standing:.2f} {unit}".rstrip()


def _standalone(svg: str, curves_id: str) -> str:
    """Give an inline figure a size of its own and its colours; they are variables with the light value as default."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    size = "" if found is None else f' width="{found[1]}" height="{found[2]}"'
    head, rest = svg.split(">", 1)
    return f'{head}{size} data-curves="{curves_id}">{_STYLE}{rest}\n'


if __name__ == "__main__":
    main()

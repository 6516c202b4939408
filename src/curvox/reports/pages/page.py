"""A report as one HTML file that needs nothing else: no script, no font, no picture, no request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curvox.errors import InputError, MissingExtraError
from curvox.files import refuse_existing, whole_file
from curvox.reports.citations import citations_for
from curvox.reports.figures.detection import (
    accents_by_size,
    det_figure,
    dev_eer_figure,
    disk_figure,
    eer_figure,
    loss_figure,
)
from curvox.reports.results import DiskPicture, Report, SystemResult
from curvox.reports.tables.evaluation import comparison_tests
from curvox.reports.tables.tables import (
    NOTHING,
    Cell,
    Metric,
    count,
    duration,
    groups_of,
    interval_title,
    metric_cell,
    metric_title,
    metrics_of,
)

if TYPE_CHECKING:
    from jinja2 import Template

DET_CAPTION = (
    "How often a stranger is accepted against how often a speaker is rejected, at every threshold, on axes warped by "
    "the normal quantile. Lower left is better; the mark is the equal error rate."
)
_LOSS_CAPTION = "Mean over each epoch. Different losses have different units: compare shapes, not heights."


@dataclass(frozen=True)
class _Row:
    title: str
    cells: tuple[Cell, ...]
    targets: str
    non_targets: str
    speakers: str
    reason: str


@dataclass(frozen=True)
class PageFigure:
    """A picture on a page, with its heading and what to read in it."""

    svg: str
    title: str
    caption: str


def write_page(report: Report, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a report as one self-contained HTML file, whole or not at all.

    Raises:
        OutputExistsError: the file exists, and ``overwrite`` is not set; nothing was written.
        InputError: the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file for the page, e.g. {path / 'report.html'}")
    if not overwrite:
        refuse_existing(path)
    page = render_page(report).encode()
    with whole_file(path, new=not overwrite) as file:
        file.write(page)


def render_page(report: Report) -> str:
    """Return the HTML of a report; the same text for the same report."""
    metrics = metrics_of(report.systems)
    values = {
        "title": report.title,
        "subtitle": report.subtitle,
        "report": report,
        "nothing": NOTHING,
        "metrics": [metric_title(metric) for metric in metrics],
        "interval_title": interval_title(report.systems),
        "pooled": [(system, _row(system, None, metrics), _training(system)) for system in report.systems],
        "figures": list(_figures(report.systems)),
        "disks": list(_disks(report.systems)),
        "groups": [
            (group, [_row(system, group, metrics) for system in report.systems]) for group in groups_of(report.systems)
        ],
        "resampling": resampling(report.systems),
        "timed": any(system.training_s is not None for system in report.systems),
        "bibtex": citations_for(report.papers),
        "tests": comparison_tests(report.comparison) if report.comparison else None,
    }
    return page_template("page.html.jinja").render(values)


def page_template(name: str) -> Template:
    """Return a template of a page: it escapes every text, and refuses a name that has no value."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError("pages need Jinja; install it: pip install jinja2") from error
    environment = Environment(
        loader=PackageLoader("curvox.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Figures alone enter as markup; they come from drawing.py, whose serialiser escapes what labels hold.
    environment.filters["svg"] = Markup
    return environment.get_template(name)


def _row(system: SystemResult, group: str | None, metrics: tuple[Metric, ...]) -> _Row:
    part = system.evaluation if group is None else system.evaluation.groups.get(group)
    cells = tuple(metric_cell(part, metric) for metric in metrics)
    return _Row(
        title=system.title,
        cells=cells,
        targets=count(part.targets) if part else NOTHING,
        non_targets=count(part.non_targets) if part else NOTHING,
        speakers=count(part.speakers) if part else NOTHING,
        # All figures missing is one reason; a single one missing shows its own in its cell.
        reason=cells[0].reason,
    )


def _training(system: SystemResult) -> tuple[str, str]:
    return (
        NOTHING if system.training_s is None else duration(system.training_s),
        NOTHING if system.parameters is None else count(system.parameters),
    )


def _figures(systems: tuple[SystemResult, ...]) -> Iterator[PageFigure]:
    missing = [f"{s.title} ({metric_cell(s.evaluation, 'eer').reason})" for s in systems if not s.evaluation.det]
    not_drawn = f" Not drawn: {', '.join(missing)}." if missing else ""
    if any(system.evaluation.det for system in systems):
        yield PageFigure(det_figure(systems), "DET curves", DET_CAPTION + not_drawn)
    intervals = interval_title(systems)
    caption = "Mark: equal error rate." + (f" Bar: {intervals}, by bootstrap over speakers." if intervals else "")
    yield PageFigure(eer_figure(systems), "Equal error rates", f"{caption} Left is better.")
    if any(record.loss is not None for system in systems for record in system.history):
        yield PageFigure(loss_figure(systems), "Learning curves: training loss", _LOSS_CAPTION)
    if any(record.dev_eer is not None for system in systems for record in system.history):
        caption = "On the dev trials, after every epoch. Lower is better."
        yield PageFigure(dev_eer_figure(systems), "Learning curves: EER on dev trials", caption)


def _disks(systems: tuple[SystemResult, ...]) -> Iterator[PageFigure]:
    pictures: list[tuple[int, SystemResult, DiskPicture]] = [(i, s, s.disk) for i, s in enumerate(systems) if s.disk]
    accents = accents_by_size([picture for _, _, picture in pictures])
    for i, system, picture in pictures:
        svg = disk_figure(picture, accents=accents, name=f"disk-{i}", title=system.title)
        space = f"Space: {system.space}. " if system.space else ""
        caption = f"{space}{count(len(picture.points))} utterances of {count(len(set(picture.speakers)))} speakers; "
        yield PageFigure(svg, system.title, f"{caption}stress {picture.stress:.3f}.")


def resampling(systems: tuple[SystemResult, ...]) -> str:
    """Say where the intervals come from, once for all systems that agree."""
    ways = dict.fromkeys(
        f"{count(part.resamples)} resamples of the speakers, seed {part.seed}"
        + (f", {count(part.redrawn)} drawn again for lack of a class" if part.redrawn else "")
        for part in (system.evaluation for system in systems)
        if part.resamples
    )
    return "; ".join(ways)

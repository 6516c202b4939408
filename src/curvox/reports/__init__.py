"""Reports: tables, figures, pages and citations. They render results and compute nothing."""

from curvox.reports.citations import BIBTEX, citations_for
from curvox.reports.figures import accents_by_size, det_figure, dev_eer_figure, disk_figure, eer_figure, loss_figure
from curvox.reports.page import render_page, write_page
from curvox.reports.results import DiskPicture, Report, SystemResult, installed_versions
from curvox.reports.tables import markdown_table, terminal_table

__all__ = [
    "BIBTEX",
    "DiskPicture",
    "Report",
    "SystemResult",
    "accents_by_size",
    "citations_for",
    "det_figure",
    "dev_eer_figure",
    "disk_figure",
    "eer_figure",
    "installed_versions",
    "loss_figure",
    "markdown_table",
    "render_page",
    "terminal_table",
    "write_page",
]

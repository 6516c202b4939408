"""Reports: tables, figures, pages and citations. They render results and compute nothing."""

from curvox.reports.bibtex import BIBTEX
from curvox.reports.citations import Paper, citations_for, paper_of
from curvox.reports.figures import accents_by_size, det_figure, dev_eer_figure, disk_figure, eer_figure, loss_figure
from curvox.reports.loss_pictures import loss_picture
from curvox.reports.page import render_page, write_page
from curvox.reports.results import DiskPicture, Report, SystemResult, installed_versions
from curvox.reports.tables import markdown_table, terminal_table

__all__ = [
    "BIBTEX",
    "DiskPicture",
    "Paper",
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
    "loss_picture",
    "markdown_table",
    "paper_of",
    "render_page",
    "terminal_table",
    "write_page",
]

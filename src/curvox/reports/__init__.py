"""Reports: tables, figures, pages and citations. They render results and compute nothing."""

from curvox.reports.bench_page import render_bench_page
from curvox.reports.bench_tables import bench_markdown
from curvox.reports.bibtex import BIBTEX
from curvox.reports.citations import Paper, citations_for, paper_of
from curvox.reports.clips import Clip, clips_of
from curvox.reports.comparison_tables import comparison_latex, comparison_markdown, comparison_tables
from curvox.reports.corpus_page import render_corpus_page
from curvox.reports.diagnosis_page import render_diagnosis_page
from curvox.reports.evaluation_page import render_evaluation_page
from curvox.reports.figure_tables import breakdown_table, figures_table
from curvox.reports.figures import accents_by_size, det_figure, dev_eer_figure, disk_figure, eer_figure, loss_figure
from curvox.reports.hierarchy_page import hierarchy_pictures, render_hierarchy_page
from curvox.reports.hierarchy_report import HierarchyReport
from curvox.reports.hierarchy_tables import measures_table
from curvox.reports.page import render_page, write_page
from curvox.reports.results import DiskPicture, Report, SystemResult
from curvox.reports.score_figures import calibration_figure, histogram_figure
from curvox.reports.tables import markdown_table, terminal_table
from curvox.reports.vital_figures import distance_figure, radius_figure, vital_figure

__all__ = [
    "BIBTEX",
    "Clip",
    "DiskPicture",
    "HierarchyReport",
    "Paper",
    "Report",
    "SystemResult",
    "accents_by_size",
    "bench_markdown",
    "breakdown_table",
    "calibration_figure",
    "citations_for",
    "clips_of",
    "comparison_latex",
    "comparison_markdown",
    "comparison_tables",
    "det_figure",
    "dev_eer_figure",
    "disk_figure",
    "distance_figure",
    "eer_figure",
    "figures_table",
    "hierarchy_pictures",
    "histogram_figure",
    "loss_figure",
    "markdown_table",
    "measures_table",
    "paper_of",
    "radius_figure",
    "render_bench_page",
    "render_corpus_page",
    "render_diagnosis_page",
    "render_evaluation_page",
    "render_hierarchy_page",
    "render_page",
    "terminal_table",
    "vital_figure",
    "write_page",
]

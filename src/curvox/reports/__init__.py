"""Reports: tables, figures, pages and citations. They render results and compute nothing."""

from curvox.reports.citations import BIBTEX, Paper, citations_for, paper_of
from curvox.reports.pages.bench import render_bench_page
from curvox.reports.pages.corpus import render_corpus_page
from curvox.reports.pages.diagnosis import render_diagnosis_page
from curvox.reports.pages.evaluation import render_evaluation_page, render_page, write_page
from curvox.reports.pages.hierarchy import HierarchyReport, hierarchy_pictures, render_hierarchy_page
from curvox.reports.pages.page import Clip, clips_of
from curvox.reports.results import DiskPicture, Report, SystemResult
from curvox.reports.tables.bench import bench_markdown
from curvox.reports.tables.evaluation import (
    breakdown_table,
    comparison_latex,
    comparison_markdown,
    comparison_tables,
    figures_table,
    markdown_table,
    terminal_table,
)
from curvox.reports.tables.hierarchy import measures_table

__all__ = [
    "BIBTEX", "Clip", "DiskPicture", "HierarchyReport", "Paper", "Report", "SystemResult", "bench_markdown",
    "breakdown_table", "citations_for", "clips_of", "comparison_latex", "comparison_markdown", "comparison_tables",
    "figures_table", "hierarchy_pictures", "markdown_table", "measures_table", "paper_of", "render_bench_page",
    "render_corpus_page", "render_diagnosis_page", "render_evaluation_page", "render_hierarchy_page", "render_page",
    "terminal_table", "write_page",
]  # fmt: skip

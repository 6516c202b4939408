"""Reports: tables, figures, pages and citations. They render results and compute nothing."""

from curvox.reports.citations import BIBTEX, Paper, citations_for, paper_of
from curvox.reports.cited import papers_behind
from curvox.reports.folders import (
    DIAGNOSIS_FILES,
    HIERARCHY_FILES,
    write_comparison_folder,
    write_diagnosis_folder,
    write_hierarchy_folder,
)
from curvox.reports.pages.bench import render_bench_page
from curvox.reports.pages.corpus import render_corpus_page
from curvox.reports.pages.diagnosis import render_diagnosis_page
from curvox.reports.pages.evaluation import render_evaluation_page, render_page, write_page
from curvox.reports.pages.hierarchy import HierarchyReport, hierarchy_pictures, render_hierarchy_page
from curvox.reports.pages.page import Clip, clips_of
from curvox.reports.results import DiskPicture, Report, SystemResult, system_result
from curvox.reports.tables.bench import bench_markdown
from curvox.reports.tables.decisions import decision_card_text, identification_text, verification_text
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
    "BIBTEX",
    "DIAGNOSIS_FILES",
    "HIERARCHY_FILES",
    "Clip",
    "DiskPicture",
    "HierarchyReport",
    "Paper",
    "Report",
    "SystemResult",
    "bench_markdown",
    "breakdown_table",
    "citations_for",
    "clips_of",
    "comparison_latex",
    "comparison_markdown",
    "comparison_tables",
    "decision_card_text",
    "figures_table",
    "hierarchy_pictures",
    "identification_text",
    "markdown_table",
    "measures_table",
    "paper_of",
    "papers_behind",
    "render_bench_page",
    "render_corpus_page",
    "render_diagnosis_page",
    "render_evaluation_page",
    "render_hierarchy_page",
    "render_page",
    "system_result",
    "terminal_table",
    "verification_text",
    "write_comparison_folder",
    "write_diagnosis_folder",
    "write_hierarchy_folder",
    "write_page",
]

"""Folders of results, each written as one act: the page, the pictures and the JSON of what is found."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from curvox.files import new_folder, replace_folder, replace_text
from curvox.records import to_json
from curvox.reports.pages.diagnosis import render_diagnosis_page
from curvox.reports.pages.evaluation import render_page
from curvox.reports.pages.hierarchy import HierarchyReport, hierarchy_pictures, render_hierarchy_page
from curvox.reports.pages.page import Clip
from curvox.reports.results import Report, SystemResult
from curvox.reports.tables.evaluation import comparison_latex, comparison_markdown

if TYPE_CHECKING:
    from curvox.diagnosis import Diagnosis, RunObservation
    from curvox.evaluating import Comparison, FinishedEvaluation

DIAGNOSIS_FILES = frozenset({"report.html", "diagnosis.json"})
HIERARCHY_FILES = frozenset({"report.html", "measures.json", "disk.svg", "dendrogram.svg", "radius.svg"})


def write_diagnosis_folder(
    folder: Path, diagnosis: Diagnosis, observation: RunObservation, *, name: str, command: str
) -> None:
    """Write page and JSON of a diagnosis, in the place of an earlier one."""
    from curvox.diagnosis import diagnosis_tree

    page = render_diagnosis_page(diagnosis, name=name, observation=observation, command=command)
    tree = to_json(diagnosis_tree(diagnosis, name=name))
    _replace(folder, {"report.html": page, "diagnosis.json": tree})


def write_hierarchy_folder(folder: Path, report: HierarchyReport, clips: Mapping[str, Clip]) -> None:
    """Write page, pictures and JSON of a label tree, in the place of an earlier one."""
    page = render_hierarchy_page(report, clips=clips)
    measures = to_json(report.measures.to_dict())
    _replace(folder, {"report.html": page, "measures.json": measures, **hierarchy_pictures(report)})


def _replace(folder: Path, texts: Mapping[str, str]) -> None:
    def write(fresh: Path) -> None:
        for name, text in texts.items():
            replace_text(fresh / name, text)

    replace_folder(folder, write)


def write_comparison_folder(folder: Path, comparison: Comparison, finished: Sequence[FinishedEvaluation]) -> None:
    """Write tables, JSON and page of a comparison into a folder that must not exist.

    Args:
        folder: where they go.
        comparison: of the systems.
        finished: their evaluations, in the same order.

    Raises:
        OutputExistsError: the folder exists.
    """
    report = _report(comparison, finished)

    def write(fresh: Path) -> None:
        for name, text in (
            ("comparison.md", comparison_markdown(comparison)),
            ("comparison.tex", comparison_latex(comparison)),
            ("comparison.json", to_json(comparison.to_dict())),
            ("report.html", render_page(report)),
        ):
            replace_text(fresh / name, text)

    new_folder(folder, write)


def _report(comparison: Comparison, finished: Sequence[FinishedEvaluation]) -> Report:
    """Return what the page shows: the figures of all systems, in the groups that all of them have."""
    evaluations = [of.evaluation for of in finished]
    common = [
        name
        for name in evaluations[0].groups
        if all(name in of.groups and of.groups[name].eer is not None for of in evaluations)
    ]
    systems = tuple(
        SystemResult(
            system.title,
            system.title,
            replace(evaluation, groups={name: evaluation.groups[name] for name in common}),
            parameters=of.report.scoring.parameters,
            space=of.report.scoring.space,
        )
        for system, of, evaluation in zip(comparison.systems, finished, evaluations, strict=True)
    )
    folders = [f"{of.report.scoring.name}/eval/{Path(of.place).name}" for of in finished]
    return Report(
        title=f"{len(systems)} systems on {comparison.trials}",
        subtitle=f"The same trials for all; each is tested against {systems[0].title}.",
        systems=systems,
        comparison=comparison,
        command=shlex.join(["curvox", "compare", *folders]),
    )

"""Label trees in a space, small, for the tests of their page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from curvox.geometry import AbstractSpace, PoincareBall
from curvox.hierarchy import (
    Measure,
    TreeMeasures,
    TreePaths,
    corpus_layout,
    node_dendrogram,
    planted_paths,
    tree_picture,
    unit_in_words,
)
from curvox.metrics import Interval
from curvox.reports.pages.hierarchy import HierarchyReport

LEVELS = ("language", "gender", "speaker", "session")


def made_up_paths(branching: Sequence[int] = (3, 2, 3, 2), items: int = 3, levels: Sequence[str] = LEVELS) -> TreePaths:
    return replace(planted_paths(branching, items), levels=tuple(levels))


def made_up_points(paths: TreePaths, space: AbstractSpace, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = 0.05 * rng.standard_normal((len(paths), 8))
    for place in range(len(paths.levels)):
        z += 0.5**place * rng.standard_normal((len(paths.names[place]), 8))[paths.nodes[:, place]]
    return space.project(torch.from_numpy(0.5 * z)).double().numpy()


def made_up_measures(paths: TreePaths, space: str = "poincare_ball") -> TreeMeasures:
    measures = [
        Measure("delta_relative", "δ-hyperbolicity", 0.123, None, Interval(0.111, 0.135), None, "lower", 77, note="N1"),
        *(
            Measure("purity", "Dendrogram purity", 0.5 + 0.1 * i, level, Interval(0.4, 0.95), 0.25, "higher", 1234 + i)
            for i, level in enumerate(paths.levels)
        ),
        Measure("leakage", "Leakage: gender read off within language", 0.91, "gender", None, 0.5, None, 50),
        Measure("leakage", "Leakage: session told within a speaker", 0.61, "session", None, 0.5, "lower", 60),
        Measure("depth_quality", "Radius and quality", None, None, None, None, None, 0, why_none="no radius here"),
        Measure("of_tomorrow", "A measure that this page does not know", 1.0, None, None, None, None, 1),
    ]
    return TreeMeasures(space, len(paths), 18, paths.levels, tuple(measures), 20, 3, 4321)


def made_up_report(
    space: AbstractSpace | None = None, paths: TreePaths | None = None, **changes: Any
) -> HierarchyReport:
    space = space or PoincareBall(c=2.0)
    paths = paths or made_up_paths()
    points = made_up_points(paths, space)
    layout = corpus_layout(space, points, pairs=2000)
    report = HierarchyReport(
        title="HAM-Softmax",
        corpus="voices/test",
        space="Poincaré ball, c = 2",
        unit=unit_in_words(space),
        utterances=tuple(f"recording {i}" for i in range(len(paths))),
        paths=paths,
        picture=tree_picture(space, points, paths, layout),
        dendrogram=node_dendrogram(space, points, paths),
        measures=made_up_measures(paths, str(space.describe()["name"])),
        notes=("Read me.",),
        command="curvox hierarchy ham",
    )
    return replace(report, **changes)

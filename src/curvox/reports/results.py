"""What a report shows: results as frozen records, made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curvox.errors import InputError
from curvox.evaluating import installed_versions
from curvox.metrics import Evaluation

if TYPE_CHECKING:
    from curvox.evaluating import Comparison
    from curvox.training import EpochRecord


@dataclass(frozen=True, eq=False)
class DiskPicture:
    """Utterances laid out in the Poincaré disk, each with its path in the label tree.

    Attributes:
        points: (M, 2) in the open unit disk; a tensor or nested lists are converted to float64.
        genders: the gender of each of the M utterances.
        accents: the accent group of each.
        speakers: the speaker of each.
        sessions: the session of each.
        stress: Kruskal's stress of the layout, 0 for a perfect picture.

    Raises:
        InputError: points of another shape, not finite or outside the disk; labels of another number.
    """

    points: NDArray[np.float64]
    genders: tuple[str, ...]
    accents: tuple[str, ...]
    speakers: tuple[str, ...]
    sessions: tuple[str, ...]
    stress: float

    def __post_init__(self) -> None:
        """Convert the points and the labels, and refuse what cannot be drawn."""
        points = np.asarray(self.points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise InputError(f"the points of a disk must be (M, 2) with M at least 1, got {points.shape}")
        if not (np.isfinite(points).all() and (np.linalg.norm(points, axis=1) < 1).all()):
            raise InputError("the points of a disk must be finite and of norm below 1; lay them out with embed_in_disk")
        object.__setattr__(self, "points", points)
        for level in ("genders", "accents", "speakers", "sessions"):
            labels = tuple(getattr(self, level))
            if len(labels) != len(points):
                raise InputError(f"{level} must name one label for each of the {len(points)} points, got {len(labels)}")
            object.__setattr__(self, level, labels)


@dataclass(frozen=True)
class SystemResult:
    """One system as a report shows it.

    Attributes:
        name: short and unique in a report, e.g. that of the recipe, "ham_softmax".
        title: for people, e.g. "HAM-Softmax".
        evaluation: its figures, pooled and by group.
        history: its learning curve.
        disk: a picture of its embeddings.
        parameters: how many numbers were learned for the embedding.
        training_s: wall-clock time of the training in seconds.
        space: where its embeddings live, e.g. "Poincaré ball, c = 1".
    """

    name: str
    title: str
    evaluation: Evaluation
    history: tuple[EpochRecord, ...] = ()
    disk: DiskPicture | None = None
    parameters: int | None = None
    training_s: float | None = None
    space: str = ""

    def part(self, group: str | None) -> Evaluation | None:
        """Return the figures of a group of trials, None if it has none; of all trials where no group is named."""
        return self.evaluation if group is None else self.evaluation.groups.get(group)


@dataclass(frozen=True)
class Report:
    """One page.

    Attributes:
        title: heading of the page.
        subtitle: one sentence below it.
        systems: what is compared, in the order of rows and colours.
        corpus: facts about the data, as (label, text).
        notes: paragraphs to read the results by.
        command: the command line that makes this page again.
        seed: of the training; None if it does not apply.
        papers: BibTeX keys of the methods used.
        versions: of the packages, as (name, version); those installed now if not given.
        comparison: how the systems differ from the first of them; None shows no tests.

    Raises:
        InputError: no system, or two of one name.
    """

    title: str
    subtitle: str
    systems: tuple[SystemResult, ...]
    corpus: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""
    seed: int | None = None
    papers: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = field(default_factory=installed_versions)
    comparison: Comparison | None = None

    def __post_init__(self) -> None:
        """Refuse a page without systems or with two that cannot be told apart."""
        check_systems(self.systems)


def check_systems(systems: tuple[SystemResult, ...]) -> None:
    """Refuse no systems at all, and two of one name."""
    if not systems:
        raise InputError("a report needs at least one system")
    names = [system.name for system in systems]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the names of systems must differ, got {', '.join(twice)} more than once")


def system_result(folder: str | Path, evaluation: Evaluation, *, disk: DiskPicture | None = None) -> SystemResult:
    """Gather what a report shows of a run: names, learning curve, size and time of its training.

    Args:
        folder: of the run or of its model.
        evaluation: its figures.
        disk: a picture of its embeddings.

    Raises:
        CheckpointError: the folder holds no whole model.
    """
    from curvox.embedder import load
    from curvox.evaluating import run_folder, title_of
    from curvox.training import read_facts, read_history

    run = run_folder(Path(folder))
    model = load(folder)
    facts = read_facts(run) if (run / "run.json").is_file() else None
    loss = model.description.get("training", {}).get("loss", {}).get("name", "")
    return SystemResult(
        name=run.name,
        title=title_of(loss) or run.name,
        evaluation=evaluation,
        history=read_history(run),
        disk=disk,
        parameters=sum(p.numel() for p in model.encoder.parameters()),
        training_s=facts and facts.seconds,
        space=model.space.in_words(),
    )

"""What the page of a label tree in a space shows, as one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curvox.errors import InputError

if TYPE_CHECKING:
    from curvox.hierarchy import NodeDendrogram, TreeMeasures, TreePaths, TreePicture


@dataclass(frozen=True, eq=False)
class HierarchyReport:
    """A label tree in the space of a model.

    Attributes:
        title: of the model, such as "HAM-Softmax".
        corpus: the recordings, such as "openvoices/test".
        space: in words.
        unit: what a distance of 1 in the picture is, in words.
        utterances: the n recordings.
        paths: of them in the tree.
        picture: what is drawn of them.
        dendrogram: grown from the middles of nodes; None where there are too few.
        measures: all numbers.
        notes: what a reader must know before the numbers, such as a level that is empty.
        command: how it was made; "" where no command did.

    Raises:
        InputError: parts of different numbers of recordings or different levels.
    """

    title: str
    corpus: str
    space: str
    unit: str
    utterances: tuple[str, ...]
    paths: TreePaths
    picture: TreePicture
    dendrogram: NodeDendrogram | None
    measures: TreeMeasures
    notes: tuple[str, ...] = ()
    command: str = ""

    def __post_init__(self) -> None:
        counts = {len(self.utterances), len(self.paths), len(self.picture.projected), self.measures.utterances}
        if len(counts) > 1:
            raise InputError(f"the parts of a report are of different numbers of recordings: {sorted(counts)}")
        drawn = tuple(level.level for level in self.picture.levels)
        if not self.paths.levels == drawn == self.measures.levels:
            raise InputError(
                f"the parts of a report are of different levels: {self.paths.levels}, {drawn}, {self.measures.levels}"
            )

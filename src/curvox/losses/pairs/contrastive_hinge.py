"""ContrastiveHinge: same-speaker pairs closer than one margin, others farther than another (Hadsell et al. 2006)."""

from __future__ import annotations

from torch import Tensor

from curvox.errors import InputError
from curvox.geometry import AbstractSpace
from curvox.losses.pairs.hinge import AbstractPairHinge
from curvox.losses.pairs.pairs import checked_space, inputs_of_pairs, pair_hinge, require_margin


def contrastive_hinge_losses(
    x: Tensor,
    y: Tensor,
    same: Tensor,
    *,
    m_same: float = 0.3,
    m_different: float = 1.2,
    space: AbstractSpace | None = None,
) -> Tensor:
    """``max(0, d - m_same)`` of each same-speaker pair, ``max(0, m_different - d)`` of each other pair.

    Hadsell, Chopra & LeCun 2006 (doi:10.1109/CVPR.2006.100), without their squares.

    Args:
        x: (P, D) raw embeddings.
        y: (P, D) raw embeddings.
        same: (P,) boolean, True where x and y are of one speaker.
        m_same: distance up to which a same-speaker pair costs nothing, in [0, m_different).
        m_different: distance from which a different-speaker pair costs nothing, below the largest of the space.
        space: where distances are measured; default `Hypersphere`, in radians.

    Returns:
        (P,) losses, at least 0.

    Raises:
        InputError: wrong shapes or types, margins outside their meaning.
    """
    x, y = inputs_of_pairs(x, y, same)
    space = checked_space(space)
    m_same, m_different = _checked_margins(m_same, m_different, space)
    distance = space.distance(space.project(x), space.project(y))
    return pair_hinge(distance, same, m_same=m_same, m_different=m_different)


class ContrastiveHinge(AbstractPairHinge):
    """ContrastiveHinge: pull same-speaker pairs within one margin, push others beyond another (Hadsell et al. 2006).

    Formula:
            same speaker        max(0, d - m_same)
            different speakers  max(0, m_different - d)
            value = mean over same-speaker pairs + mean over different-speaker pairs

    d is the distance of the space, in radians on the hypersphere. Each pair's term is shared by its two recordings.

    Args:
        dim: D, of the embeddings.
        m_same: distance up to which a same-speaker pair costs nothing, in [0, m_different).
        m_different: distance from which a different-speaker pair costs nothing, below the largest distance of the
            space. A margin scale multiplies this margin alone.
        space: `Euclidean`, `Hypersphere` (default) or `PoincareBall`; outside the hypersphere choose both margins in
            its distances.
        mining: "all", "semi_hard", "hardest" or "distance_weighted": which pairs the two means are over.

    Published:
        a squared hinge with m_same = 0 in Euclidean space; margins differ from corpus to corpus.

    When:
        Fine-tuning on pairs, and tasks whose labels are pairs rather than speakers. It fixes what a distance means,
        so that one threshold holds for all speakers.

    What goes wrong:
        With mining "all" nearly every different-speaker pair soon lies beyond its margin (different_active in the log
        falls to a few percent) and the mean of the push fades: use "hardest". Margins too close to each other leave
        speakers overlapping; m_same at 0 never rests.
    """

    def __init__(
        self,
        dim: int,
        *,
        m_same: float = 0.3,
        m_different: float = 1.2,
        space: AbstractSpace | None = None,
        mining: str = "all",
    ) -> None:
        space = checked_space(space)
        m_same, m_different = _checked_margins(m_same, m_different, space)
        super().__init__(dim, m_same=m_same, m_different=m_different, space=space, mining=mining)
        self.margin_scale_limit = float(space.max_distance) / m_different

    def log_variances(self, embeddings: Tensor) -> None:
        return None

    def divergence(self, distance: Tensor, first: Tensor | None, second: Tensor | None) -> Tensor:
        return distance


def _checked_margins(m_same: float, m_different: float, space: AbstractSpace) -> tuple[float, float]:
    m_same = require_margin(m_same, "m_same", space)
    m_different = require_margin(m_different, "m_different", space)
    if m_same >= m_different:
        raise InputError(
            f"m_same must be below m_different, or same-speaker pairs may lie farther apart than others; "
            f"got m_same {m_same:g} and m_different {m_different:g}"
        )
    return m_same, m_different

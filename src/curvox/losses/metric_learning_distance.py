"""A space of curvox in the shape of a distance of pytorch-metric-learning; imported only where that package is."""

from pytorch_metric_learning.distances import BaseDistance
from torch import Tensor

from curvox.geometry import AbstractSpace


class SpaceDistance(BaseDistance):
    """Distances of raw embeddings after ``space.project``: small when close, never normalised, at least float32.

    Args:
        space: where the embeddings are compared.
        owns_space: register the space, so that what it learns is among this module's parameters. A loss that holds
            the space itself says no, or the space would stand in its ``state_dict`` twice.
    """

    def __init__(self, space: AbstractSpace, *, owns_space: bool) -> None:
        super().__init__(normalize_embeddings=False, p=2, power=1, is_inverted=False)
        if owns_space:
            self.space = space
        else:
            object.__setattr__(self, "space", space)

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor | None) -> Tensor:
        """(B, N) distances of raw (B, D) and (N, D)."""
        points = self.space.project(query_emb)
        others = points if ref_emb is None or ref_emb is query_emb else self.space.project(ref_emb)
        return self.space.pairwise_distance(points, others)

    def pairwise_distance(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        """(B,) distances of raw (B, D) and (B, D), row by row and by direct difference."""
        return self.space.distance(self.space.project(query_emb), self.space.project(ref_emb))

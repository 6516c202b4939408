"""HAM-Softmax: hyperbolic additive margin softmax (Fang and He 2026, arXiv:2601.19709)."""

from __future__ import annotations

from torch import Tensor

from curvox.geometry import AbstractSpace, PoincareBall, Published
from curvox.losses.hyperbolic import AbstractHyperbolicLoss


class HAMSoftmax(AbstractHyperbolicLoss):
    """HAM-Softmax: a margin on the hyperbolic distance (Fang and He 2026, arXiv:2601.19709).

    Formula:
            t   = −s (d_y + m)
            r_j = −s d_j
            loss = log( exp(t) + Σ_{j≠y} exp(r_j) ) − t
            d_j = d(x, x_j),  x and x_j the lifted embedding and centre of speaker j
            d(x, x') = arcosh(1 + u) / √c,   u = 2c |x − x'|² / ((1 − c|x|²)(1 − c|x'|²))

    The ball has curvature −c. Embeddings and centres enter it through the same lift.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, per unit of distance, above 0; published 30.
        margin: m, in units of the distance, at least 0; published 0.2.
        learn_scale: learn s, within a factor of ten of ``scale``, instead of keeping it.
        centre_std: standard deviation of the raw centres' coordinates at the start, above 0. At 0.1, in 192 dimensions,
            they start on the rim of the ball, where the embeddings are; published 1e-3, all of them at the origin.
        centres: "plain" trains the raw centres as ordinary parameters; "riemannian" keeps them on the ball as geoopt's
            `ManifoldParameter`, for its Riemannian optimisers (Bécigneul and Ganea 2019; needs the extra `riemannian`).
        space: `PoincareBall`; default the published one, ``PoincareBall(lift=Published(curvature=3.0))``.

    Published:
        s = 30, m = 0.2, centre_std = 1e-3, a ball of c = 1 clipped at 1/√3; the paper's "curvature 3" is this clip.

    When:
        For embeddings that may hold a tree, such as gender, accent, speaker, session; the loss this project is named
        for. Its defaults are the published setting but for centres that start on the rim, which was the best of the
        hyperbolic settings tried on openvoices.

    What goes wrong:
        The margin is a length: what 0.2 means depends on how far the space reaches, and on c, and a margin near the
        largest distance can be kept by nobody. With centres that start close to the origin every rival is at first
        as near as the own centre and breaks the margin: warm it up. With a clipping lift and a batch-normalised encoder
        no length is learnt: `distance_to_origin` is a flat line; try the lift `soft_clip`.
    """

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        scale: float = 30.0,
        margin: float = 0.2,
        learn_scale: bool = False,
        centre_std: float = 0.1,
        centres: str = "plain",
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(
            dim,
            speakers,
            scale=scale,
            margin=margin,
            learn_scale=learn_scale,
            centre_std=centre_std,
            centres=centres,
            space=PoincareBall(lift=Published(curvature=3.0)) if space is None else space,
        )

    def target_similarity(self, own: Tensor) -> Tensor:
        return -(own + self.margin)

"""H-Softmax: softmax over hyperbolic distances (Fang and He 2026, arXiv:2601.19709)."""

from __future__ import annotations

from torch import Tensor

from curvox.geometry import AbstractSpace, PoincareBall, Published
from curvox.losses.hyperbolic import AbstractHyperbolicLoss


class HSoftmax(AbstractHyperbolicLoss):
    """H-Softmax: softmax over hyperbolic distances (Fang and He 2026, arXiv:2601.19709).

    Formula:
            every logit = −s d_j
            d_j = d(x, x_j),  x and x_j the lifted embedding and centre of speaker j
            d(x, x') = arcosh(1 + u) / √c,   u = 2c |x − x'|² / ((1 − c|x|²)(1 − c|x'|²))

    The ball has curvature −c. Embeddings and centres enter it through the same lift.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, per unit of distance, above 0; published 30.
        learn_scale: learn s, within a factor of ten of ``scale``, instead of keeping it.
        centre_std: standard deviation of the raw centres' coordinates at the start, above 0; published 1e-3.
        centres: "plain" trains the raw centres as ordinary parameters; "riemannian" keeps them on the ball as geoopt's
            `ManifoldParameter`, for its Riemannian optimisers (Bécigneul and Ganea 2019; needs the extra `riemannian`).
        space: `PoincareBall`; default the published one, ``PoincareBall(lift=Published(curvature=5.0))``.

    Published:
        s = 30, a ball of c = 1 clipped at 1/√5; the paper's "curvature 5" is this clip.

    When:
        As the base line of HAM-Softmax, as Softmax is that of AM-Softmax.

    What goes wrong:
        There is no margin, so a class may be won by a hair. The reach of the space sets how large a logit can become,
        scale × largest distance: raise the reach and the loss becomes sharper at the same scale, so change one of them
        at a time. With a clipping lift and a batch-normalised encoder no length is learnt: `distance_to_origin` is a
        flat line; try the lift `soft_clip`.
    """

    def __init__(
        self,
        dim: int,
        speakers: int,
        *,
        scale: float = 30.0,
        learn_scale: bool = False,
        centre_std: float = 1e-3,
        centres: str = "plain",
        space: AbstractSpace | None = None,
    ) -> None:
        super().__init__(
            dim,
            speakers,
            scale=scale,
            margin=0.0,
            learn_scale=learn_scale,
            centre_std=centre_std,
            centres=centres,
            space=PoincareBall(lift=Published(curvature=5.0)) if space is None else space,
        )

    def target_similarity(self, own: Tensor) -> Tensor:
        return -own

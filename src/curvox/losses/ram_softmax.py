"""RAM-Softmax: real additive margin softmax (Li et al. 2022, arXiv:2110.09116)."""

from __future__ import annotations

from curvox.losses.angular import AbstractCosineMarginLoss


class RAMSoftmax(AbstractCosineMarginLoss):
    """RAM-Softmax: a margin without over-push (Li et al. 2022, arXiv:2110.09116).

    Formula:
            loss = log( 1 + Σ_{j≠y} exp( max(0, s (cos θ_j − cos θ_y + m)) ) )

    θ_j is the angle between the embedding and the centre of speaker j, y the own speaker. A rival that is further away
    than the margin asks stops pushing; in AM-Softmax it pushes on, a little, for ever.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, above 0; published 30.
        margin: m, on the cosine, at least 0; published 0.2.
        sub_centres: K, centres a speaker, of which the nearest counts; at least 1, which is none beside the first;
            published 3 (Deng et al. 2020, for noisy labels).
        top_k: how many of the nearest rivals are pushed harder, below N; 0 is none; published 5 (Zhao et al. 2022).
        top_k_margin: what their cosine is raised by, at least 0; published 0.06.
        learn_scale: learn s, within a factor of ten of ``scale``, instead of keeping it.
        space: `Hypersphere`, the default, or nothing else.

    Published:
        s = 30, m = 0.2.

    When:
        In every honest comparison: in the results published with HAM-Softmax this Euclidean loss all but ties it.

    What goes wrong:
        The value reads wrong: each rival beyond the margin still adds exp(0) = 1, so a solved batch has the loss log N
        and not 0, with a gradient of zero. Compare its curve only with itself. With the full margin from the start
        nearly every rival pushes with full force; warm it up.
    """

    floored = True

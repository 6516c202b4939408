"""AM-Softmax: additive margin on the cosine (Wang et al. 2018, arXiv:1801.05599)."""

from __future__ import annotations

from curvox.losses.angular import AbstractCosineMarginLoss


class AMSoftmax(AbstractCosineMarginLoss):
    """AM-Softmax: a margin on the cosine (Wang et al. 2018, arXiv:1801.05599).

    Formula:
            t   = s (cos θ_y − m)
            r_j = s cos θ_j
            loss = log( exp(t) + Σ_{j≠y} exp(r_j) ) − t

    θ_j is the angle between the embedding and the centre of speaker j, y the own speaker.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        scale: s, above 0; published 30.
        margin: m, subtracted from the cosine, at least 0; published 0.2.
        sub_centres: K, centres a speaker, of which the nearest counts; at least 1, which is none beside the first;
            published 3 (Deng et al. 2020, for noisy labels).
        top_k: how many of the nearest rivals are pushed harder, below N; 0 is none; published 5 (Zhao et al. 2022).
        top_k_margin: what their cosine is raised by, at least 0; published 0.06.
        learn_scale: learn s, within a factor of ten of ``scale``, instead of keeping it.
        space: `Hypersphere`, the default, or nothing else.

    Published:
        s = 30, m = 0.2.

    When:
        The plainest margin and hard to get wrong: the place to start.

    What goes wrong:
        With few speakers a scale of 30 is large: as soon as the margin is kept the loss is nearly zero and nothing is
        left to learn, so lower it. The same margin is a large angle near θ = 0 and a small one near 90°. A full margin
        from a random start can keep a small model from learning anything; warm it up.
    """

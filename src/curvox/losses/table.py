"""The table of losses: their names in recipes, where each class lives, one line about it, and its paper."""

from curvox.tables import Entry, Table

_HERE, _CENTRES, _PAIRS = "curvox.losses", "curvox.losses.centres", "curvox.losses.pairs"
_AM, _HAM = f"{_CENTRES}.am_softmax", f"{_CENTRES}.ham_softmax"
_MEANS = f"{_PAIRS}.prototypical"

LOSSES = Table(
    "loss",
    {
        "softmax": Entry(f"{_CENTRES}.softmax", "Softmax", "cross-entropy over inner products"),
        "am_softmax": Entry(_AM, "AMSoftmax", "margin on the cosine", "wang2018amsoftmax"),
        "aam_softmax": Entry(_AM, "AAMSoftmax", "margin on the angle (ArcFace)", "deng2019arcface"),
        "ram_softmax": Entry(_AM, "RAMSoftmax", "margin without over-push", "li2022ram"),
        "sphereface2": Entry(
            f"{_CENTRES}.sphereface2", "SphereFace2", "a yes-or-no problem a speaker", "wen2022sphereface2"
        ),
        "h_softmax": Entry(_HAM, "HSoftmax", "softmax over hyperbolic distances", "fang2026ham"),
        "ham_softmax": Entry(_HAM, "HAMSoftmax", "margin on the hyperbolic distance", "fang2026ham"),
        "level_prototypes": Entry(
            f"{_CENTRES}.level_prototypes",
            "LevelPrototypes",
            "nodes of the tree above the speakers",
            "saintefaregarnot2021prototypes",
        ),
        "combined": Entry(f"{_HERE}.combined", "Combined", "weighted sum of losses", "fang2026ham"),
        "contrastive_hinge": Entry(
            f"{_PAIRS}.contrastive_hinge",
            "ContrastiveHinge",
            "pairs nearer or farther than a margin",
            "hadsell2006contrastive",
        ),
        "gaussian_kl": Entry(
            f"{_PAIRS}.gaussian_kl", "GaussianKL", "divergence of Gaussian embeddings", "kullback1951information"
        ),
        "triplet": Entry(
            f"{_PAIRS}.triplet", "Triplet", "nearer to the same than to another speaker", "schroff2015facenet"
        ),
        "prototypical": Entry(_MEANS, "Prototypical", "softmax over class means", "snell2017prototypical"),
        "angular_prototypical": Entry(
            _MEANS, "AngularPrototypical", "the same with a learned scale", "chung2020angular"
        ),
        "ge2e": Entry(f"{_PAIRS}.ge2e", "GE2E", "every recording against every class mean", "wan2018ge2e"),
        "supervised_contrastive": Entry(
            f"{_PAIRS}.supervised_contrastive",
            "SupervisedContrastive",
            "softmax over the other recordings",
            "khosla2020supcon",
        ),
        "metric_learning": Entry(
            f"{_HERE}.metric_learning", "MetricLearning", "a loss of pytorch-metric-learning", "musgrave2020metric"
        ),
    },
)

"""From distances to scores: the only room where the sign turns."""

from curvox.scoring.pairs import SCORERS, default_scorer, score_pairs
from curvox.scoring.scorers import AbstractScorer, CosineScorer, EuclideanScorer, HyperbolicScorer

__all__ = [
    "SCORERS",
    "AbstractScorer",
    "CosineScorer",
    "EuclideanScorer",
    "HyperbolicScorer",
    "default_scorer",
    "score_pairs",
]

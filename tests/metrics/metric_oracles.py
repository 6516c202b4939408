"""Trials for the laws of the metrics, and figures of them by plain loops."""

import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from curvox.metrics import RocPoints

LAW = settings(max_examples=50, deadline=None)
TRIALS = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=40).filter(
    lambda trials: len({label for _, label in trials}) == 2
)


def split(trials):
    return np.array([float(s) for s, _ in trials]), np.array([label for _, label in trials])


def gaussian_llrs(count, separation, seed=0, *, targets=0.5):
    """Scores that are the log-likelihood ratios of two unit Gaussians a separation apart, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < targets
    return separation * (rng.normal(size=count) + separation * (labels - 0.5)), labels


def rates_by_loop(scores, labels, threshold):
    """False acceptance and false rejection rate, by counting."""
    accepted = [s >= threshold for s in scores]
    others = [a for a, y in zip(accepted, labels, strict=True) if not y]
    targets = [a for a, y in zip(accepted, labels, strict=True) if y]
    return sum(others) / len(others), (len(targets) - sum(targets)) / len(targets)


def every_threshold(scores):
    return [*sorted(set(np.asarray(scores).tolist())), math.inf]


def whole_curve(scores, labels, weights=None):
    """The ROC curve with a vertex at every distinct score of positive weight, from "reject all" on."""
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels, dtype=bool)
    weights = np.ones(scores.size) if weights is None else np.asarray(weights, dtype=float)
    thresholds = np.append(np.inf, np.unique(scores[weights > 0])[::-1])

    def below(side):
        order = np.argsort(scores[side])
        mass = np.append(0.0, np.cumsum(weights[side][order]))
        return mass[np.searchsorted(scores[side][order], thresholds)], mass[-1]

    (rejected, targets), (passed, others) = below(labels), below(~labels)
    return RocPoints((others - passed) / others, rejected / targets, thresholds)

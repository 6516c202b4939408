"""Points, trials and recordings drawn for the tests of scoring."""

import numpy as np
import torch
from scipy.stats import special_ortho_group


def draw_points(space, count=30, dimension=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return space.project(torch.randn(count, dimension, generator=generator) * 0.2).detach()


def draw_rows(count=200, rows=30, seed=1):
    """Draw the rows of both sides of trials, whoever they are of."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, rows, count), rng.integers(0, rows, count)


def draw_covariance(rng, dimension, scale=1.0):
    basis = special_ortho_group.rvs(dimension, random_state=rng) if dimension > 1 else np.eye(1)
    return scale * (basis * rng.uniform(0.3, 3.0, dimension)) @ basis.T


def draw_recordings(rng, mean, between, within, counts):
    index = np.repeat(np.arange(len(counts)), counts)
    speakers = rng.multivariate_normal(mean, between, len(counts), method="cholesky")
    return speakers[index] + rng.multivariate_normal(np.zeros(len(mean)), within, len(index)), index


def draw_problem(seed=0, dimension=3, speakers=40, most=6, separation=2.0):
    rng = np.random.default_rng(seed)
    between, within = draw_covariance(rng, dimension, separation), draw_covariance(rng, dimension)
    return draw_recordings(rng, rng.normal(size=dimension), between, within, rng.integers(1, most, speakers))


def joint_covariance(between, within, count):
    """Covariance of all recordings of one speaker, stacked."""
    return np.kron(np.ones((count, count)), between) + np.kron(np.eye(count), within)

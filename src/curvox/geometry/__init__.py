"""Geometry: the only place that knows what a distance is."""

from curvox.geometry.description import create_lift, create_space
from curvox.geometry.disk import DiskEmbedding, embed_in_disk
from curvox.geometry.lifts import LIFTS, AbstractLift, Clip, ExpMap, Published, SoftClip
from curvox.geometry.lorentz import (
    from_lorentz,
    lorentz_distance,
    lorentz_exp0,
    lorentz_inner,
    pairwise_lorentz_distance,
    to_lorentz,
)
from curvox.geometry.poincare import (
    arcosh1p,
    centroid,
    conformal_factor,
    distance,
    exp0,
    log0,
    mobius_add,
    pairwise_distance,
    rim_gap,
)
from curvox.geometry.self_distance import self_distance
from curvox.geometry.spaces import SPACES, AbstractSpace, Euclidean, Hypersphere, PoincareBall
from curvox.geometry.vectors import (
    angle,
    euclidean_distance,
    inner_products,
    pairwise_angle,
    pairwise_euclidean_distance,
    pairwise_squared_distance,
    sqrt0,
    unit,
    widen,
)

__all__ = [
    "LIFTS",
    "SPACES",
    "AbstractLift",
    "AbstractSpace",
    "Clip",
    "DiskEmbedding",
    "Euclidean",
    "ExpMap",
    "Hypersphere",
    "PoincareBall",
    "Published",
    "SoftClip",
    "angle",
    "arcosh1p",
    "centroid",
    "conformal_factor",
    "create_lift",
    "create_space",
    "distance",
    "embed_in_disk",
    "euclidean_distance",
    "exp0",
    "from_lorentz",
    "inner_products",
    "log0",
    "lorentz_distance",
    "lorentz_exp0",
    "lorentz_inner",
    "mobius_add",
    "pairwise_angle",
    "pairwise_distance",
    "pairwise_euclidean_distance",
    "pairwise_lorentz_distance",
    "pairwise_squared_distance",
    "rim_gap",
    "self_distance",
    "sqrt0",
    "to_lorentz",
    "unit",
    "widen",
]

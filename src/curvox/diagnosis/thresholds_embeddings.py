"""The numbers by which embeddings, and points of the ball, are judged."""

FEWEST_RECORDINGS = 8
"""Of fewer, neither a rank nor a spread says anything."""

MOST_RECORDINGS = 1500
"""Looked at where there are more: all pairs of them take a second."""

ROUNDING_SPREAD = 1e-4
"""Relative spread that float32 takes for none: by a matrix product it knows distances to 3e-4 of the norm."""

COLLAPSED_SPREAD = 1e-3
"""Relative spread (0.5 to 0.7 for random directions) below which embeddings are one, unless they part the speakers.
An untrained encoder, whose embeddings are alike in cosine to 0.95 or 0.999, has 0.01 to 0.2."""

USELESS_SEPARATION = 0.75
"""How often a same-speaker pair is the closer one; below this nothing can be said of single speakers either."""

CHANCE_SEPARATION = 0.6
"""Up to here the distances know next to nothing of the speakers."""

FEWEST_FOR_RANK = 16
FEWEST_SPEAKERS_FOR_RANK = 6
FEWEST_DIMENSIONS_FOR_RANK = 6
"""The rank of a set is low anyway with fewer recordings, speakers or dimensions."""

COLLAPSED_RANK = 2.0
"""Effective rank below which many speakers cannot be held apart: one coordinate, or two that are hardly used."""

LOW_RANK = 3.3
"""Below this it is a warning: encoders at the start of their training have 5 and more, trained ones 12 to 20 of 32."""

IDLE_DIRECTION = 1e-3
"""Length of a principal axis over the longest, below which it is not used. A trained encoder uses all it has."""

COLLAPSED_DIRECTIONS, LOW_DIRECTIONS = 3, 5
"""Directions used at all, up to which it is a failure and a warning."""

FEWEST_FOR_CONCENTRATION = 64
"""The intrinsic dimension needs neighbours that are near."""

ALIKE_VARIATION, NOISE_VARIATION = 0.1, 0.05
"""Standard deviation of flat distances over their mean, for a warning and for a failure: 0.09 for 64 dimensions of
noise, 0.05 for 200, 0.18 for 16."""

HIGH_DIMENSION = 15.0
"""Intrinsic dimension by TwoNN, which finds 12 for 16 dimensions of noise and 30 for 64. Voices have about 5 to 12."""

FEWEST_FOR_HUBS = 200
NEIGHBOURS = 10
HUB_SKEWNESS = 2.0
HUB_NOTE, HUB_WARNING = 0.25, 0.5
"""Share of all recordings that have the largest hub among their 10 nearest: 0.05 to 0.1 as a rule. Gaussian noise of 64
to 200 dimensions in flat space has 0.3 to 0.4, and so has an encoder of as many dimensions early in its training."""

DEAD_SLOPE = 1e-4
"""Relative change of a point's distance from the origin for that of the raw length: 0 on a clip sphere, 1 where the
lift is straight, 0.2 far out on a soft one."""

DEAD_SHARE, HALF_DEAD_SHARE = 0.9, 0.5
"""Share of the points with a dead length, for a warning and for a note."""

ORIGIN_DISTANCE = 0.05
"""Median distance from the origin that is a failure: opposite points are then 0.1 apart, and a softmax of scale 30 over
such distances cannot reach a probability of 0.9 among 200 speakers."""

NEAR_ORIGIN_DISTANCE = 0.12
"""Median distance from the origin for a warning."""

FLOAT32_ERROR = 0.02
"""Error of float32 distances (95 % quantile) over the standard deviation of the distances. Well inside the rim it is
1e-4 and less."""

FLOAT32_ERROR_FAILURE = 0.5
"""Here float32 decides as much as the embedding does."""

CURVATURE_EFFECT = 0.02
"""By how much the ratio of hyperbolic to flat distance varies out to the points; 0.24 at a radius of 0.58, 0.02 at
0.17."""

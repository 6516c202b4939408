"""The numbers by which a loss is judged. Set on development seeds of ``benchmarks/doctor.py``, tested on others."""

BLIND_DIFFERENCE = 0.02
"""Gradients under two groupings that differ by less than this, over their length, do not see the labels; losses that
do see them differ by 0.3 and more."""

TOLD_APART = 0.7
"""AUC that free embeddings must reach by following a loss that also moves them the wrong way at first; sound losses
reach 0.84 and more."""

TURNED = 0.3
"""AUC below which they have gone the wrong way; from chance, 0.5, sound losses never go down."""

GATHERED = 0.35
"""Spread, after over before, below which free embeddings were drawn together rather than told apart."""

SOLVED_OVER_COLLAPSED = 0.98
"""A loss that is hardly smaller with all speakers solved than with everybody in one point gains nothing by telling them
apart; with a margin out of reach it gains a tenth at least, or pulls in the right direction."""

REST = 0.03
"""Share of the collapsed value that a sound loss may keep when all is solved: bounded similarities leave 0.001."""

REST_OUT_OF_REACH = 0.1
"""Share of the collapsed value, with `COUNTS` speakers as far apart as can be, that names a margin out of reach."""

SOFTMAX_GROWTH = 1.8
"""Growth of the collapsed value from two to eight speakers that tells a softmax, log 8 / log 2 = 3, from terms of
pairs, at most 1.4."""

NO_GRADIENT = 1e-5
"""Relative gradient of a batch that counts as none; sound losses have 0.1 and more at random."""

MULTIPLIED, MULTIPLIED_FAR = 1500.0, 10000.0
"""Relative gradient of a loss of pairs at random from which on a constant is said to multiply it (a warning), and
from which on that is a failure; the largest of a sound loss is 730, of squared lengths that nobody normalised."""

SURE, HARDLY = 0.9, 0.5
"""Probability on the own centre with all centres as far apart as can be: below the first a warning, below the second
a failure, for the loss then stays above 0.1 and above 0.7 for ever."""

SCALE_FACTOR, SCALE_FACTOR_FAR = 20.0, 50.0
"""Scale over that of AdaCos, sqrt(2) ln(N - 1) (Zhang et al. 2019, arXiv:1905.00292), from which on it is too large:
a warning, and a failure. The usual 30 and 64 are 2.5 to 17 times that, from 6,000 speakers down to 16."""

USED = 3.0
"""How many times as far apart as most embeddings of a batch are they may come to be, within the ball's own bound."""

BALL_FACTOR, BALL_FACTOR_FAR = 100.0, 300.0
"""The same on the ball, where points come to use more and more of the room while they are trained: sound runs with a
scale of 30 are between 50 and 100 here and there."""

ACTIVE_UNTIL = 0.95
"""AUC of a batch up to which a loss without any gradient has stopped too early."""

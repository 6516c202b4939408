"""Runs that are sabotaged in a known way, and healthy ones: what the loss doctor is tried on.

``CASES`` is the catalogue; ``run_case`` trains one, looks at it as ``curvox diagnose`` does and says what was found;
``tally`` counts. `benchmarks/doctor.py` runs all of them.
"""

from curvox.testing.sabotage.case import DEV_SEEDS, Case, Variant
from curvox.testing.sabotage.catalogue import CASES, IMPOSSIBLE, case_of
from curvox.testing.sabotage.corpora import Corpora, make_corpora
from curvox.testing.sabotage.outcome import Outcome, Tally, outcome_from, tally, wilson
from curvox.testing.sabotage.running import run_case

__all__ = [
    "CASES",
    "DEV_SEEDS",
    "IMPOSSIBLE",
    "Case",
    "Corpora",
    "Outcome",
    "Tally",
    "Variant",
    "case_of",
    "make_corpora",
    "outcome_from",
    "run_case",
    "tally",
    "wilson",
]

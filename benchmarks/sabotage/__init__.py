"""Runs that are sabotaged in a known way, and healthy ones: what the loss doctor is tried on.

``CASES`` is the catalogue; ``run_case`` trains one, looks at it as ``curvox diagnose`` does and says what was found;
``tally`` counts. ``doctor.py`` runs all of them.
"""

from sabotage.case import DEV_SEEDS, Case, Corpora, Variant, make_corpora
from sabotage.catalogue import CASES, IMPOSSIBLE, case_of
from sabotage.running import Outcome, Tally, outcome_from, run_case, tally, wilson

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

"""All cases."""

from __future__ import annotations

from curvox.errors import require_name
from curvox.testing.sabotage.case import Case
from curvox.testing.sabotage.data_cases import DATA_VARIANTS
from curvox.testing.sabotage.healthy_cases import HEALTHY_VARIANTS
from curvox.testing.sabotage.loss_cases import LOSS_VARIANTS
from curvox.testing.sabotage.space_cases import SPACE_VARIANTS
from curvox.testing.sabotage.training_cases import TRAINING_VARIANTS

IMPOSSIBLE = ("margin_ramp",)
"""Causes that are no fault; a healthy run shows them."""

_SABOTAGED = (*LOSS_VARIANTS, *TRAINING_VARIANTS, *DATA_VARIANTS, *SPACE_VARIANTS)

_ALL = (
    *(case for variant in _SABOTAGED for case in variant.cases("sabotaged")),
    *(case for variant in HEALTHY_VARIANTS for case in variant.cases("healthy")),
)

CASES: dict[str, Case] = {case.name: case for case in _ALL}
"""Every case by name, the sabotaged ones first."""


def case_of(name: str) -> Case:
    """Return the case called ``name``.

    Raises:
        UnknownNameError: no such case; the nearest names are listed.
    """
    require_name(name, CASES, "case")
    return CASES[name]

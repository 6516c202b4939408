"""The contract of a loss as a list of named checks, to be run on any loss, ours or yours.

    import pytest
    from curvox.testing.loss_contract import CHECKS

    @pytest.mark.parametrize("name", CHECKS)
    def test_my_loss__keeps_the_contract(name):
        CHECKS[name](lambda dim, speakers: MyLoss(dim, speakers, margin=0.3))

A check takes a factory ``(dim, speakers) -> loss``, builds as many losses as it needs, and raises AssertionError
with a sentence when the contract is broken. Where a batch has no meaning for a loss (a pair loss and a batch of one
recording) an `InputError` counts as keeping the contract; a loss that is not finite never does. Checks of pair losses
have nothing to do for a loss whose ``whole_batch`` is False.
"""

from __future__ import annotations

from curvox.testing import loss_checks, loss_pair_checks, loss_refusals
from curvox.testing.loss_probes import CHECKS, Check, LossFactory

__all__ = ["CHECKS", "Check", "LossFactory", "check_loss"]

_FILLED_BY = (loss_checks, loss_pair_checks, loss_refusals)


def check_loss(factory: LossFactory) -> None:
    """Run every check on the losses of ``factory``."""
    for check in CHECKS.values():
        check(factory)

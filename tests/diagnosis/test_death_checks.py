"""A run that died: the cause, where it happened and to whom."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from curvox.diagnosis import Death, Origin, find_origin
from curvox.diagnosis.causes.numbers import check_death

DEATH = Death("gradient", 12, "SqrtBackward0 in loss", True, ("a", "b"), "the gradient is not finite")


@pytest.mark.parametrize("kind", ["embeddings", "loss", "gradient", "weights"])
def test_death__is_a_failure_with_its_step(kind: str):
    checked = check_death(replace(DEATH, kind=kind))  # type: ignore[arg-type]
    (finding,) = checked.findings
    assert (finding.cause, finding.severity) == ("not_finite", "failure")
    assert finding.evidence[0].value == 12.0
    assert {"not_finite", "half_precision_overflow"} == set(checked.causes)


def test_death__says_the_operation_the_way_and_the_recordings():
    (finding,) = check_death(DEATH).findings
    assert finding.where == "SqrtBackward0 in loss on the way back; a, b"
    (finding,) = check_death(replace(DEATH, items=tuple("abcdefgh"), operation="")).findings
    assert finding.where == "a, b, c, d, e and 3 more"


def test_death__of_half_precision_is_told_by_the_operation_that_an_origin_writes():
    origin = find_origin(lambda: (1e5 * torch.ones(3)).half().float().sum())
    assert origin is not None
    (finding,) = check_death(replace(DEATH, operation=str(origin))).findings
    assert finding.cause == "half_precision_overflow"
    (finding,) = check_death(replace(DEATH, operation=str(Origin("aten.exp", "loss", False)))).findings
    assert finding.cause == "not_finite"


def test_death__of_half_precision_is_told_by_the_message_where_the_operation_is_unknown():
    message = "Likeliest cause: the encoder overflowed in 16-mixed: try training.precision=32-true."
    (finding,) = check_death(replace(DEATH, operation="", message=message)).findings
    assert finding.cause == "half_precision_overflow"
    (finding,) = check_death(replace(DEATH, operation="", message=message.replace("16", "bf16"))).findings
    assert finding.cause == "not_finite"

"""Numbers that are lost, in a step or with the run: in which operation, and to whom; healthy steps show nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_steps import checked, found, severities, training, with_layer
from torch import Tensor, nn

from curvox.diagnosis import Death, Origin, find_origin
from curvox.diagnosis.causes.numbers import check_death

LOSSES = (
    "softmax", "am_softmax", "aam_softmax", "ram_softmax", "h_softmax", "ham_softmax", "sphereface2", "triplet",
    "contrastive_hinge", "gaussian_kl", "prototypical", "angular_prototypical", "ge2e", "supervised_contrastive",
)  # fmt: skip
LOOKED_FOR = {
    "not_finite", "half_precision_overflow", "frozen_parameters", "unused_parameters", "centres_never_move",
    "learning_rate_too_high", "learning_rate_too_low", "exploding_gradient", "vanishing_gradient", "few_items_rule",
    "no_positives",
}  # fmt: skip


@pytest.mark.parametrize(("seed", "loss"), list(enumerate(LOSSES)))
def test_step_checks__healthy_steps_show_nothing(loss: str, seed: int):
    setup = training(seed, loss=loss)
    for steps in (0, 6):
        shown = checked(setup.run(steps, seed), batches_with_positives=1.0)
        assert severities(shown) == {}
        assert set(shown.causes) | {gap.cause for gap in shown.not_checked} == LOOKED_FOR


@pytest.mark.parametrize(("optimizer", "rate"), [(torch.optim.SGD, 0.02), (torch.optim.AdamW, 5e-3)])
def test_step_checks__other_optimisers_are_healthy_too(optimizer: type[torch.optim.Optimizer], rate: float):
    assert found(training(3, optimizer=optimizer, learning_rate=rate).run(20)) == {}


class Loud(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 3e5 * x / (1.0 + x.abs())


@pytest.mark.parametrize(
    ("precision", "severity"), [("16-mixed", "failure"), ("bf16-mixed", "note"), ("32-true", "note")]
)
def test_half_precision_overflow__goes_by_the_precision(precision: str, severity: str):
    setup = training(0, encoder=with_layer(3, nn.Sequential(Loud(), nn.BatchNorm1d(24)))).run(3)
    assert found(setup, precision=precision) == {"half_precision_overflow": severity}


def test_half_precision_overflow__in_the_numbers_themselves():
    class Half(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (1e5 * x).half().float() / 1e5

    shown = checked(training(0, encoder=with_layer(7, Half())))
    assert severities(shown) == {"half_precision_overflow": "failure"}
    assert "encoder.7" in shown.findings[0].where


def test_not_finite__names_operation_and_recordings():
    class Spread(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / x.std(1, keepdim=True).where(torch.arange(len(x))[:, None] != 5, 0.0) * 0.0

    shown = checked(training(0, encoder=with_layer(7, Spread())), items=tuple(f"r{row}" for row in range(32)))
    assert severities(shown) == {"not_finite": "failure"}
    assert shown.findings[0].where == "aten.div in encoder.7: r5"
    assert {gap.cause for gap in shown.not_checked} == LOOKED_FOR - {"not_finite", "half_precision_overflow"}


DEATH = Death("gradient", 12, "SqrtBackward0 in loss", True, ("a", "b"), "the gradient is not finite")


@pytest.mark.parametrize("kind", ["embeddings", "loss", "gradient", "weights"])
def test_death__is_a_failure_with_its_step(kind: str):
    shown = check_death(replace(DEATH, kind=kind))  # type: ignore[arg-type]
    assert severities(shown) == {"not_finite": "failure"}
    assert shown.findings[0].evidence[0].value == 12.0
    assert {"not_finite", "half_precision_overflow"} == set(shown.causes)


def test_death__says_the_operation_the_way_and_the_recordings():
    (finding,) = check_death(DEATH).findings
    assert finding.where == "SqrtBackward0 in loss on the way back; a, b"
    (finding,) = check_death(replace(DEATH, items=tuple("abcdefgh"), operation="")).findings
    assert finding.where == "a, b, c, d, e and 3 more"


def test_death__of_half_precision_is_told_by_the_operation_or_where_it_is_unknown_by_the_message():
    overflow = find_origin(lambda: (1e5 * torch.ones(3)).half().float().sum())
    message = "Likeliest cause: the encoder overflowed in 16-mixed: try training.precision=32-true."
    for operation, told, cause in (
        (str(overflow), "", "half_precision_overflow"),
        (str(Origin("aten.exp", "loss", False)), message, "not_finite"),
        ("", message, "half_precision_overflow"),
        ("", message.replace("16", "bf16"), "not_finite"),
    ):
        assert severities(check_death(replace(DEATH, operation=operation, message=told))) == {cause: "failure"}

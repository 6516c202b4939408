"""The scan over blocks of classes against the whole (B, N) matrix and plain autograd."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_oracles import (
    AGAIN,
    CLASSES,
    CUT_BY,
    CUTS,
    KEEP,
    RULES,
    Case,
    Rule,
    by_autograd,
    cut_into,
    gradients,
    scanned,
)
from torch import Tensor

from curvox.losses.scan import scan
from curvox.losses.scan.scan import Rivals

every_rule = pytest.mark.parametrize("rule", RULES)
kept_or_again = pytest.mark.parametrize("memory_bytes", [KEEP, AGAIN], ids=["kept", "computed again"])


def assert_same(found: Rivals, expected: Rivals, *, rtol: float = 1e-12) -> None:
    for name in ("result", "own", "top"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=rtol, atol=rtol)


def assert_gradients(found: list[Tensor], expected: list[Tensor], *, rtol: float = 1e-12) -> None:
    """Equal to a share ``rtol`` of the largest entry of each."""
    for ours, other in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, other, rtol=0.0, atol=rtol * max(1.0, other.abs().max().item()))


@kept_or_again
@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("cut", CUTS)
@every_rule
def test_scan__equals_the_whole_matrix(
    rule: str, cut: str, group: int, memory_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CUT_BY, cut_into(CUTS[cut]))
    case, law = Case.random(RULES[rule].products, group=group), RULES[rule]
    expected = by_autograd(case, law, top_k=law.most)
    found = scanned(case, law, memory_bytes=memory_bytes, top_k=law.most)
    assert_same(found, expected)
    assert_gradients(gradients(case, found, row=law.has_row), gradients(case, expected, row=False))


@given(
    widths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    classes=st.integers(2, 30),
    rows=st.integers(2, 6),
    group=st.integers(1, 4),
    top_share=st.floats(0, 1),
    keep=st.booleans(),
    rule=st.sampled_from(sorted(RULES)),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_scan__does_not_depend_on_how_it_is_cut(
    widths: list[int], classes: int, rows: int, group: int, top_share: float, keep: bool, rule: str, seed: int
) -> None:
    law = RULES[rule]
    case = Case.random(law.products, group=group, seed=seed, classes=classes, rows=rows)
    top_k = int(top_share * (classes - 1)) if law.most else 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CUT_BY, cut_into(widths))
        found = scanned(case, law, memory_bytes=KEEP if keep else AGAIN, top_k=top_k)
        of_scan = gradients(case, found, row=law.has_row)
    expected = by_autograd(case, law, top_k=top_k)
    assert_same(found, expected, rtol=1e-11)
    assert_gradients(of_scan, gradients(case, expected, row=False), rtol=1e-10)


@kept_or_again
@every_rule
def test_scan__has_the_same_gradient_a_second_time(rule: str, memory_bytes: int) -> None:
    law, case = RULES[rule], Case.random(RULES[rule].products, group=2)
    found = scanned(case, law, memory_bytes=memory_bytes, top_k=law.most)
    first = gradients(case, found, row=law.has_row, retain_graph=True)
    again = gradients(case, found, row=law.has_row)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    with pytest.raises(RuntimeError, match="second time"):
        gradients(case, found, row=law.has_row)


@kept_or_again
def test_scan__of_two_batches_can_be_taken_back_in_any_order(memory_bytes: int) -> None:
    law, cases = RULES["powers, whole"], [Case.random("hyperboloid", seed=seed) for seed in (1, 2)]
    expected = [gradients(case, scanned(case, law, memory_bytes=memory_bytes), row=False) for case in cases]
    found = [scanned(case, law, memory_bytes=memory_bytes) for case in cases]
    for place in (0, 1):
        assert_gradients(gradients(cases[place], found[place], row=False), expected[place], rtol=0.0)


@every_rule
def test_scan__without_gradients_finds_the_same(rule: str) -> None:
    law, case = RULES[rule], Case.random(RULES[rule].products, group=2)
    expected = scanned(case, law, top_k=law.most)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            found = scanned(case, law, top_k=law.most)
        assert_same(found, expected, rtol=0.0)
        assert not found.result.requires_grad


@pytest.mark.parametrize("frozen", ["points", "centres"])
@every_rule
def test_scan__of_frozen_tensors_has_the_gradients_of_the_others(rule: str, frozen: str) -> None:
    law, case = RULES[rule], Case.random(RULES[rule].products)
    expected = gradients(case, scanned(case, law), row=law.has_row)
    getattr(case, frozen).requires_grad_(False)
    wanted = [leaf for leaf in case.leaves() if leaf.requires_grad]
    found = scanned(case, law)
    draw = torch.Generator().manual_seed(7)
    total = sum(
        (part * torch.randn(part.shape, generator=draw, dtype=torch.float64)).sum()
        for part in (found.result_of(case.row) if law.has_row else found.result, found.own, found.top)
    )
    assert isinstance(total, Tensor)
    ours = torch.autograd.grad(total, wanted, materialize_grads=True)
    of_others = [part for part, leaf in zip(expected, case.leaves(), strict=True) if leaf.requires_grad]
    assert_gradients(list(ours), of_others, rtol=0.0)


@kept_or_again
@every_rule
def test_scan__hides_no_class_for_an_own_one_that_is_elsewhere(rule: str, memory_bytes: int) -> None:
    """Another process has it: all classes here are rivals, and no own centre is handed out."""
    law, case = RULES[rule], Case.random(RULES[rule].products)
    elsewhere = torch.tensor([-1, CLASSES, -7, CLASSES + 30, 3, 0, CLASSES - 1, 5, 5])
    case = replace(case, speakers=elsewhere)
    found = scanned(case, law, memory_bytes=memory_bytes)
    products = case.whole()
    expected = law.plain(products, case.row, elsewhere)
    torch.testing.assert_close(found.result, expected, rtol=1e-12, atol=1e-12)
    assert (found.own[:4] == 0).all()
    assert torch.equal(found.own[4:, 0], case.centres[elsewhere[4:]])
    weights = torch.linspace(-1, 2, len(expected), dtype=torch.float64)
    leaves = [case.points, case.centres, case.gain]
    ours, other = (
        torch.autograd.grad(part @ weights, leaves, materialize_grads=True) for part in (found.result, expected)
    )
    assert_gradients(list(ours), list(other))


@kept_or_again
@every_rule
def test_scan__in_single_precision_is_near_that_in_double(rule: str, memory_bytes: int) -> None:
    law, double = RULES[rule], Case.random(RULES[rule].products)
    single = double.to(torch.float32)
    expected, found = (
        scanned(double, law, top_k=law.most),
        scanned(single, law, memory_bytes=memory_bytes, top_k=law.most),
    )
    assert found.result.dtype == torch.float32
    torch.testing.assert_close(found.result.double(), expected.result, rtol=1e-5, atol=1e-5)
    ours = [part.double() for part in gradients(single, found, row=law.has_row)]
    assert_gradients(ours, gradients(double, expected, row=law.has_row), rtol=2e-5)


@kept_or_again
@every_rule
def test_scan__refuses_a_gradient_of_its_gradient(rule: str, memory_bytes: int) -> None:
    """It has first derivatives only; second ones, of what stands around it alone, would be wrong without a word."""
    law, case = RULES[rule], Case.random(RULES[rule].products)
    found = scanned(case, law, memory_bytes=memory_bytes)
    around = found.result.sum() + case.points.pow(3).sum()
    with pytest.raises(RuntimeError, match="differentia"):
        _twice(around, case.points)


def _twice(value: Tensor, leaf: Tensor) -> Tensor:
    (once,) = torch.autograd.grad(value, leaf, create_graph=True)
    return torch.autograd.grad(once.square().sum(), leaf)[0]


@kept_or_again
def test_scan__refuses_a_backward_pass_over_centres_that_have_changed(memory_bytes: int) -> None:
    """As any other operation does: an optimiser's step between the passes would give a gradient of neither state."""
    law, case = RULES["exponents"], Case.random("plane")
    found = scanned(case, law, memory_bytes=memory_bytes)
    with torch.no_grad():
        case.centres.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        gradients(case, found, row=False)


def test_scan__takes_the_first_of_equal_sub_centres_alone() -> None:
    """A tie gives its slope to one centre, so that the slopes of a class do not add up to more than one's."""
    law, case = RULES["exponents"], Case.random("plane", group=3)
    with torch.no_grad():
        case.centres.view(CLASSES, 3, -1).copy_(case.centres.view(CLASSES, 3, -1)[:, :1].clone())
    found = scanned(case, law)
    (gradient,) = torch.autograd.grad(found.result.sum(), case.centres)
    touched = gradient.view(CLASSES, 3, -1).abs().sum(2) > 0
    assert (touched.sum(1) == 1).all()
    plain = replace(case, centres=case.centres[::3], group=1)
    expected = by_autograd(plain, law)
    (of_one,) = torch.autograd.grad(expected.result.sum(), case.centres)
    torch.testing.assert_close(gradient.view(CLASSES, 3, -1).sum(1), of_one[::3], rtol=1e-12, atol=1e-12)


def test_blocks__cover_every_class_once() -> None:
    for classes in (2, 255, 256, 257, 5000):
        for rows, group in [(1, 1), (64, 3), (4096, 1)]:
            blocks = list(scan.blocks_of(classes, torch.empty(rows, 8), group=group))
            assert [block.start for block in blocks[1:]] == [block.stop for block in blocks[:-1]]
            assert (blocks[0].start, blocks[-1].stop) == (0, classes)
            assert all(block.stop > block.start for block in blocks)


def test_rules__are_all_here() -> None:
    """A new rule needs its plain form beside it."""
    from curvox.losses.scan.rules import AbstractRule

    def below(cls: type) -> set[type]:
        return {cls, *(found for child in cls.__subclasses__() for found in below(child))}

    assert {type(entry.rule()) for entry in RULES.values()} == below(AbstractRule) - {AbstractRule}
    assert all(isinstance(entry, Rule) for entry in RULES.values())

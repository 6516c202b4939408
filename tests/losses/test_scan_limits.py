"""The scan at its limits: exponents of every size, rivals out of reach, and what it holds in memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_oracles import AGAIN, CUT_BY, KEEP, RULES, Case, Rule, by_autograd, cut_into, gradients, powers, scanned
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from curvox.losses import AMSoftmax, HAMSoftmax, RAMSoftmax, Softmax, SphereFace2
from curvox.losses.scan.rules import BLOCK_BYTES, HyperbolicPowers, power

kept_or_again = pytest.mark.parametrize("memory_bytes", [KEEP, AGAIN], ids=["kept", "computed again"])
EXPONENTS = [1e-3, 0.05, 0.3, 0.5, 0.999, 1.0, 1.5, 2.0, 17.320508, 30.0, 63.0, 64.0, 64.5, 65.0, 100.0, 1e4]


@given(
    base=st.lists(st.floats(0.0, 1.0, allow_subnormal=False), min_size=1, max_size=8),
    exponent=st.one_of(st.integers(0, 80).map(float), st.floats(0.0, 90.0)),
)
@settings(max_examples=200, deadline=None)
def test_power__equals_that_of_numpy(base: list[float], exponent: float) -> None:
    given_, scratch = torch.tensor([base], dtype=torch.float64), torch.empty(1, len(base), dtype=torch.float64)
    found = power(given_.clone(), exponent, out=scratch)[0].numpy()
    np.testing.assert_allclose(found, np.power(base, exponent), rtol=1e-12, atol=1e-290)


@kept_or_again
@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("cut", [(37,), (1,)], ids=["one block", "a class each"])
def test_powers__equal_the_whole_matrix_for_any_exponent(
    exponent: float, cut: tuple[int, ...], memory_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CUT_BY, cut_into(cut))
    law, case = Rule(lambda: HyperbolicPowers(exponent), powers(exponent), "hyperboloid", False), of_hyperboloid()
    found, expected = scanned(case, law, memory_bytes=memory_bytes), by_autograd(case, law)
    torch.testing.assert_close(found.result, expected.result, rtol=1e-12, atol=1e-12)
    assert_near(gradients(case, found, row=False), gradients(case, expected, row=False))


@kept_or_again
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers__of_a_learnt_exponent_equal_the_whole_matrix(exponent: float, memory_bytes: int) -> None:
    law, case = RULES["powers, learnt"], of_hyperboloid()
    with torch.no_grad():
        case.row.copy_(exponent * (1 + 0.01 * case.row))
    found, expected = scanned(case, law, memory_bytes=memory_bytes), by_autograd(case, law)
    torch.testing.assert_close(found.result, expected.result, rtol=1e-12, atol=1e-12)
    assert_near(gradients(case, found, row=True), gradients(case, expected, row=False))


@kept_or_again
@pytest.mark.parametrize("exponent", [0.05, 0.5, 30.0, 1e4])
def test_powers__of_many_classes_do_not_underflow_in_single_precision(exponent: float, memory_bytes: int) -> None:
    """The sum of N terms, under a root of degree 1 / exponent, leaves the range of float32."""
    case = Case.random("hyperboloid", classes=3000)
    law = Rule(lambda: HyperbolicPowers(exponent), powers(exponent), "hyperboloid", False)
    expected, single = by_autograd(case, law), case.to(torch.float32)
    found = scanned(single, law, memory_bytes=memory_bytes)
    torch.testing.assert_close(found.result.double(), expected.result, rtol=1e-4, atol=1e-4)
    ours, other = (gradients(c, part, row=False) for c, part in ((single, found), (case, expected)))
    assert_near([part.double() for part in ours], other, rtol=0.02 if exponent == 1e4 else 1e-4)


@kept_or_again
@pytest.mark.parametrize("rule", RULES)
def test_scan__of_rivals_out_of_reach_is_finite(rule: str, memory_bytes: int) -> None:
    """Exponents of minus 1e5 and powers of 1e-600: nothing overflows, and the sum is that of the nearest."""
    law, case = RULES[rule], Case.random(RULES[rule].products).to(torch.float32)
    with torch.no_grad():
        case.points.mul_(3e4 if case.products != "hyperboloid" else 300.0)
    found = scanned(case, law, memory_bytes=memory_bytes)
    of_scan = gradients(case, found, row=law.has_row)
    assert torch.isfinite(found.result).all()
    assert all(torch.isfinite(part).all() for part in of_scan)
    expected = by_autograd(case.to(torch.float64), law)
    torch.testing.assert_close(found.result.double(), expected.result, rtol=1e-4, atol=1e-4)


def test_floored__classes_all_below_the_floor_push_nothing() -> None:
    law, case = RULES["floored"], Case.random("plane")
    with torch.no_grad():
        case.row.fill_(1e3)
    found = scanned(case, law)
    torch.testing.assert_close(found.result, torch.full_like(found.result, 1e3 + math.log(36)))
    ours = torch.autograd.grad(found.result_of(case.row).sum(), [case.points, case.centres, case.row])
    assert (ours[0] == 0).all()
    assert (ours[1] == 0).all()
    torch.testing.assert_close(ours[2], torch.ones_like(case.row), rtol=1e-12, atol=0)


def of_hyperboloid() -> Case:
    case = Case.random("hyperboloid")
    with torch.no_grad():
        case.gain.fill_(-0.5)
    return case


def assert_near(found: list[Tensor], expected: list[Tensor], *, rtol: float = 1e-11) -> None:
    for ours, other in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, other, rtol=0.0, atol=rtol * max(1.0, other.abs().max().item()))


class _Made(TorchDispatchMode):
    """Keeps every tensor with memory of its own that an operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._seen: dict[int, object] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        for given_ in tree_leaves((args, kwargs)):
            if isinstance(given_, Tensor):
                self._seen.setdefault(given_.untyped_storage().data_ptr(), given_)
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() not in self._seen:
                self._seen[tensor.untyped_storage().data_ptr()] = tensor
                self.sizes.append(tensor.untyped_storage().nbytes() // tensor.element_size())
        return result


LOSSES = {
    "softmax": lambda dim, n: Softmax(dim, n),
    "am_softmax": lambda dim, n: AMSoftmax(dim, n),
    "am_softmax, top 5, learnt scale": lambda dim, n: AMSoftmax(dim, n, top_k=5, learn_scale=True),
    "am_softmax, 2 sub-centres": lambda dim, n: AMSoftmax(dim, n // 2, sub_centres=2),
    "ram_softmax": lambda dim, n: RAMSoftmax(dim, n),
    "sphereface2": lambda dim, n: SphereFace2(dim, n),
    "ham_softmax": lambda dim, n: HAMSoftmax(dim, n),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss__of_many_classes_holds_a_few_blocks_and_one_gradient(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of tensors beyond some blocks there is one: the gradient of the centres, which is written once."""
    dim, classes, rows = 48, 6000, 64
    monkeypatch.setitem(BLOCK_BYTES, "cpu", 1)  # the least width, 256 classes
    block = 256 * rows * 2  # with two centres a class
    loss = LOSSES[name](dim, classes)
    loss.memory_bytes = 0
    embeddings, speakers = torch.randn(rows, dim, requires_grad=True), torch.arange(rows)
    with _Made() as made:
        loss(embeddings, speakers).value.backward()
    large = [size for size in made.sizes if size > block]
    assert large == [classes * dim], large
    assert classes * rows > max(large)


def test_loss__that_keeps_its_slopes_makes_one_matrix_of_them() -> None:
    loss = HAMSoftmax(8, 3000)
    embeddings, speakers = torch.randn(64, 8, requires_grad=True), torch.arange(64)
    with _Made() as made:
        loss(embeddings, speakers).value.backward()
    whole = 64 * 3000
    # the products, which become the slopes, and two scratch blocks of the only block's size
    assert sorted(size for size in made.sizes if size >= whole) == [whole] * 3

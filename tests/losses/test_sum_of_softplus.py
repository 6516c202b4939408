"""The sum behind SphereFace2's rivals against logaddexp in double precision."""

import pytest
import torch

from curvox.losses.centres.sphereface2 import sum_of_softplus


@pytest.mark.parametrize("width", [1, 2, 3, 7, 8, 9, 64, 1001])
@pytest.mark.parametrize("size", [0.01, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("shift", [0.0, -40.0, 40.0])
def test_sum__is_exact_to_rounding_at_any_width_and_size(width: int, size: float, shift: float) -> None:
    x = size * torch.randn(5, width, generator=torch.Generator().manual_seed(width)) + shift
    exact = torch.logaddexp(x.double(), torch.zeros(())).sum(1)

    assert torch.allclose(sum_of_softplus(x, torch.empty_like(x)).double(), exact, rtol=2e-6, atol=0.0)


def test_minus_infinity__adds_nothing() -> None:
    x = torch.tensor([[float("-inf"), 0.5, float("-inf")]])

    assert torch.allclose(sum_of_softplus(x, torch.empty_like(x)), torch.nn.functional.softplus(torch.tensor([0.5])))


def test_the_input__is_left_as_it_was() -> None:
    x = torch.randn(3, 10)
    before = x.clone()

    sum_of_softplus(x, torch.empty_like(x))

    assert torch.equal(x, before)

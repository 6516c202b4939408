"""Pooling: moments and their gradients against plain sums."""

import pytest
import torch
from torch import Tensor

from curvox.encoders.layers import AttendedMoments, frame_mask, frame_statistics


def moments_by_sums(logits: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    weights = logits.exp() / logits.exp().sum(1, keepdim=True)
    mean = (weights * x).sum(1)
    return mean, (weights * x**2).sum(1) - mean**2


def test_attended_moments__have_the_values_and_gradients_of_plain_sums() -> None:
    torch.manual_seed(3)
    logits, x = (torch.randn(2, 7, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    upstream = torch.randn(2, 2, 5, dtype=torch.float64)
    results = []
    for moments in (AttendedMoments.apply, moments_by_sums):
        mean, variance = moments(logits, x)
        gradients = torch.autograd.grad((mean * upstream[0]).sum() + (variance * upstream[1]).sum(), [logits, x])
        results.append((mean, variance, *gradients))
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-12)


def test_attended_moments__pass_the_gradient_check_of_torch() -> None:
    torch.manual_seed(4)
    logits, x = (torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(AttendedMoments.apply, (logits, x))


@pytest.mark.parametrize("length", [1, 5, 8])
def test_frame_statistics__are_those_of_the_real_frames(length: int) -> None:
    x = torch.randn(1, 8, 3, dtype=torch.float64)
    real = x[0, :length].numpy()
    expected = torch.tensor([*real.mean(0), *real.std(0).clip(1e-7**0.5)])
    torch.testing.assert_close(frame_statistics(x, frame_mask(torch.tensor([length]), 8))[0], expected)
    torch.testing.assert_close(frame_statistics(x[:, :length])[0], expected)

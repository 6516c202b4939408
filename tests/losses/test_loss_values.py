"""Values of the losses against fifty-digit reference values, against the published form, and against slow loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from curvox.geometry import AbstractLift, Clip, ExpMap, PoincareBall, Published, SoftClip, distance, exp0
from curvox.losses import AAMSoftmax, AbstractLoss, AMSoftmax, HAMSoftmax, HSoftmax, RAMSoftmax, Softmax

# a small fixed case, with its values computed once in 50-digit arithmetic
EMBEDDINGS = [
    [-0.512, 1.023, -0.452],
    [-0.63, -1.86, -0.427],
    [2.224, 0.848, 2.074],
    [0.498, 0.79, 0.371],
    [-3.332, 1.711, 1.013],
]
CENTRES = [[0.299, -1.015, -1.046], [-0.534, -0.281, 0.183], [-0.028, 0.313, -0.385], [0.185, 0.236, -0.397]]
BIAS = [0.515, 0.167, 0.359, -0.186]
TARGETS = [0, 1, 2, 3, 0]
REFERENCE: dict[str, tuple[Callable[[], AbstractLoss], float]] = {
    "softmax": (lambda: Softmax(3, 4), 2.3021678229336423),
    "am_softmax": (lambda: AMSoftmax(3, 4), 22.521979189526541),
    "aam_softmax": (lambda: AAMSoftmax(3, 4), 21.64356488179127),
    "ram_softmax": (lambda: RAMSoftmax(3, 4), 22.532810047060466),
    "h_softmax published C=5": (lambda: HSoftmax(3, 4), 12.74609108702436),
    "ham_softmax published C=3": (lambda: HAMSoftmax(3, 4), 22.578974980048913),
    "ham_softmax c=3 clip": (
        lambda: HAMSoftmax(3, 4, space=PoincareBall(c=3.0, lift=Clip(0.5))),
        19.275731195633319,
    ),
    "ham_softmax c=0.1 clip": (
        lambda: HAMSoftmax(3, 4, space=PoincareBall(c=0.1, lift=Clip(2.0))),
        47.480208533124002,
    ),
}
EXP0_DISTANCES = {0.1: 1.4457255122034033, 1.0: 1.4679954916008871, 4.0: 1.5098833654638923}
CLIP_DISTANCES = [
    (PoincareBall(lift=Published(5.0)), 1.5247876582440114),
    (PoincareBall(lift=Published(3.0)), 2.1555336464401072),
    (PoincareBall(c=3.0, lift=Clip(0.5)), 2.7136588661792231),
    (PoincareBall(c=0.1, lift=Clip(2.0)), 3.089323090070755),
]
PRECISION = {torch.float64: 1e-10, torch.float32: 1e-4}
both_precisions = pytest.mark.parametrize("dtype", PRECISION)


def fixed_case(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    return torch.tensor(EMBEDDINGS, dtype=dtype), torch.tensor(CENTRES, dtype=dtype), torch.tensor(TARGETS)


@both_precisions
@pytest.mark.parametrize("name", REFERENCE)
def test_loss__equals_the_reference_value(name: str, dtype: torch.dtype) -> None:
    build, expected = REFERENCE[name]
    embeddings, centres, speakers = fixed_case(dtype)
    loss = build().to(dtype)
    with torch.no_grad():
        loss.get_parameter("centres").copy_(centres)
        if isinstance(loss, Softmax):
            loss.get_parameter("bias").copy_(torch.tensor(BIAS, dtype=dtype))
    assert loss(embeddings, speakers).value.item() == pytest.approx(expected, rel=PRECISION[dtype])


@both_precisions
def test_distance__equals_the_reference_values(dtype: torch.dtype) -> None:
    embeddings, centres, _ = fixed_case(dtype)
    for c, expected in EXP0_DISTANCES.items():
        x, y = exp0(embeddings[0] / 4, c=c), exp0(embeddings[1] / 4, c=c)
        assert distance(x, y, c=c).item() == pytest.approx(expected, rel=PRECISION[dtype])
    for space, expected in CLIP_DISTANCES:
        found = space.pairwise_distance(space.project(embeddings), space.project(centres))[0, 1]
        assert found.item() == pytest.approx(expected, rel=PRECISION[dtype])


def random_case(seed: int, *, items: int = 7, speakers: int = 5, dim: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(items, dim, generator=generator, dtype=torch.float64)
    centres = torch.randn(speakers, dim, generator=generator, dtype=torch.float64)
    return embeddings, centres, torch.randint(speakers, (items,), generator=generator)


def with_centres(loss: AbstractLoss, centres: Tensor) -> AbstractLoss:
    loss = loss.double()
    with torch.no_grad():
        loss.get_parameter("centres").copy_(centres)
    return loss


def loop_over_items(embeddings: Tensor, centres: Tensor, speakers: Tensor, terms: Callable[..., float]) -> list[float]:
    """``-log softmax`` of every item by plain Python, from ``terms(z, w, is_target)``."""
    losses = []
    for z, y in zip(embeddings.numpy(), speakers.tolist(), strict=True):
        logits = [terms(z, w, j == y) for j, w in enumerate(centres.numpy())]
        losses.append(math.log(sum(math.exp(logit - logits[y]) for logit in logits)))
    return losses


def cosine(z: np.ndarray, w: np.ndarray) -> float:
    return float(z @ w / np.linalg.norm(z) / np.linalg.norm(w))


def ball_distance(z: np.ndarray, w: np.ndarray, *, radius: float) -> float:
    z, w = (v * min(1.0, radius / float(np.linalg.norm(v))) for v in (z, w))
    return float(np.arccosh(1 + 2 * ((z - w) ** 2).sum() / (1 - (z**2).sum()) / (1 - (w**2).sum())))


@pytest.mark.parametrize("seed", range(3))
def test_losses__equal_slow_loops(seed: int) -> None:
    case = random_case(seed)
    embeddings, centres, speakers = case
    s, m, radius = 8.0, 0.3, (1 - 1e-5) / 2

    def am(z: np.ndarray, w: np.ndarray, target: bool) -> float:
        return s * (cosine(z, w) - m * target)

    def aam(z: np.ndarray, w: np.ndarray, target: bool) -> float:
        theta = math.acos(cosine(z, w))
        if theta + m * target > math.pi:
            return s * (math.cos(theta) - 1 + math.cos(m))
        return s * math.cos(theta + m * target)

    def ham(z: np.ndarray, w: np.ndarray, target: bool) -> float:
        return -s * (ball_distance(z, w, radius=radius) + m * target)

    space = PoincareBall(lift=Published(4.0))
    for loss, terms in [
        (AMSoftmax(6, 5, scale=s, margin=m), am),
        (AAMSoftmax(6, 5, scale=s, margin=m), aam),
        (HAMSoftmax(6, 5, scale=s, margin=m, space=space), ham),
    ]:
        found = with_centres(loss, centres)(embeddings, speakers)
        np.testing.assert_allclose(found.per_item.detach().numpy(), loop_over_items(*case, terms), rtol=1e-10)
        assert found.value.item() == pytest.approx(found.per_item.mean().item())


@pytest.mark.parametrize("seed", range(3))
def test_ram_softmax__equals_a_slow_loop(seed: int) -> None:
    embeddings, centres, speakers = random_case(seed)
    expected = []
    for z, y in zip(embeddings.numpy(), speakers.tolist(), strict=True):
        rivals = [centres.numpy()[j] for j in range(5) if j != y]
        gaps = [8.0 * (cosine(z, w) - cosine(z, centres.numpy()[y]) + 0.3) for w in rivals]
        expected.append(math.log(1 + sum(math.exp(max(0.0, gap)) for gap in gaps)))
    found = with_centres(RAMSoftmax(6, 5, scale=8.0, margin=0.3), centres)(embeddings, speakers)
    np.testing.assert_allclose(found.per_item.detach().numpy(), expected, rtol=1e-10)


def test_softmax__equals_cross_entropy_of_a_linear_layer() -> None:
    embeddings, centres, speakers = random_case(0)
    for scale in (None, 30.0):
        loss = with_centres(Softmax(6, 5, scale=scale), centres)
        logits = torch.nn.functional.linear(embeddings, centres) * (scale or 1.0)
        expected = torch.nn.functional.cross_entropy(logits, speakers)
        torch.testing.assert_close(loss(embeddings, speakers).value, expected)


@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_ham_softmax__has_value_and_gradient_of_the_published_form(margin: float) -> None:
    """The published code: clip both, build (B, N, D), plain arcosh, cross entropy."""
    embeddings, centres, speakers = random_case(4)
    z, w = embeddings.clone().requires_grad_(), centres.clone().requires_grad_()
    radius = (1 - 1e-5) / 3**0.5
    x, p = (v * (radius / v.norm(dim=-1, keepdim=True)).clamp_max(1.0) for v in (z, w))
    gap = (x[:, None, :] - p[None, :, :]).square().sum(-1)
    inside = (1 - x.square().sum(-1))[:, None] * (1 - p.square().sum(-1))[None, :]
    target = torch.nn.functional.one_hot(speakers, 5).double()
    logits = -30.0 * (torch.acosh(1 + 2 * gap / inside) + margin * target)
    expected = torch.nn.functional.cross_entropy(logits, speakers)
    expected.backward()

    loss = with_centres(HAMSoftmax(6, 5, margin=margin), centres)
    ours = embeddings.clone().requires_grad_()
    found = loss(ours, speakers).value
    found.backward()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(ours.grad, z.grad, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(loss.get_parameter("centres").grad, w.grad, rtol=1e-9, atol=1e-12)


class _LargestTensor(TorchDispatchMode):
    """Remembers the largest tensor that any operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


@pytest.mark.parametrize("cls", [AMSoftmax, AAMSoftmax, RAMSoftmax, HSoftmax, HAMSoftmax, Softmax])
def test_classification__never_builds_a_block_of_three_axes(cls: Callable[[int, int], AbstractLoss]) -> None:
    loss = cls(32, 60)
    embeddings = torch.randn(40, 32, requires_grad=True)
    with _LargestTensor() as largest:
        loss(embeddings, torch.arange(40)).value.backward()
    assert 40 * 60 <= largest.elements < 2 * 40 * 60


@pytest.mark.parametrize("apart", [0.0, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("lift", [Published(3.0), Clip(), ExpMap(), SoftClip()])
def test_hyperbolic_target__keeps_its_precision_close_to_the_centre(lift: AbstractLift, apart: float) -> None:
    """In float32 the distance to the own centre is right where the expansion of |x - w|^2 has cancelled."""
    loss = HSoftmax(8, 3, space=PoincareBall(lift=lift))
    torch.manual_seed(0)
    with torch.no_grad():
        loss.centres.copy_(0.1 * torch.randn(3, 8))
    embeddings = loss.centres.detach() * (1 + apart)
    found = loss(embeddings, torch.arange(3)).parts["target_distance"].item()
    space = loss.space.double()
    exact = space.distance(space.project(embeddings.double()), space.project(loss.centres.detach().double()))
    assert found == pytest.approx(exact.mean().item(), rel=0.05, abs=3e-7)

"""Measure how exact the hyperbolic distances are, against 50-digit arithmetic, and print the tables.

    python benchmarks/distance_accuracy.py [--dim 16] [--pairs 10]

The first tables take points of the ball as given: the error is that of the arithmetic alone. They go from coincident
to opposite points, at radii from the origin to the rim of the lifts. The last takes raw vectors: what the points'
own rounding costs, and what a lift's rim gap or Lorentz coordinates save of it. The same is written to
benchmarks/results/distance_accuracy.md with the date and the machine. Half a minute on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import mpmath
import torch
from measuring import machine
from torch import Tensor

from curvox.geometry import (
    ExpMap,
    PoincareBall,
    arcosh1p,
    distance,
    lorentz_distance,
    lorentz_exp0,
    pairwise_distance,
    pairwise_lorentz_distance,
    to_lorentz,
)

Number = Any
"""One of mpmath's, of 50 digits."""
RESULTS = Path(__file__).parent / "results" / "distance_accuracy.md"
CURVATURES = (0.1, 1.0, 4.0)
RADII = {"0": 0.0, "0.5": 0.5, "0.9": 0.9, "0.99": 0.99, "1 - 1e-3": 1 - 1e-3, "1 - 1e-5": 1 - 1e-5}
APART = (0.0, 1e-12, 1e-6, 1e-3, 0.1, 1.0, "opposite")
DEPTHS = (0.1, 1.0, 3.0, 6.0, 9.0, 12.0)


@dataclass(frozen=True)
class Exact:
    """What 50 digits say of a pair: the distance, both numbers 1 - c |x|^2, and the bounds of the docstrings."""

    d: Number
    gap_x: Number
    bound: Number
    pairwise_bound: Number


@dataclass(frozen=True)
class Row:
    """Largest errors of sqrt(c) d over the pairs and curvatures of one row, their bounds, and what was not finite."""

    errors: tuple[float, ...]
    bounds: tuple[float, float]
    slope: float
    not_finite: int
    pull_at_coincidence: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=16)
    parser.add_argument("--pairs", type=int, default=10, help="of each row and curvature")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with mpmath.workdps(50):
        parts = [_given_points(dtype, arguments.dim, arguments.pairs) for dtype in (torch.float64, torch.float32)]
        parts += [_bfloat16(arguments.dim, 10 * arguments.pairs), _raw_vectors(arguments.dim, arguments.pairs)]
    text = "\n\n".join(parts) + "\n"
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    made = f"{date.today().isoformat()}, {machine()}, torch {torch.__version__}, D = {arguments.dim}."
    RESULTS.write_text(f"# Accuracy of the hyperbolic distance\n\n{made}\n\n{text}", encoding="utf-8")


def _given_points(dtype: torch.dtype, dim: int, count: int) -> str:
    """Points at a radius, a step apart: `distance`, `pairwise_distance` and the way through Lorentz coordinates."""
    eps = torch.finfo(dtype).eps
    rows, cells = [], []
    for name, radius in RADII.items():
        for apart in APART:
            row = _row(dtype, dim, count, radius, apart)
            rows.append(row)
            cells.append([name, apart if isinstance(apart, str) else f"{apart:g}", *_numbers(row)])
    head = ("radius", "apart", "distance", "its bound", "pairwise", "its bound", "Lorentz", "Lorentz pairwise", "slope")
    checks = (
        f"Values or gradients that are not finite: {sum(row.not_finite for row in rows)}. "
        f"Largest gradient of `distance` at coincident points: {max(row.pull_at_coincidence for row in rows):g}."
    )
    return (
        f"## {str(dtype).removeprefix('torch.')}, eps = {eps:.2g}\n\n"
        "Largest error of √c d for given points, over c ∈ {0.1, 1, 4}; radius and distance apart in units of the ball; "
        "slope: relative error of the length of the gradient of `distance`.\n\n"
        f"{_markdown(head, cells)}\n\n{checks}"
    )


def _numbers(row: Row) -> list[str]:
    direct, pairwise, lorentz, pairwise_lorentz = (f"{error:.1e}" for error in row.errors)
    bound, pairwise_bound = (f"{bound:.1e}" for bound in row.bounds)
    return [direct, bound, pairwise, pairwise_bound, lorentz, pairwise_lorentz, f"{row.slope:.1e}"]


def _row(dtype: torch.dtype, dim: int, count: int, radius: float, apart: float | str) -> Row:
    errors, bounds, slopes, not_finite, pull = [], [], [0.0], 0, 0.0
    for c in CURVATURES:
        for x, y in _pairs(dtype, dim, count, radius, apart, c):
            for point in (x, y):
                point.requires_grad_()
            true = _exact(x, y, c)
            found = _four_ways(x, y, c)
            gradients = [torch.autograd.grad(d, (x, y), retain_graph=True) for d in found]
            not_finite += sum(not bool(torch.isfinite(value).all()) for value in (*found, *sum(gradients, ())))
            errors.append([float(abs(d.item() - true.d) * mpmath.sqrt(c)) for d in found])
            bounds.append([float(bound * mpmath.sqrt(c)) for bound in (true.bound, true.pairwise_bound)])
            length = gradients[0][0].double().norm().item()
            if true.d > 0:
                slopes.append(abs(float(length * true.gap_x / 2 - 1)))
            else:
                pull = max(pull, length)
    worst = [max(column) for column in zip(*errors, strict=True)]
    held = [max(column) for column in zip(*bounds, strict=True)]
    return Row(tuple(worst), (held[0], held[1]), max(slopes), not_finite, pull)


def _pairs(
    dtype: torch.dtype, dim: int, count: int, radius: float, apart: float | str, c: float
) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(count):
        n = torch.randn(2, dim, generator=generator, dtype=torch.float64)
        n = n / n.norm(dim=-1, keepdim=True)
        x = radius * n[0]
        y = -x if isinstance(apart, str) else x + apart * n[1] * (1 - radius**2) / 2
        y = y * min(1.0, RADII["1 - 1e-5"] / y.norm().item()) if apart and y.norm() > 0 else y
        found.append(((x / c**0.5).to(dtype), (y / c**0.5).to(dtype)))
    return found


def _four_ways(x: Tensor, y: Tensor, c: float) -> list[Tensor]:
    p, q = to_lorentz(x, c=c), to_lorentz(y, c=c)
    return [
        distance(x, y, c=c),
        pairwise_distance(x[None], y[None], c=c)[0, 0],
        lorentz_distance(p, q, c=c),
        pairwise_lorentz_distance(p[None], q[None], c=c)[0, 0],
    ]


def _exact(x: Tensor, y: Tensor, c: float) -> Exact:
    eps, root = torch.finfo(x.dtype).eps, mpmath.sqrt(c)
    p, q = ([mpmath.mpf(value) for value in point.tolist()] for point in (x, y))
    squares = [mpmath.fsum(point, squared=True) for point in (p, q)]
    gap_x, gap_y = (1 - c * square for square in squares)
    u = 2 * c * mpmath.fsum([a - b for a, b in zip(p, q, strict=True)], squared=True) / (gap_x * gap_y)
    d, pull = mpmath.acosh(1 + u) / root, 1 / gap_x + 1 / gap_y
    doubt = 4 * eps * (2 * c * sum(squares) / (gap_x * gap_y) + u * pull)
    pairwise_bound = mpmath.acosh(1 + doubt) / root
    if 0 < doubt <= u / 2:
        pairwise_bound = min(pairwise_bound, 2 * doubt / mpmath.sqrt(u * (u + 2)) / root)
    return Exact(d, gap_x, 2 * eps * pull * min(d / 2, 1 / root) + 4 * eps * d, pairwise_bound + 4 * eps * d)


def _bfloat16(dim: int, count: int) -> str:
    """Raw embeddings as an encoder gives them under bfloat16 autocast, through the ball."""
    cells, same, compared = [], 0, 0
    for c in CURVATURES:
        ball, generator = PoincareBall(c=c), torch.Generator().manual_seed(0)
        for length in (1e-3, 0.5, 0.99, 30.0):
            n = torch.nn.functional.normalize(torch.randn(2, count, dim, generator=generator), dim=-1)
            z = (length * n / c**0.5).bfloat16()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                x, y = ball.project(z)
                found = [ball.distance(x, y), ball.pairwise_distance(x, y).diagonal()]
            x, y = ball.project(z.float())
            wanted = [ball.distance(x, y), ball.pairwise_distance(x, y).diagonal()]
            same += sum(int((a == b).sum()) for a, b in zip(found, wanted, strict=True))
            compared += sum(len(a) for a in wanted)
            true = [_exact(*pair, c).d for pair in zip(x, y, strict=True)]
            worst = [max(abs(d.item() - t) for d, t in zip(way, true, strict=True)) for way in found]
            cells.append([f"{c:g}", f"{length:g}", *(f"{float(error * mpmath.sqrt(c)):.1e}" for error in worst)])
    return (
        "## bfloat16 autocast\n\n"
        "Raw embeddings rounded to bfloat16, lifted and compared under autocast; the functions widen to float32. Equal "
        f"bit for bit to float32 from the same rounded inputs: {same} of {compared} distances. "
        "Largest error of √c d for the lifted points:\n\n"
        + _markdown(("c", "√c · length of z", "distance", "pairwise"), cells)
    )


def _raw_vectors(dim: int, count: int) -> str:
    """From raw vectors, whose exact lifted distance is asked for: ball, ball with the lift's rim gaps, Lorentz."""
    kinds: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "other direction": lambda v, w: w * v.norm(),
        "1 % longer": lambda v, w: 1.01 * v,
        "0.1 aside": lambda v, w: v + 0.05 * w * min(1.0, float(2 * v.norm() / torch.sinh(2 * v.norm()))),
    }
    generator, cells = torch.Generator().manual_seed(0), []
    for depth in DEPTHS:
        for kind, place in kinds.items():
            worst = [0.0] * 6
            for _ in range(count):
                v, w = torch.nn.functional.normalize(torch.randn(2, dim, generator=generator), dim=-1)
                v = v * depth / 2
                errors = _raw_errors(v, place(v, w))
                worst = [max(a, b) for a, b in zip(worst, errors, strict=True)]
            cells.append([f"{depth:g}", kind, *(f"{error:.1e}" for error in worst)])
    head = ("depth", "pair", "ball", "with rim gap", "Lorentz", "pairwise ball", "with rim gap", "Lorentz")
    return (
        "## float32 from raw vectors, lift `exp_map`, c = 1\n\n"
        "Largest error of d against the distance of the exactly lifted vectors; depth: distance from the origin.\n\n"
        + _markdown(head, cells)
    )


def _raw_errors(v: Tensor, w: Tensor) -> list[float]:
    lift = ExpMap(1.0)
    gain = lift.gain.detach()
    v, w = v / gain, w / gain
    with torch.no_grad():
        x, y = lift(v, c=1.0), lift(w, c=1.0)
        gaps = [lift.rim_gap(z.square().sum(-1), dim=len(z), c=1.0) for z in (v, w)]
        p, q = lorentz_exp0(gain * v, c=1.0), lorentz_exp0(gain * w, c=1.0)
        square = (x.square().sum() + y.square().sum() - 2 * (x * y).sum()).clamp_min(0)
        found = [
            distance(x, y, c=1.0),
            arcosh1p(2 * (x - y).square().sum() / (gaps[0] * gaps[1])),
            lorentz_distance(p, q, c=1.0),
            pairwise_distance(x[None], y[None], c=1.0)[0, 0],
            arcosh1p(2 * square / (gaps[0] * gaps[1])),
            pairwise_lorentz_distance(p[None], q[None], c=1.0)[0, 0],
        ]
    a, b = ([mpmath.mpf(value) for value in z.tolist()] for z in (v, w))
    lengths = [mpmath.sqrt(mpmath.fsum(z, squared=True)) for z in (a, b)]
    limit = 2 * mpmath.atanh(1 - mpmath.mpf("1e-5"))
    deep, deeper = (min(2 * gain.item() * length, limit) for length in lengths)
    product = mpmath.sinh(deep) * mpmath.sinh(deeper) * mpmath.fdot(a, b) / (lengths[0] * lengths[1])
    true = mpmath.acosh(mpmath.cosh(deep) * mpmath.cosh(deeper) - product)
    return [float(abs(d.item() - true)) for d in found]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()

"""What tests of the scan share: small cases, and every rule written again as one whole (B, N) matrix for autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from curvox.losses.centres.sphereface2 import BinaryTerms
from curvox.losses.scan import scan
from curvox.losses.scan.rules import AbstractRule, Block, Exponents, FlooredExponents, HyperbolicPowers
from curvox.losses.scan.scan import Rivals, Scan, scan_rivals

DIM, CLASSES, ROWS = 5, 37, 9
SCALE, MARGIN = 4.0, 0.2
KEEP, AGAIN = 2**29, 0


def hidden(k: Tensor, speakers: Tensor, value: float) -> Tensor:
    """k (B, N) with the own class of each row replaced."""
    return torch.where(torch.arange(k.shape[1]) == speakers[:, None], value, k)


def exponents(k: Tensor, row: Tensor, speakers: Tensor) -> Tensor:
    return torch.logsumexp(hidden(k, speakers, -torch.inf), 1)


def floored(k: Tensor, row: Tensor, speakers: Tensor) -> Tensor:
    return torch.logsumexp(hidden(torch.maximum(k, row[:, None]), speakers, -torch.inf), 1)


def powers(exponent: float | None) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def of(k: Tensor, row: Tensor, speakers: Tensor) -> Tensor:
        logits = -(row[:, None] if exponent is None else exponent) * torch.acosh(k)
        return torch.logsumexp(hidden(logits, speakers, -torch.inf), 1)

    return of


def binary(exponent: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def of(k: Tensor, row: Tensor, speakers: Tensor) -> Tensor:
        adjusted = 2 * (k + 0.5) ** exponent - 1
        logits = SCALE * (adjusted + MARGIN) + row[:, None]
        return hidden(torch.logaddexp(logits, torch.zeros_like(logits)), speakers, 0.0).sum(1)

    return of


@dataclass(frozen=True)
class Rule:
    """A rule, the same by plain autograd, and where its products live: "plane", "half cosine" or "hyperboloid"."""

    rule: Callable[[], AbstractRule]
    plain: Callable[[Tensor, Tensor, Tensor], Tensor]
    products: str
    has_row: bool

    @property
    def most(self) -> int:
        """How many largest products to ask for: the rules of cross-entropies hide the own one below all others."""
        return 4 if self.products == "plane" else 0


RULES = {
    "exponents": Rule(Exponents, exponents, "plane", False),
    "floored": Rule(FlooredExponents, floored, "plane", True),
    "powers, whole": Rule(lambda: HyperbolicPowers(30.0), powers(30.0), "hyperboloid", False),
    "powers, broken": Rule(lambda: HyperbolicPowers(2.75), powers(2.75), "hyperboloid", False),
    "powers, learnt": Rule(lambda: HyperbolicPowers(None), powers(None), "hyperboloid", True),
    "binary": Rule(lambda: BinaryTerms(SCALE, MARGIN, 3.0), binary(3.0), "half cosine", True),
    "binary, broken": Rule(lambda: BinaryTerms(SCALE, MARGIN, 1.5), binary(1.5), "half cosine", True),
}


@dataclass(frozen=True)
class Case:
    """Leaves of a scan. ``gain`` is alike for all classes, ``bias`` (N,) a number of each class."""

    points: Tensor
    centres: Tensor
    row: Tensor
    gain: Tensor
    bias: Tensor
    speakers: Tensor
    products: str
    group: int

    @classmethod
    def random(cls, products: str, *, group: int = 1, seed: int = 0, classes: int = CLASSES, rows: int = ROWS) -> Case:
        draw = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_()

        speakers = torch.randint(classes, (rows,), generator=draw)
        speakers[:2] = torch.tensor([0, classes - 1])
        row = (1.0 + 0.5 * normal(rows).detach()).abs().requires_grad_()
        points, centres, gain, bias = normal(rows, DIM), normal(classes * group, DIM), normal(), normal(classes)
        return cls(points, centres, row, gain, bias, speakers, products, group)

    def to(self, dtype: torch.dtype) -> Case:
        """The same case in another precision, with leaves of its own."""
        points, centres, row, gain, bias = (leaf.detach().to(dtype).requires_grad_() for leaf in self.leaves())
        return replace(self, points=points, centres=centres, row=row, gain=gain, bias=bias)

    def leaves(self) -> list[Tensor]:
        return [self.points, self.centres, self.row, self.gain, self.bias]

    def left(self) -> Tensor:
        """The points with their further coordinates."""
        if self.products == "plane":
            return torch.cat([self.points, torch.ones_like(self.points[:, :2])], 1)
        if self.products == "half cosine":
            return 0.5 * torch.nn.functional.normalize(self.points)
        return torch.cat([-self.points, (1 + self.points.square().sum(1, keepdim=True)).sqrt()], 1)

    def columns(self, squares: Tensor) -> Tensor:
        """The factor of each centre, and its further coordinates."""
        if self.products == "plane":
            bias = self.bias.repeat_interleave(self.group)
            return torch.stack([(self.gain.exp() + squares).rsqrt(), self.gain * squares.log1p(), bias], 1)
        if self.products == "half cosine":
            return squares.rsqrt()[:, None]
        gain = self.gain.exp()
        return torch.stack([gain.expand(len(squares)), (1 + gain**2 * squares).sqrt()], 1)

    def whole(self) -> Tensor:
        """All products (B, N * group) at once."""
        left, columns = self.left(), self.columns(self.centres.square().sum(1))
        return left @ torch.cat([self.centres * columns[:, :1], columns[:, 1:]], 1).T


def scanned(case: Case, rule: Rule, *, memory_bytes: int = KEEP, top_k: int = 0) -> Rivals:
    scan = Scan(rule.rule(), case.columns, case.group, top_k, memory_bytes)
    row, further = (case.row if rule.has_row else None), (case.gain, case.bias)
    return scan_rivals(
        scan, case.left(), case.centres, case.speakers, row=row, parameters=further[:1], class_rows=further[1:]
    )


def by_autograd(case: Case, rule: Rule, *, top_k: int = 0) -> Rivals:
    """What a scan should find, from the whole matrix."""
    products, places = case.whole().view(len(case.points), -1, case.group).max(2)
    places = places + case.group * torch.arange(products.shape[1])
    order = hidden(products, case.speakers, -torch.inf).argsort(1, descending=True)[:, :top_k]
    own = case.group * case.speakers[:, None] + torch.arange(case.group)
    found = rule.plain(products, case.row, case.speakers)
    return Rivals(found, case.centres[own], case.centres[places.gather(1, order)], None)


def gradients(case: Case, found: Rivals, *, row: bool, retain_graph: bool = False) -> list[Tensor]:
    """Of a sum in which every number found has its own weight, in all leaves."""
    draw = torch.Generator().manual_seed(7)
    result = found.result_of(case.row) if row else found.result
    total = result.new_zeros(())
    for part in (result, found.own, found.top):
        total = total + (part * torch.randn(part.shape, generator=draw, dtype=torch.float64).to(part.dtype)).sum()
    parts = torch.autograd.grad(total, case.leaves(), retain_graph=retain_graph, materialize_grads=True)
    return list(parts)


def cut_into(widths: Sequence[int]) -> Callable[..., list[Block]]:
    """Stands in for ``blocks_of``: blocks of these widths, as often as there are classes."""

    def blocks(classes: int, *_: object, group: int) -> list[Block]:
        made, start = [], 0
        while start < classes:
            stop = min(classes, start + widths[len(made) % len(widths)])
            made.append(Block(start, stop))
            start = stop
        return made

    return blocks


CUTS = {"one block": (CLASSES,), "sevens, the last of two": (7,), "a class each": (1,), "the last of one": (36, 1)}
CUT_BY = f"{scan.__name__}.blocks_of"
"""What to replace to cut a scan elsewhere."""

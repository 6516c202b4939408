"""Classification losses: a centre for each training speaker, and a softmax over how near the centres are.

A loss of this family says what the own centre's logit is and which products of points and centres stand for the
rivals; the rest, one scan over the centres at the cost of its matrix products, is here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from curvox.errors import InputError, require_non_negative, require_positive
from curvox.geometry import widen
from curvox.losses.contract import AbstractLoss, require_count
from curvox.losses.scan.class_shards import ALL_CLASSES, AbstractClassShard, Picks
from curvox.losses.scan.rules import AbstractRule
from curvox.losses.scan.scan import Rivals, Scan, scan_rivals


def cross_entropy(target: Tensor, rivals: Tensor) -> Tensor:
    """``log(exp(target) + exp(rivals)) - target`` (B,), with the rivals' logarithm of summed exponents."""
    return -nn.functional.logsigmoid(target - rivals)


class LearntScale(nn.Module):
    """A scale: fixed, or learnt within a factor of ten of where it starts, ``start * 10**tanh(raw_scale)``."""

    def __init__(self, start: float, *, learn: bool) -> None:
        super().__init__()
        self.start = require_positive(start, "scale")
        if not isinstance(learn, bool):
            raise InputError(f"learn_scale must be true or false, got {learn!r}")
        self.learn = learn
        if learn:
            self.raw_scale = nn.Parameter(torch.zeros(()))

    def now(self) -> float | Tensor:
        """The present scale: a float when fixed, a 0-dim tensor when learnt."""
        return self.start * 10.0 ** widen(self.raw_scale).tanh() if self.learn else self.start


class AbstractCentreLoss(AbstractLoss):
    """A loss with one or several raw centres (``centres``) for each of N speakers.

    Its memory is the centres and their gradient, ``memory_bytes``, and a few blocks of (B, chunk). Up to
    ``memory_bytes`` (512 MiB; an attribute, so that a tight machine can lower it) the (B, N) derivatives of the logits
    are kept for the backward pass; when they do not fit they are computed again, at the cost of one more product.

    ``by_class`` names the parameters with a row for each class: ``centres``, (N, D), or (N, sub_centres, D) where there
    are several. `curvox.losses.centres.sharding` spreads them over processes; ``shard`` says which classes are here.

    Args:
        dim: D, of the embeddings.
        speakers: N, at least 2.
        margin: m, in units of the loss's own distance or cosine.
        sub_centres: centres a speaker, of which the nearest counts.
    """

    by_class: ClassVar[tuple[str, ...]] = ("centres",)

    def __init__(self, dim: int, speakers: int, *, margin: float, sub_centres: int = 1) -> None:
        super().__init__(dim, speakers)
        self.full_margin = require_non_negative(margin, "margin")
        self.sub_centres = require_count(sub_centres, "sub_centres", least=1)
        several = (self.sub_centres,) if self.sub_centres > 1 else ()
        self.centres = nn.Parameter(torch.empty(speakers, *several, dim))
        self.memory_bytes = 2**29
        self.shard: AbstractClassShard = ALL_CLASSES

    @property
    def margin(self) -> float:
        """The margin in force: the full one times the margin scale."""
        return self.full_margin * self.margin_scale

    def precision(self, embeddings: Tensor) -> torch.dtype:
        """The type to compute in: that of embeddings or centres, whichever is wider, at least float32."""
        return torch.promote_types(torch.promote_types(embeddings.dtype, self.centres.dtype), torch.float32)

    def scan(
        self,
        rule: AbstractRule,
        columns: Callable[[Tensor], Tensor],
        left: Tensor,
        speakers: Tensor,
        *,
        row: Tensor | None = None,
        parameters: tuple[Tensor, ...] = (),
        class_rows: tuple[Tensor, ...] = (),
        top_k: int = 0,
    ) -> Rivals:
        """Scan all centres but the own; see `curvox.losses.scan.scan`."""
        scan = Scan(rule, columns, self.sub_centres, top_k, self.memory_bytes, self.shard)
        speakers = speakers - self.shard.first
        centres = self._centres_here(left.dtype)
        return scan_rivals(scan, left, centres, speakers, row=row, parameters=parameters, class_rows=class_rows)

    @torch.no_grad()
    def own_centres(self, speakers: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, sub_centres, D) raw own centres, without a gradient."""
        centres = self._centres_here(dtype)
        classes = len(centres) // self.sub_centres
        picks = Picks.of_speakers(speakers - self.shard.first, classes, group=self.sub_centres)
        return picks.rows(centres, self.shard)

    def _centres_here(self, dtype: torch.dtype) -> Tensor:
        return self.shard.rows(self.centres).reshape(-1, self.dim).to(dtype)

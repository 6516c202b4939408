"""Losses of any signature behind one face, chosen by name: how a loss is called is never guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from curvox.errors import InputError, require_name
from curvox.geometry import AbstractSpace, Euclidean
from curvox.losses import AbstractLoss, LossOutput

SIGNATURES = {
    "embeddings, speakers": "loss(embeddings (B, D), speakers (B,))",
    "pairs, same": "loss(x (P, D), y (P, D), same (P,)), same 1.0 for one speaker and 0.0 for two",
    "pairs, different": "loss(x (P, D), y (P, D), different (P,)), different 1.0 for two speakers and 0.0 for one",
    "pairs, sign": "loss(x (P, D), y (P, D), sign (P,)), sign 1.0 for one speaker and -1.0 for two",
    "pairs without labels": "loss(x (P, D), y (P, D)), the two of a row of one speaker, other rows of others",
    "triplets": "loss(anchor (T, D), positive (T, D), negative (T, D))",
}
"""What a loss may take, by name, and how it is then called. It returns a scalar or one value for each row."""

MOST_TRIPLETS = 8192
"""Of more triplets in a batch, as many at even distances are taken."""

_LABELS: dict[str, Callable[[Tensor], Tensor]] = {
    "pairs, same": lambda same: same.float(),
    "pairs, different": lambda same: 1.0 - same.float(),
    "pairs, sign": lambda same: 2.0 * same.float() - 1.0,
}


class BatchLoss(AbstractLoss):
    """A callable of one of the `SIGNATURES`, as a loss over embeddings and speakers.

    Every pair of different recordings is taken once, every triplet of an anchor, another recording of its speaker and
    one of somebody else. Where the callable returns one value for each of its rows, the mean is taken.

    Args:
        function: the loss; a module's parameters become this loss's own.
        takes: how it is called, a key of `SIGNATURES`.
        dim: D, of the embeddings.
        space: where embeddings are compared; default `Euclidean`.

    Raises:
        UnknownNameError: no such signature.
        InputError: ``function`` cannot be called, or returns something else than a tensor of floating-point numbers.
    """

    whole_batch = True

    def __init__(
        self, function: Callable[..., Any], *, takes: str, dim: int, space: AbstractSpace | None = None
    ) -> None:
        super().__init__(dim, None)
        require_name(takes, SIGNATURES, "signature of a loss")
        if not callable(function):
            raise InputError(f"a loss must be callable as {SIGNATURES[takes]}, got {function!r}")
        self.function = function
        self.takes = takes
        self.space = Euclidean() if space is None else space

    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        terms = self._call(self._arguments(embeddings, speakers))
        # Only where it takes the recordings themselves, one value for each row is one for each recording.
        if self.takes == "embeddings, speakers" and terms.shape == speakers.shape:
            return LossOutput(terms.mean(), terms)
        value = terms.mean()
        return LossOutput(value, value.expand(len(embeddings)))

    def _arguments(self, embeddings: Tensor, speakers: Tensor) -> tuple[Tensor, ...]:
        """What the function is called with."""
        if self.takes == "embeddings, speakers":
            return embeddings, speakers
        if self.takes in _LABELS:
            rows = torch.triu_indices(len(speakers), len(speakers), 1, device=speakers.device)
            same = speakers[rows[0]] == speakers[rows[1]]
            return embeddings[rows[0]], embeddings[rows[1]], _LABELS[self.takes](same)
        rows = triplet_rows(speakers) if self.takes == "triplets" else partner_rows(speakers)
        return tuple(embeddings[row] for row in rows)

    def _call(self, arguments: tuple[Tensor, ...]) -> Tensor:
        shapes = ", ".join(str(tuple(argument.shape)) for argument in arguments)
        try:
            terms = self.function(*arguments)
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            raise InputError(
                f"the loss could not be called as {SIGNATURES[self.takes]} with shapes {shapes}: {error}; name how it "
                f"is called, one of {'; '.join(SIGNATURES)}"
            ) from error
        terms = getattr(terms, "value", terms)
        if not isinstance(terms, Tensor) or not terms.is_floating_point() or terms.ndim > 1 or terms.numel() == 0:
            got = f"a tensor {tuple(terms.shape)} of {terms.dtype}" if isinstance(terms, Tensor) else repr(terms)
            raise InputError(f"a loss must return a scalar tensor, or one value for each row, got {got}")
        return terms


def adapt(
    loss: Callable[..., Any], *, takes: str = "embeddings, speakers", dim: int, space: AbstractSpace | None = None
) -> AbstractLoss:
    """Return ``loss`` as one over embeddings and speakers; a loss of curvox is returned as it is.

    Raises:
        InputError: as `BatchLoss`; or ``loss`` is one of curvox, which has its space and takes embeddings and speakers,
            and something else was asked for.
    """
    if not isinstance(loss, AbstractLoss):
        return BatchLoss(loss, takes=takes, dim=dim, space=space)
    if takes != "embeddings, speakers" or (space is not None and space is not loss.space):
        raise InputError(
            f"{type(loss).__name__} is a loss of curvox: it takes embeddings and speakers and knows its space; leave "
            "takes and space out"
        )
    return loss


def triplet_rows(speakers: Tensor) -> Tensor:
    """Anchors, positives and negatives (3, T) of a batch, at most `MOST_TRIPLETS` of them at even distances.

    Raises:
        InputError: there is no triplet.
    """
    same = speakers[:, None] == speakers[None, :]
    positive = same & ~torch.eye(len(speakers), dtype=torch.bool, device=speakers.device)
    rows = (positive[:, :, None] & ~same[:, None, :]).nonzero().T
    if rows.shape[1] == 0:
        raise InputError("a batch without two recordings of one speaker and one of another holds no triplet")
    if rows.shape[1] <= MOST_TRIPLETS:
        return rows
    return rows[:, torch.linspace(0, rows.shape[1] - 1, MOST_TRIPLETS).long().to(rows.device)]


def partner_rows(speakers: Tensor) -> Tensor:
    """One pair (2, P) of different recordings for each speaker that has two.

    Raises:
        InputError: no speaker has two, or only one has.
    """
    pairs = [
        (speakers == speaker).nonzero().flatten()[:2]
        for speaker, count in zip(*speakers.unique(return_counts=True), strict=True)
        if count >= 2
    ]
    if len(pairs) < 2:
        raise InputError(f"rows of two recordings need at least two speakers with two each, got {len(pairs)}")
    return torch.stack(pairs, dim=1)

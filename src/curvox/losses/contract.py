"""What every loss is: ``loss(embeddings, speakers) -> LossOutput``, a space, and a margin that can be scheduled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from curvox.errors import InputError, require_non_negative
from curvox.geometry import AbstractSpace, widen


@dataclass(frozen=True)
class LossOutput:
    """What a loss says of a batch.

    Attributes:
        value: the scalar to minimise.
        per_item: (B,) the share of each recording; their mean is ``value``.
        parts: detached scalars for the log, such as the mean distance to the own centre.
    """

    value: Tensor
    per_item: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)


class AbstractLoss(nn.Module, ABC):
    """A loss over a batch of raw embeddings and their speakers.

    ``space`` is where the loss compares embeddings, and where verification compares them later; its
    ``state_dict`` holds whatever it learns. ``speakers`` is the number of speakers it was built for, None when it
    takes any. ``whole_batch`` says that it compares the recordings of a batch with each other, so that several
    processes must gather their embeddings first. The arithmetic is float32 or float64, also under autocast.
    """

    space: AbstractSpace
    whole_batch: bool = False

    def __init__(self, dim: int, speakers: int | None) -> None:
        super().__init__()
        self.dim = require_count(dim, "dim", least=1)
        self.speakers = None if speakers is None else require_count(speakers, "speakers", least=2)
        self.margin_scale = 1.0
        self.margin_scale_limit = float("inf")

    def forward(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        """Return the loss of a batch.

        Args:
            embeddings: (B, D) raw encoder output, any floating type, finite.
            speakers: (B,) integers.

        Raises:
            InputError: wrong types or shapes, unknown speakers, embeddings that are not finite.
        """
        self.check_inputs(embeddings, speakers)
        with torch.autocast(device_type=embeddings.device.type, enabled=False):
            return self.compute(widen(embeddings), speakers.long())

    @abstractmethod
    def compute(self, embeddings: Tensor, speakers: Tensor) -> LossOutput:
        """The loss of checked input: embeddings (B, D) of at least float32, speakers (B,) int64."""

    def set_margin_scale(self, scale: float) -> None:
        """Use ``scale`` times the margin from now on: 0 is no margin, 1 the full one, above 1 is for fine-tuning.

        Reaches every loss inside this one. Losses without a margin accept and ignore it.

        Raises:
            InputError: not a finite number of at least 0, or beyond what the margin's meaning allows.
        """
        scale = require_non_negative(scale, "margin scale")
        losses = [module for module in self.modules() if isinstance(module, AbstractLoss)]
        limit = min(loss.margin_scale_limit for loss in losses)
        if scale >= limit:
            raise InputError(f"margin scale must be below {limit:.4g}, where a margin loses its meaning, got {scale:g}")
        for loss in losses:
            loss.margin_scale = scale

    def check_inputs(self, embeddings: Tensor, speakers: Tensor) -> None:
        """Refuse a batch the loss cannot take, by `InputError`."""
        _check_embeddings(embeddings, self.dim)
        _check_speakers(speakers, embeddings)
        limit = self.speakers
        wide = widen(embeddings.detach())
        sound = torch.isfinite(wide.square().sum())
        if limit is not None:
            sound = sound & (speakers.min() >= 0) & (speakers.max() < limit)
        if not sound.item():  # one wait for the device, whatever is wrong
            _refuse_values(wide, speakers, limit)


_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def _check_embeddings(embeddings: Tensor, dim: int) -> None:
    if not isinstance(embeddings, Tensor) or not embeddings.is_floating_point():
        raise InputError(f"embeddings must be a floating-point tensor (B, {dim}), got {_kind(embeddings)}")
    if embeddings.ndim != 2 or embeddings.shape[1] != dim or len(embeddings) == 0:
        raise InputError(f"embeddings must be of shape (B, {dim}) with B >= 1, got {tuple(embeddings.shape)}")


def _check_speakers(speakers: Tensor, embeddings: Tensor) -> None:
    if not isinstance(speakers, Tensor) or speakers.dtype not in _INTEGERS:
        raise InputError(f"speakers must be a tensor of integers (B,), got {_kind(speakers)}")
    if speakers.shape != embeddings.shape[:1]:
        raise InputError(f"speakers must be of shape ({len(embeddings)},), got {tuple(speakers.shape)}")
    if speakers.device != embeddings.device:
        raise InputError(f"speakers are on {speakers.device}, embeddings on {embeddings.device}; move one of them")


def _refuse_values(embeddings: Tensor, speakers: Tensor, limit: int | None) -> None:
    if limit is not None:
        wrong = ((speakers < 0) | (speakers >= limit)).nonzero().flatten()
        if len(wrong):
            row = int(wrong[0])
            raise InputError(
                f"speakers must be in 0..{limit - 1} (the loss was built for {limit}), "
                f"got {int(speakers[row])} in row {row}; {len(wrong)} of {len(speakers)} rows are out of range"
            )
    wrong = (~torch.isfinite(embeddings).all(-1)).nonzero().flatten().tolist()
    if wrong:
        raise InputError(
            f"embeddings must be finite, got NaN or infinity in rows {_some(wrong)} of {len(embeddings)}; "
            "a learning rate too high, a silent recording or half-precision overflow are the usual causes"
        )
    row = int(embeddings.abs().amax(-1).argmax())
    raise InputError(
        f"embeddings are too large: their squares overflow {embeddings.dtype}, the largest in row {row}; "
        "normalise the encoder's output or lower the learning rate"
    )


def _some(rows: list[int]) -> str:
    return ", ".join(map(str, rows[:8])) + (" ..." if len(rows) > 8 else "")


def _kind(value: object) -> str:
    return str(value.dtype) if isinstance(value, Tensor) else type(value).__name__


def require_count(value: int, name: str, *, least: int) -> int:
    """Return ``value``, or refuse it when it is no whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return value

"""Faults that people make, as operators on any loss in which they make sense."""

# ruff: noqa: E501 - a table, one operator a line

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curvox.geometry import AbstractSpace
from mutants.sound import BATCH, MOST, Loss, Sound
from mutants.training import WIDTH, Subject, plain_encoder

Arguments = tuple[Tensor, ...]
Change = Callable[[Arguments], Arguments]

PLANNED = (
    "nothing_pushes_apart", "nothing_pulls_together", "unbounded_below", "wrong_labels", "softmax_twice",
    "no_logarithm", "normalised_over_batch", "margin_too_small", "branch_detached", "dead_units", "clipped_to_nothing",
)  # fmt: skip
"""Causes that the doctor does not have yet and whose name a user would accept."""


@dataclass(frozen=True)
class Operator:
    """A fault.

    Attributes:
        name: unique; what is left out as a whole.
        causes: what the doctor may call it, in terms that the user accepts; names of `PLANNED` among them.
        fits: whether it makes sense in a loss.
        apply: from the sound loss to what is trained and asked about.
        share: of the losses that it fits, which are drawn by a hash.
        run_only: it lies in the network or the training; a loss and a batch do not show it.
    """

    name: str
    causes: frozenset[str]
    fits: Callable[[Sound], bool]
    apply: Callable[[Sound], Subject]
    share: float = 1.0
    run_only: bool = False

    def chosen(self, sound: Sound) -> bool:
        """Whether it is made on this loss."""
        return self.fits(sound) and drawn(f"{self.name} on {sound.name}") < self.share


def drawn(text: str, seed: int = 0) -> float:
    """A number in [0, 1) that stands for a text."""
    return int.from_bytes(hashlib.sha256(f"{seed} {text}".encode()).digest()[:6], "big") / 2**48


def sound_subject(sound: Sound, settings: Mapping[str, Any] | None = None) -> Subject:
    """The loss as it is, or with other settings."""
    make = functools.partial(_build, sound, dict(settings or {}))
    return Subject(make, sound.takes, sound.compare, plain_encoder, rate=sound.rate, own_rate=sound.own_rate)


def _build(sound: Sound, settings: Mapping[str, Any], dim: int, speakers: int) -> Loss:
    return sound.build(dim, speakers, settings)


class Wrapped(nn.Module):
    """A loss inside a line of one's own: its arguments are changed on the way in, its value on the way out."""

    def __init__(self, loss: Loss, before: Change | None, after: Callable[[Tensor], Tensor] | None) -> None:
        super().__init__()
        self.loss, self.before, self.after = loss, before, after
        own = getattr(loss, "space", None)
        if isinstance(own, AbstractSpace):
            object.__setattr__(self, "space", own)

    def forward(self, *arguments: Tensor) -> Tensor:
        out = self.loss(*(arguments if self.before is None else self.before(arguments)))
        out = getattr(out, "value", out)
        return out if self.after is None else self.after(out)


def wrapped(subject: Subject, before: Change | None = None, after: Callable[[Tensor], Tensor] | None = None) -> Subject:
    """The subject with a line of its user's around the loss."""
    make = subject.make
    return replace(subject, make=lambda dim, speakers: Wrapped(make(dim, speakers), before, after))


# --- labels and rows ---


def _is_pairs(sound: Sound) -> bool:
    return sound.takes.startswith("pairs, ")


def _rows(sound: Sound) -> bool:
    return sound.takes != BATCH


def _shuffled(arguments: Arguments) -> Arguments:
    if len(arguments) == 3 and arguments[2].ndim > 1:  # triplets: positive or negative, as chance has it
        a, p, n = arguments
        turned = (torch.rand(len(a), 1) < 0.5).expand_as(p)
        return a, torch.where(turned, n, p), torch.where(turned, p, n)
    *kept, last = arguments
    return *kept, last[torch.randperm(len(last))]


def _off_by_one(arguments: Arguments) -> Arguments:
    return arguments[0], arguments[1].roll(1)


def inverted(arguments: Arguments) -> Arguments:
    """The other label, or positive and negative exchanged."""
    x, y, last = arguments
    if last.ndim > 1:
        return x, last, y
    return x, y, -last if bool((last < 0).any()) else 1 - last


def _is_same(sound: Sound) -> Callable[[Tensor], Tensor]:
    return (lambda label: label <= 0) if sound.takes == "pairs, different" else (lambda label: label > 0)


def _kept(sound: Sound, same: bool) -> Change:
    right = _is_same(sound)

    def change(arguments: Arguments) -> Arguments:
        kept = right(arguments[2]) == same
        return tuple(argument[kept] for argument in arguments)

    return change


def _positive_is_anchor(sound: Sound) -> Change:
    right = _is_same(sound)

    def change(arguments: Arguments) -> Arguments:
        x, y, *rest = arguments
        if not rest:
            return x, x
        if rest[0].ndim > 1:
            return x, x, rest[0]
        return x, torch.where(right(rest[0])[:, None], x, y), rest[0]

    return change


def _later_detached(arguments: Arguments) -> Arguments:
    return arguments[0], *(argument.detach() for argument in arguments[1:])


def _all_detached(arguments: Arguments) -> Arguments:
    return tuple(argument.detach() for argument in arguments)


def _normalised_over_batch(arguments: Arguments) -> Arguments:
    return tuple(F.normalize(a, dim=0) * len(a) ** 0.5 if a.ndim > 1 else a for a in arguments)


def _weighted(arguments: Arguments) -> Arguments:
    weights = torch.ones(len(arguments[0]), 1)
    weights[0] = 100.0
    return tuple(a * weights + (a * (1 - weights)).detach() if a.ndim > 1 else a for a in arguments)


def _halved(gain: float) -> Change:
    return lambda arguments: tuple((gain * a).half() if a.is_floating_point() and a.ndim > 1 else a for a in arguments)


# --- parameters of the loss ---


def _constant(kind: str) -> Callable[[Sound], Subject]:
    def apply(sound: Sound) -> Subject:
        subject = sound_subject(sound)
        make = subject.make
        return replace(subject, make=lambda dim, speakers: held(make(dim, speakers), kind))

    return apply


def held(loss: Loss, kind: str) -> Loss:
    """Make matrices of a loss constants: frozen, buffers, or plain tensors that no optimiser hears of."""
    assert isinstance(loss, nn.Module)
    for module in loss.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.ndim < 2:
                continue
            if kind == "frozen":
                parameter.requires_grad_(False)
                continue
            delattr(module, name)
            if kind == "buffer":
                module.register_buffer(name, parameter.detach().clone())
            else:
                setattr(module, name, parameter.detach().clone())
    return loss


# --- settings ---


def _setting(**changes: Callable[[Sound, float], float]) -> Callable[[Sound], Subject]:
    def apply(sound: Sound) -> Subject:
        return sound_subject(sound, {k: c(sound, sound.knobs[k]) for k, c in changes.items() if k in sound.knobs})

    return apply


def _knob(*names: str) -> Callable[[Sound], bool]:
    return lambda sound: any(name in sound.knobs for name in names)


def _margin_in(*units: str) -> Callable[[Sound], bool]:
    return lambda sound: sound.margin in units and "margin" in sound.knobs


def sharpened(factor: Callable[[float], float]) -> Callable[[Sound], Subject]:
    """The scale, or one over the temperature, changed."""

    def apply(sound: Sound) -> Subject:
        if "scale" in sound.knobs:
            return sound_subject(sound, {"scale": factor(sound.knobs["scale"])})
        name = "temperature" if "temperature" in sound.knobs else "softmax_scale"
        value = sound.knobs[name]
        return sound_subject(sound, {name: 1 / factor(1 / value) if name == "temperature" else factor(value)})

    return apply


def _twice(scale: float) -> float:
    return scale**2 if scale > 1 else scale / 10


def _turned_unit(sound: Sound, margin: float) -> float:
    return math.radians(margin) if sound.margin == "degrees" else math.degrees(margin)


def _beyond(sound: Sound, margin: float) -> float:
    return 1.25 * MOST[sound.margin]


def _softmax_first(logits: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(logits.softmax(1), y)


def _log_twice(logits: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(logits.log_softmax(1), y)


def _no_log(logits: Tensor, y: Tensor) -> Tensor:
    return F.nll_loss(logits.softmax(1), y)


def _over_batch(logits: Tensor, y: Tensor) -> Tensor:
    return F.nll_loss(logits.log_softmax(0), y)


# --- the network and its training ---


def _narrow(features: int, dim: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1), nn.Linear(1, dim))


class _Dead(nn.Module):
    """A rectifier whose inputs lie far below zero for almost all units."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.full((dim,), -6.0))
        with torch.no_grad():
            self.bias[:1] = 0.0

    def forward(self, z: Tensor) -> Tensor:
        return (z + self.bias).relu()


def _dead(features: int, dim: int) -> nn.Module:
    return nn.Sequential(*plain_encoder(features, dim).children(), _Dead(dim))


def _with(**changes: Any) -> Callable[[Sound], Subject]:
    def apply(sound: Sound) -> Subject:
        subject = sound_subject(sound)
        done = {
            name: value(subject) if callable(value) and name == "rate" else value for name, value in changes.items()
        }
        return replace(subject, **done)

    return apply


def _line(before: Change | None = None, after: Callable[[Tensor], Tensor] | None = None) -> Callable[[Sound], Subject]:
    return lambda sound: wrapped(sound_subject(sound), before, after)


def _of(change: Callable[[Sound], Change]) -> Callable[[Sound], Subject]:
    return lambda sound: wrapped(sound_subject(sound), change(sound))


def _every(sound: Sound) -> bool:
    return True


_APART, _TOGETHER, _BELOW = {"nothing_pushes_apart"}, {"nothing_pulls_together"}, {"unbounded_below"}
_SOFT = {"softmax_twice", "scale_too_small"}
_CENTRES = {"centres_never_move", "frozen_parameters"}
_FAR = {"margin_out_of_reach", "never_satisfied"}
_BATCH_NORM = {"normalised_over_batch"}

_FLAGS: dict[str, set[str]] = {
    "no_clamp": _BELOW,
    "only_pulls": _APART,
    "only_pushes": _TOGETHER | _BELOW,
    "inverted_mask": {"wrong_direction"},
    "mask_of_all": _APART | {"label_blind"},
    "both_alike": {"label_blind"},
    "sqrt_at_zero": {"not_finite"},
    "acos_at_one": {"not_finite"},
    "wrong_axis": _BATCH_NORM | {"label_blind"},
    "softmax_first": _SOFT,
    "squashed_twice": _SOFT,
    "no_log": {"no_logarithm", "scale_too_small", "vanishing_gradient"},
    "margin_on_others": {"wrong_direction", "margin_out_of_reach"},
    "never_updated": {"centres_never_move"},
}
"""Mistakes in the body of a loss, and what they may be called."""


def _flag(name: str) -> Operator:
    return Operator(
        name,
        frozenset(_FLAGS[name]),
        lambda sound: name in sound.faults,
        lambda sound: sound_subject(sound, {"fault": name}),
    )


def _ce(name: str, criterion: Callable[[Tensor, Tensor], Tensor], causes: set[str]) -> Operator:
    return Operator(
        name,
        frozenset(causes),
        _knob("criterion"),
        lambda sound: sound_subject(sound, {"criterion": criterion}),
    )


def _table() -> list[Operator]:
    def make(name: str, causes: set[str], fits: Any, apply: Any, share: float = 1.0, *, run: bool = False) -> Operator:
        return Operator(name, frozenset(causes), fits, apply, share, run)

    def plain_function(sound: Sound) -> bool:
        return sound.source == "plain" and isinstance(sound.build(8, 8), functools.partial)

    broadcast = lambda sound: _is_pairs(sound) and plain_function(sound)  # noqa: E731
    scale = _knob("scale", "temperature", "softmax_scale")
    return [
        *(_flag(name) for name in _FLAGS),
        make("labels_shuffled", {"wrong_labels", "label_blind"}, _every, _line(_shuffled), 0.4),
        make("labels_inverted", {"wrong_direction"}, lambda s: _is_pairs(s) or s.takes == "triplets", _line(inverted)),
        make("labels_off_by_one", {"wrong_labels", "label_blind"}, lambda s: s.takes == BATCH, _line(_off_by_one), 0.3),
        make(
            "labels_broadcast", {"label_blind"}, broadcast, _line(lambda a: (a[0], a[1], a[2][:, None]))
        ),
        make("sign_turned", {"wrong_direction", *_BELOW}, _every, _line(after=lambda value: -value), 0.35),
        make("only_positive_rows", _APART, _is_pairs, _of(lambda s: _kept(s, True))),
        make("only_negative_rows", _TOGETHER, _is_pairs, _of(lambda s: _kept(s, False)), 0.6),
        make("positive_is_anchor", _TOGETHER, _rows, _of(_positive_is_anchor), 0.7),
        make(
            "negative_is_anchor", {*_APART, "never_satisfied"}, lambda s: s.takes == "triplets",
            _line(lambda a: (a[0], a[1], a[0])),
        ),
        make("branch_detached", {"branch_detached", "frozen_parameters"}, _rows, _line(_later_detached), 0.5),
        make("embeddings_detached", {"frozen_parameters", "never_active"}, _every, _line(_all_detached), 0.2),
        make("normalised_over_batch", _BATCH_NORM, _every, _line(_normalised_over_batch), 0.3),
        make("item_weights", {"few_items_rule"}, _every, _line(_weighted), 0.3),
        make(
            "half_precision", {"half_precision_overflow", "not_finite"}, plain_function,
            lambda s: wrapped(sound_subject(s), _halved(60.0 if s.compare == "euclidean" else 1.0), Tensor.float), 0.6,
        ),
        make("margin_times_10", _FAR, _knob("margin"), _setting(margin=lambda s, m: 10 * m)),
        make("margin_over_10", {"never_active", "margin_too_small"}, _knob("margin"), _setting(margin=lambda s, m: m / 10)),
        make("margin_other_unit", _FAR, _margin_in("radians", "degrees"), _setting(margin=_turned_unit)),
        make("margin_beyond", _FAR, _margin_in(*MOST), _setting(margin=_beyond)),
        make("scale_over_30", {"scale_too_small"}, scale, sharpened(lambda s: s / 30)),
        make("scale_times_10", {"scale_too_large", "gradient_multiplied"}, scale, sharpened(lambda s: 10 * s)),
        make("temperature_twice", {"scale_too_large", "gradient_multiplied", "scale_too_small"}, scale, sharpened(_twice), 0.6),
        _ce("criterion_softmax_first", _softmax_first, _SOFT),
        _ce("criterion_log_twice", _log_twice, _SOFT),
        _ce("criterion_no_log", _no_log, {"no_logarithm", "scale_too_small", "vanishing_gradient"}),
        _ce("criterion_over_batch", _over_batch, _BATCH_NORM | {"label_blind"}),
        make("centres_frozen", _CENTRES, lambda s: s.learns, _constant("frozen"), 0.6),
        make("centres_unregistered", _CENTRES, lambda s: s.learns, _constant("tensor"), 0.5),
        make("centres_in_buffer", _CENTRES, lambda s: s.learns, _constant("buffer"), 0.5),
        make("rank_bottleneck", {"dimensional_collapse"}, _every, _with(encoder=_narrow), 0.25, run=True),
        make("dead_units", {"dead_units", "dimensional_collapse", "collapse", "unused_parameters"}, _every, _with(encoder=_dead), 0.25, run=True),
        make("rate_times_100", {"learning_rate_too_high"}, _every, _with(rate=lambda s: 100 * s.rate), 0.3, run=True),
        make("clipped_to_nothing", {"clipped_to_nothing", "learning_rate_too_low", "vanishing_gradient"}, _every, _with(clip=1e-11), 0.2, run=True),
    ]  # fmt: skip


OPERATORS: dict[str, Operator] = {operator.name: operator for operator in _table()}
"""Every operator by name."""

SPLIT_SEED, LEFT_OUT_SHARE = 18, 0.4


def left_out(what: str) -> bool:
    """Whether a family or an operator is kept for the report; on all others thresholds may be set."""
    return drawn(what, SPLIT_SEED) < LEFT_OUT_SHARE

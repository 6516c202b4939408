"""What the doctor says to do, done literally: a setting, a line, or another loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from curvox.losses import ContrastiveHinge, GaussianKL
from mutants.operators import Operator, inverted, sharpened, sound_subject, wrapped
from mutants.sound import BATCH, MOST, Loss, Sound
from mutants.training import RATE, Subject

Remedy = Callable[[Sound, Operator, float | None], Subject | None]
"""From the sound loss, what was done to it and the number in the evidence; None where no line says it."""

_HELD = ("centres_frozen", "centres_unregistered", "centres_in_buffer", "embeddings_detached", "branch_detached")


def remedied(sound: Sound, operator: Operator, cause: str, number: float | None) -> Subject | None:
    """The mutant after the remedy of ``cause``, which need not be right; None where it is no line to change."""
    return REMEDIES[cause](sound, operator, number) if cause in REMEDIES else None


def _turned(sound: Sound, operator: Operator, number: float | None) -> Subject:
    if operator.name == "inverted_mask":  # the label inside the loss, turned around
        return sound_subject(sound)
    mutant = operator.apply(sound)
    if sound.takes.startswith("pairs, ") or sound.takes == "triplets":
        return wrapped(mutant, inverted)
    return wrapped(mutant, after=Tensor.neg)


def _margin(share: float) -> Remedy:
    """A share of the largest margin there can be."""

    def apply(sound: Sound, operator: Operator, number: float | None) -> Subject | None:
        if "margin" not in sound.knobs or sound.margin not in MOST or not operator.name.startswith("margin_"):
            return None
        return sound_subject(sound, {"margin": share * MOST[sound.margin]})

    return apply


def _higher_margin(sound: Sound, operator: Operator, number: float | None) -> Subject | None:
    if operator.name != "margin_over_10":
        return None
    return sound_subject(sound)


def _scale(sound: Sound, operator: Operator, number: float | None) -> Subject | None:
    if operator.name not in ("scale_over_30", "scale_times_10", "temperature_twice"):
        return None
    return sharpened(lambda _: 30.0)(sound)


def _rate(sound: Sound, operator: Operator, number: float | None) -> Subject | None:
    mutant = operator.apply(sound)
    return replace(mutant, rate=number / RATE) if number and number > 0 else None


def _given(sound: Sound, operator: Operator, number: float | None) -> Subject | None:
    """Everything is handed to the optimiser, and nothing detached."""
    return sound_subject(sound) if operator.name in _HELD else None


def _clipped(sound: Sound, operator: Operator, number: float | None) -> Subject:
    return replace(operator.apply(sound), clip=5.0)


def _instead(make: Callable[[int], Loss]) -> Remedy:
    def apply(sound: Sound, operator: Operator, number: float | None) -> Subject:
        return replace(operator.apply(sound), make=lambda dim, speakers: make(dim), takes=BATCH)

    return apply


REMEDIES: dict[str, Remedy] = {
    "wrong_direction": _turned,
    "margin_out_of_reach": _margin(1 / 3),
    "never_active": _higher_margin,
    "scale_too_small": _scale,
    "scale_too_large": _scale,
    "learning_rate_too_high": _rate,
    "learning_rate_too_low": _rate,
    "centres_never_move": _given,
    "frozen_parameters": _given,
    "exploding_gradient": _clipped,
    "few_items_rule": _clipped,
    "never_satisfied": _instead(ContrastiveHinge),
    "label_blind": _instead(GaussianKL),
    "gradient_multiplied": _instead(GaussianKL),
}
"""By cause."""

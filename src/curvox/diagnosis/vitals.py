"""The vital signs of a training: what each is called, and what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vital:
    """One number that is followed over a run: its name in logs, what people call it, its unit, how to read it."""

    name: str
    title: str
    unit: str
    reading: str


VITALS: dict[str, Vital] = {
    vital.name: vital
    for vital in (
        Vital("loss", "Loss", "", "falls; a margin that is being raised may make it rise"),
        Vital("dev_eer", "Dev EER", "%", "falls; 50 % is chance"),
        Vital("effective_rank", "Effective rank", "", "of the batch, at most its recordings less one; rises early"),
        Vital("alignment", "Alignment", "", "mean squared chord of same-speaker unit vectors; falls"),
        Vital("uniformity", "Uniformity", "", "log mean exp(-2 chord²) of all pairs; falls, 0 is collapse"),
        Vital("same_distance", "Same-speaker distance", "", "mean in the loss's space; falls"),
        Vital(
            "different_distance", "Different-speaker distance", "", "mean in the loss's space; stays above the former"
        ),
        Vital("active_share", "Active recordings", "%", "with a gradient above a hundredth of the batch's mean"),
        Vital("top_item_share", "Largest share of one recording", "%", "of the batch's gradient; small"),
        Vital("gradient_norm", "Gradient norm", "", "of encoder and loss together; no jumps"),
        Vital(
            "first_layer_share", "Gradient of the first layers", "%", "share of the encoder's first parameters; not 0"
        ),
        Vital("update_ratio", "Length of a step", "", "change over weight, of the encoder; about 0.001"),
        Vital("learning_rate", "Learning rate", "", "as scheduled"),
        Vital("margin_scale", "Margin scale", "", "share of the full margin, as scheduled"),
        Vital("radius_low", "Radius, 5 % quantile", "", "of the points, over the largest radius; only on the ball"),
        Vital("radius_mid", "Radius, median", "", "of the points, over the largest radius; only on the ball"),
        Vital("radius_high", "Radius, 95 % quantile", "", "of the points, over the largest radius; only on the ball"),
    )
}
"""Every vital sign by name."""

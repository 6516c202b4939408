"""Causes that lie in the numbers, the gradient and the optimiser."""

from curvox.diagnosis.cause import Cause

NUMBERS = (
    Cause(
        "not_finite",
        "NaN or infinity",
        "numbers",
        "An operation returned NaN or infinity, forward or backward, and everything computed from it is lost. The "
        "evidence names the first operation and the recordings it happened to.",
        "Guard that operation: an epsilon inside a root or a logarithm, log1p, a clamp before arccos or arcosh; where "
        "it was the weights that left the finite range, lower the learning rate or clip the gradient.",
        "training: {optimizer: {clip_gradient_norm: 5.0}}",
        (
            "vanishing_gradient", "collapse", "overfitting",
            "half_precision_overflow", "frozen_parameters", "few_items_rule",
        ),
    ),
    Cause(
        "half_precision_overflow",
        "Numbers too large for half precision",
        "numbers",
        "In float16 nothing above 65,504 can be held, and activations or the loss's own terms pass that. They become "
        "infinite although float32 would hold them.",
        "Train in bf16-mixed or 32-true, or compute the loss in float32.",
        "training: {precision: bf16-mixed}",
        ("not_finite", "exploding_gradient"),
    ),
)  # fmt: skip

TRAINING = (
    Cause(
        "frozen_parameters",
        "Weights that do not move",
        "training",
        "These weights are what they were at the start, although the loss depends on them: they were left out of the "
        "optimiser, detached, or require no gradient. The rest must make do with features that nobody learnt.",
        "Hand all parameters to the optimiser, and look for detach(), no_grad and requires_grad_(False) on the way.",
        "",
        ("learning_rate_too_low", "vanishing_gradient", "collapse", "dimensional_collapse"),
    ),
    Cause(
        "unused_parameters",
        "Weights that the loss does not depend on",
        "training",
        "No gradient ever reaches these weights, because their layer is not on the way from recording to loss. They "
        "cost memory, and what was meant to go through them does not.",
        "Connect the layer, or remove it.",
    ),
    Cause(
        "centres_never_move",
        "Class centres that do not move",
        "training",
        "The centres of the loss stay at random places, so that the encoder must carry each speaker to a place that "
        "has nothing to do with the voice. Speakers that sound alike are not near each other then.",
        "Hand the loss's parameters to the optimiser, and give them a learning rate like the encoder's.",
        "training: {optimizer: {centre_learning_rate_factor: 1.0}}",
    ),
    Cause(
        "learning_rate_too_high",
        "The learning rate is too high",
        "training",
        "A step along the gradient of a batch does not lower the loss of that very batch, it raises it: the step goes "
        "over the valley. The loss jumps or stays where chance puts it.",
        "Lower the learning rate to the one in the evidence, warm it up over the first epoch, or clip the gradient.",
        "training: {optimizer: {learning_rate: 0.001}}",
        ("exploding_gradient", "collapse", "dimensional_collapse", "overfitting", "vanishing_gradient", "not_finite"),
    ),
    Cause(
        "learning_rate_too_low",
        "The learning rate is too low",
        "training",
        "Steps many times as long would still lower the loss in proportion: the weights have hardly moved from where "
        "they started. The run would need that many times more steps.",
        "Raise the learning rate to the one in the evidence.",
        "training: {optimizer: {learning_rate: 0.001}}",
        ("centres_never_move",),
    ),
    Cause(
        "exploding_gradient",
        "The gradient explodes",
        "training",
        "The norm of the gradient is many times the usual one, all the time or in single steps. One such step undoes "
        "what many others built.",
        "Clip the gradient, warm up the learning rate, and look which layer it comes from.",
        "training: {optimizer: {clip_gradient_norm: 5.0}}",
        ("learning_rate_too_high",),
    ),
    Cause(
        "vanishing_gradient",
        "The gradient vanishes on its way",
        "training",
        "The loss has a gradient, but next to nothing of it reaches the first layers: something on the way is "
        "saturated, or multiplies by a small number. Those layers stay as they were drawn.",
        "Look at the layer in the evidence: normalise before a saturating activation, or replace it.",
        "",
        ("learning_rate_too_low", "frozen_parameters"),
    ),
    Cause(
        "few_items_rule",
        "A few recordings rule the loss",
        "training",
        "Most of the gradient of a batch comes from very few of its recordings, so the others are hardly learnt from. "
        "Such recordings are often mislabelled, damaged or outliers.",
        "Listen to the recordings in the evidence; then bound their influence (a smaller scale, semi-hard instead of "
        "hardest mining, gradient clipping).",
        "loss: {mining: semi_hard}",
    ),
    Cause(
        "overfitting",
        "Train and dev go apart",
        "training",
        "The training loss falls while the error rate of the dev trials rises: the model learns these recordings, not "
        "these voices. Its later checkpoints are worse than its earlier ones.",
        "Stop at the best epoch, augment, add speakers, or take a smaller encoder or a larger weight decay.",
        "augmentation: {waveforms: {}, features: {}}",
    ),
    Cause(
        "margin_ramp",
        "The loss rises because the margin does",
        "training",
        "The margin is being raised on schedule, and a larger margin makes the same embeddings cost more. This is what "
        "a warm-up is meant to do.",
        "Nothing: read the dev EER meanwhile, not the loss.",
    ),
)

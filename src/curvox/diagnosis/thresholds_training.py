"""What the checks of a training step, of the course of a run and of a live run judge by."""

# --- weights that move or do not ---------------------------------------------------------------------------------

FROZEN_FAILURE_SHARE = 0.3
"""Of the encoder's weights. Some part may be frozen on purpose; with a third of them the rest learns around it."""

MOVED_AT_ALL = 1e-4
"""Median relative change of the weights that train, above which a weight that is bit for bit as it was stands out."""

CENTRES_MOVED_SHARE = 1e-3
"""Of the encoder's relative change. Centres start at least as large as weights and have a gradient as large."""

NO_GRADIENT_ELEMENTS = 16
"""A parameter this large whose gradient is zero in every number is off the way; a smaller one may be so by chance."""

# --- learning rate -----------------------------------------------------------------------------------------------

RISE_WARNING, RISE_FAILURE = 0.1, 0.3
"""Rise of the batch's own loss after the step, over the rise after a step so long that it destroys the model. Healthy
runs fall; those that have come to rest rise by next to nothing of it."""

RISE_OF_LOSS = 0.1
"""The rise over the loss itself that is worth a word; a destroyed model may cost little more in a bounded loss."""

SHORTER_WARNING, SHORTER_FAILURE = 0.011, 0.0011
"""A step this many times as short that does more than twice as much for the loss of its own batch: a tenth at most
does so in healthy runs."""

LOW_MULTIPLE = 100.0
"""No step lowers the loss more than one this many times as long: with a healthy rate ten are the most."""

LOW_FALL = 0.03
"""Share of the loss that the long step must take off: at the end of a training there is nothing left to take."""

LOW_MOVED = 0.005
"""Relative change of the weights since the start; three healthy steps change them by more, a hundred by a tenth."""

THROWN_WARNING, THROWN_FAILURE = 10.0, 30.0
"""Relative change of the weights since the start: a tenth after a hundred healthy steps, a few after long runs. Beyond
it the weights are sums of steps, of which each was too long."""

# --- gradients ---------------------------------------------------------------------------------------------------

VANISHED_WARNING, VANISHED_FAILURE = 1e-3, 1e-4
"""Influence of the first layers over that of those behind them: above 0.1 in healthy networks of any depth."""

LAYER_ELEMENTS = 16
"""Numbers in a weight that counts as a layer; a learnt scalar may have little influence and be right."""

EXPLODED_WARNING, EXPLODED_FAILURE = 50.0, 500.0
"""Influence of a layer over that of the embeddings: about 1 in a linear layer, 5 before batch normalisation."""

FEW_ITEMS_BATCH = 16
"""Recordings in a batch, below which one of them has much of the gradient by right."""

FEW_ITEMS_RANK = 6
"""Effective rank of a batch, from which it has enough recordings where their number is not known."""

FEW_ITEMS_SHARE = 0.9
"""Share of one recording, or of 5 % of them, in the gradient. In pair losses a recording has a partner as large."""

FEW_ITEMS_REACH, FEW_ITEMS_FAILURE_REACH = 1.0, 10.0
"""Change of the loss for a relative change of the embeddings. Where all but the last errors are learnt, these have the
gradient, and should, but it is small."""

POSITIVES_FAILURE, POSITIVES_WARNING = 0.5, 0.9
"""Share of batches with two recordings of a speaker, for a loss that compares recordings."""

HALF_MAXIMUM = 65504.0
"""The largest number of float16."""

# --- the course of a run -----------------------------------------------------------------------------------------

LEAST_LOGS = 5
"""Logged steps, below which a median and a peak say nothing."""

LOG_WINDOW = 5
"""Logs of a running median."""

LEAST_EPOCHS = 5
"""Below it no epoch can be best and clearly before the end."""

EPOCH_WINDOW = 2
"""Epochs at the end that must all be worse than the best: the dev EER of a small corpus jumps by a point or two."""

LOSS_FALL = 0.03
"""Share by which the training loss must have fallen since the best epoch."""

EER_RISE_WARNING, EER_RISE_WARNING_SHARE = 0.025, 0.08
"""Rise of the dev EER over its best: points, and a share of the best. The best of many epochs is lucky by a point."""

EER_RISE_FAILURE, EER_RISE_FAILURE_SHARE = 0.03, 0.25
"""A rise that no dev set of a hundred target trials has by chance."""

SOLVED_RISE, SOLVED_LOSS = 0.03, 0.2
"""A smaller rise is a warning where what is left of the training loss of the best epoch is less than this share: the
recordings have been learnt by heart since."""

RAMP = 0.05
"""Growth of the margin scale that counts as a ramp."""

RAMP_RISE = 0.05
"""Rise of the loss over its lowest, as a share of it, that the ramp has to explain."""

STEP_WARNING, STEP_FAILURE = 0.04, 0.08
"""Median length of the steps of the first logs over the weights: 0.005 with Adam at 0.002, 0.015 at 0.01."""

PEAK_STEP_WARNING, PEAK_STEP_FAILURE = 0.25, 0.5
"""Length of a single step over the weights: 0.1 in the first step of Adam at 0.002 in a wide network."""

STEP_TOO_SHORT = 1e-5
"""No step of the run was longer than this over the weights; healthy ones are a hundred times as long."""

TOP_ITEM_WARNING, TOP_ITEM_FAILURE = 0.3, 0.4
"""Share of one recording in the gradient of the first batches, in which all are to be learnt: 0.1 of 32."""

FIRST_LAYER_GONE = 1e-5
"""Share of the first weights in the encoder's gradient: 0.1 in healthy runs."""

START_LOGS = 3
"""Logs that stand for the start of a run."""

END_OVER_START = 0.95
"""Loss at the end over that at the start, above which nothing was learnt."""

PEAK_OVER_START_WARNING, PEAK_OVER_START_FAILURE = 1.5, 3.0
"""Highest loss over that at the start."""

SPIKE_WARNING, SPIKE_FAILURE = 30.0, 200.0
"""Gradient norm over the largest of its median, that of the first logs and the very first: to three in healthy runs."""

# --- live --------------------------------------------------------------------------------------------------------

LIVE_LOGS = 3
"""Logs that must agree."""

COLLAPSED_DISTANCE = 1e-4
"""Mean distance of different speakers: rounding."""

COLLAPSED_UNIFORMITY = -1e-3
"""Above it unit vectors are one too; short embeddings of a flat space may be near and yet have directions."""

STILL = 1e-7
"""Relative length of a step that float32 no longer holds."""

SOLVED = 3.0
"""Distance of different speakers over that of one, which means told apart."""

SAME_RADIUS, AT_THE_RIM = 1e-4, 0.5
"""Quantiles of the radius that are one and the same, over the largest radius, away from the origin."""

"""The recipe: everything that decides a training run, section by section."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Options = dict[str, Any]


class Section(BaseModel):
    """One part of a recipe: immutable, every key known, numbers are numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


def _real_speakers_first(speeds: list[float]) -> list[float]:
    hundredths = [100 * speed for speed in speeds]
    sound = all(50 <= n <= 200 and abs(n - round(n)) < 1e-6 for n in hundredths)
    if not sound or speeds[:1] != [1.0] or len({*map(round, hundredths)}) < len(hundredths):
        raise ValueError(
            "speeds must begin with 1.0 and go on with other multiples of 0.01 between 0.5 and 2, each once, such as "
            "[1.0, 0.9, 1.1]"
        )
    return speeds


class DataRecipe(Section):
    """Which recordings to train on and how to cut them."""

    path: str | None = None
    """Corpus folder or manifest, or a folder of shards, also its URL; ``--data`` on the command line sets it."""
    format: str | None = None
    """Name in the table of corpus formats; None: decided by which files the folder holds."""
    audio_root: str | None = None
    """Folder outside which no recording may lie, for manifests with absolute paths."""
    train_split: str = "train"
    dev_split: str = "dev"
    dev_trials: str | None = None
    """Trial list for the EER after every epoch, relative to the corpus folder; None: drawn from the dev speakers."""
    holdout_dev_speakers: Annotated[int, Field(ge=2)] | None = None
    """For a corpus without splits: how many speakers to set aside as dev."""
    sampling_rate_hz: Count = 16000
    crop_s: Positive = 2.0
    batch_size: Annotated[int, Field(ge=2)] = 64
    """Crops of a training step, summed over all processes."""
    recordings_per_speaker: Annotated[int, Field(ge=2)] | None = None
    """K: a batch holds batch_size / K speakers, each with K recordings; None: crops of any speakers."""
    speeds: Annotated[list[float], AfterValidator(_real_speakers_first)] = [1.0]
    """Speeds that crops are played at, 1 first; each further one makes another speaker of every speaker."""
    balance: Literal["utterance", "sqrt", "speaker"] = "utterance"
    max_crops_per_utterance: Count = 3
    crops_per_epoch: Count | None = None
    most_recordings: Count | None = None
    """At most so many recordings of either split, of whole speakers drawn by the seed, for a quick trial."""
    allowed_bad_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the recordings that may be unreadable; they are left out or replaced, and listed in bad_files.tsv."""
    storage: Literal["decoded", "files"] = "decoded"
    """Whether recordings are decoded once to disk, or read crop by crop where they lie, as shards always are."""
    shard_lanes: Count | None = None
    """Shards that a batch draws from side by side, a divisor of batch_size; None: the largest one up to 8."""
    shard_window: Count = 4
    """Shards of a lane that are mixed at a time."""
    cache_gb: Positive = 20.0
    """How many 10^9 bytes of remote shards are kept on the disk."""
    workers: Annotated[int, Field(ge=0)] = 0

    @property
    def crop_samples(self) -> int:
        """Length of a crop as the encoder hears it."""
        return round(self.crop_s * self.sampling_rate_hz)

    @model_validator(mode="after")
    def _settings_agree(self) -> DataRecipe:
        size, per_speaker = self.batch_size, self.recordings_per_speaker
        if self.most_recordings is not None and self.dev_trials is not None:
            raise ValueError("most_recordings leaves few of the dev_trials; set dev_trials to null to draw others")
        if self.shard_lanes is not None and size % self.shard_lanes:
            raise ValueError(f"batch_size ({size}) must be a multiple of shard_lanes ({self.shard_lanes})")
        if per_speaker is not None and (size % per_speaker or size < 2 * per_speaker):
            raise ValueError(
                f"batch_size must be a multiple of recordings_per_speaker ({per_speaker}) and hold at least 2 speakers"
            )
        if per_speaker is not None and self.balance != "utterance":
            raise ValueError(
                f"balance ({self.balance}) has no meaning beside recordings_per_speaker, with which all speakers come "
                "equally often; leave balance out"
            )
        return self


class ScheduleRecipe(Section):
    """Learning rate over the run: linear warm-up, then a fall to ``final_learning_rate``, or by steps of an epoch."""

    name: Literal["cosine", "exponential", "step", "constant"] = "cosine"
    warmup_epochs: NonNegative = 1.0
    final_learning_rate: Positive = 1e-5
    """Where cosine and exponential end."""
    decay_per_epoch: Annotated[float, Field(gt=0, le=1)] | None = None
    """What step multiplies the learning rate by after each whole epoch since the warm-up, such as 0.97."""

    @model_validator(mode="after")
    def _decays(self) -> ScheduleRecipe:
        if self.name == "step" and self.decay_per_epoch is None:
            raise ValueError("the schedule step needs decay_per_epoch, such as 0.97")
        if self.name != "step" and self.decay_per_epoch is not None:
            raise ValueError(f"decay_per_epoch belongs to the schedule step, {self.name} has none; leave it out")
        return self


class MarginRecipe(Section):
    """Margin over the run: none before ``start_epoch``, the full one from ``end_epoch`` on, rising in between."""

    start_epoch: NonNegative = 0.0
    end_epoch: NonNegative = 0.0
    shape: Literal["linear", "exponential"] = "linear"
    """How it rises: evenly, or fast at first, where each tenth of the way halves what is missing."""

    @model_validator(mode="after")
    def _ordered(self) -> MarginRecipe:
        if self.end_epoch < self.start_epoch:
            raise ValueError(f"end_epoch ({self.end_epoch}) must not lie before start_epoch ({self.start_epoch})")
        return self


class OptimizerRecipe(Section):
    """The optimiser and its numbers."""

    name: Literal["adam", "adamw", "sgd", "riemannian_adam"] = "adam"
    """riemannian_adam is for losses whose centres are kept on a manifold; it needs the extra ``riemannian``."""
    learning_rate: Positive = 1e-3
    weight_decay: NonNegative = 2e-5
    momentum: NonNegative = 0.9
    """Only for sgd."""
    clip_gradient_norm: Positive | None = None
    centre_learning_rate_factor: Positive = 1.0
    """Learning rate of the loss's own parameters (the class centres), relative to the encoder's."""


class TrainingRecipe(Section):
    """How long, on what and from where."""

    start_from: str | None = None
    """A run (its ``last``), or its ``averaged``, whose weights of encoder and loss training starts from; None: random
    ones."""
    epochs: Count = 20
    max_steps: Count | None = None
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: Count | Literal["auto"] = 1
    """Devices of each node, with a process for each."""
    nodes: Count = 1
    """Machines that train together; their processes are started by torchrun or srun."""
    shard_classes: bool = False
    """Spread the class centres of the loss over the processes instead of keeping all in each; one process has all."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accumulate_batches: Count = 1
    """Compute the batch of a step in so many equal parts, one after the other, in the memory of one."""
    compile: bool = False
    """Have torch.compile make kernels for the encoder's training step; needs a C++ compiler."""
    checkpoint_every_steps: Count | None = None
    """Also write ``last`` every so many steps within an epoch; None: after every epoch only."""
    average_last: Annotated[int, Field(ge=2)] | None = None
    """Also leave the mean of the weights after the last so many epochs, as the model ``averaged``; None: no mean."""
    stop_on_failure: bool = False
    """Stop as soon as the doctor, which watches the run, is sure that its embeddings will be useless."""
    optimizer: OptimizerRecipe = OptimizerRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    margin_warmup: MarginRecipe = MarginRecipe()

    def total_steps(self, steps_per_epoch: int) -> int:
        """Return how many optimiser steps the run takes, which the schedules stretch over."""
        whole = self.epochs * steps_per_epoch
        return whole if self.max_steps is None else min(whole, self.max_steps)

    @model_validator(mode="after")
    def _settings_agree(self) -> TrainingRecipe:
        if self.average_last is not None and self.average_last > self.epochs:
            raise ValueError(f"average_last ({self.average_last}) must not be more than epochs ({self.epochs})")
        if self.shard_classes and self.precision == "16-mixed":
            raise ValueError("shard_classes does not go with precision 16-mixed, take bf16-mixed or 32-true")
        if self.shard_classes and self.optimizer.name == "riemannian_adam":
            raise ValueError("shard_classes does not go with riemannian_adam, take adam and plain centres")
        return self


class Recipe(Section):
    """A whole recipe. ``encoder`` and ``loss`` name an entry of their table; their other keys are its constructor's."""

    name: Annotated[str, Field(pattern=r"^\w[\w.\-]*$")]
    """Also the name of the run's folder, so letters, digits, points, lines and dashes only."""
    seed: Annotated[int, Field(ge=0)] = 1
    data: DataRecipe = DataRecipe()
    features: Options = {}
    augmentation: Options = {}
    """The stages, such as ``waveforms``; each a mapping of options ({} for the defaults) or absent for none."""
    encoder: Options = {"name": "ecapa_tdnn"}
    loss: Options
    training: TrainingRecipe = TrainingRecipe()

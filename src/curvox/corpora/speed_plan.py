"""Which crop of an epoch is played at which speed, and the names of the speakers that this makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from curvox.corpora.sampling import EpochPlan, require_at_least
from curvox.errors import InputError

_PURPOSE = 1


def plan_speeds(
    plan: EpochPlan,
    durations_samples: np.ndarray,
    *,
    cuts_samples: Sequence[int],
    seed: int,
    epoch: int,
    together: int = 1,
) -> EpochPlan:
    """Draw a speed for each crop of a plan, all equally likely; the same arguments give the same speeds.

    Recordings, batches and item seeds stay those of the plan, and so does the length of the epoch. A crop at another
    speed takes a longer or a shorter cut of its recording; its start moves in proportion to the room that is left.

    Args:
        plan: of crops at the first speed.
        durations_samples: whole numbers (utterances,), as the plan was made with.
        cuts_samples: for each speed, how many samples of a recording a crop takes; that of the plan first.
        seed: of the run.
        epoch: of the plan.
        together: K crops side by side that get one speed, as those of one speaker in a plan of
            `speaker_epoch_plan`.

    Raises:
        InputError: there is no speed, or ``together`` does not divide the batch.
    """
    require_at_least(1, together=together, speeds=len(cuts_samples))
    batches, batch_size = plan.indices.shape
    if batch_size % together:
        raise InputError(f"batch_size must be a multiple of the {together} crops of one speed, got {batch_size}")
    rng = np.random.default_rng(np.random.SeedSequence([seed, epoch, _PURPOSE]))
    drawn = rng.integers(len(cuts_samples), size=(batches, batch_size // together))
    speeds = np.repeat(drawn, together, axis=1)
    durations = np.asarray(durations_samples, dtype=np.int64)[plan.indices]
    cuts = np.asarray(cuts_samples, dtype=np.int64)
    room, planned = (np.maximum(durations - cut, 0) + 1 for cut in (cuts[speeds], cuts[0]))
    return replace(plan, starts_samples=plan.starts_samples * room // planned, speeds=speeds)


def names_at_speeds(speakers: Sequence[str], speeds: Sequence[float]) -> tuple[str, ...]:
    """Return the names of all classes: the speakers themselves, then all of them at the next speed, and so on.

    >>> names_at_speeds(["anna", "bela"], [1.0, 0.9])
    ('anna', 'bela', 'anna@0.9', 'bela@0.9')

    Raises:
        InputError: two classes would have one name, as a speaker is called like another at some speed.
    """
    names = tuple(name if speed == 1 else f"{name}@{speed:g}" for speed in speeds for name in speakers)
    if len(set(names)) < len(names):
        taken = next(name for name in speakers if names.count(name) > 1)
        raise InputError(f'the speaker "{taken}" is called like another one at another speed; rename that speaker')
    return names


def speaker_of_class(name: str) -> str:
    """Return whose class this is, at whatever speed: ``anna`` of ``anna@0.9``; a name without a speed as it is."""
    speaker, _, speed = name.rpartition("@")
    return speaker if speaker and speed.replace(".", "", 1).isdigit() else name

"""Which recordings of a run are looked at, and what is known of them without a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from curvox.training import recipe_from
from curvox.training.data.loading import prepare_data
from curvox.training.data.prepared import choose_recordings
from curvox.training.observing.observed import recording_facts


def test_choose_recordings__takes_whole_speakers_first() -> None:
    speakers = np.repeat(np.arange(30), [1, 2, 12] * 10)
    rows = choose_recordings(speakers, 60, seed=1)
    assert len(rows) == len(set(rows)) == 60
    assert (np.diff(rows) > 0).all()
    counts = np.bincount(speakers[rows], minlength=30)
    assert not counts[::3].any()  # those with one recording come last
    assert set(counts[1::3]) <= {0, 1, 2}
    assert max(counts) == 8
    assert len(choose_recordings(speakers, 1000, seed=1)) == len(speakers)
    assert set(choose_recordings(speakers, 100, seed=1)) > set(rows)
    assert set(choose_recordings(speakers, 60, seed=2)) != set(rows)


def test_recording_facts__of_silence_say_that_nobody_speaks(tiny_tree: dict[str, Any], tiny_run: Path) -> None:
    data = prepare_data(recipe_from(tiny_tree).data, seed=1, cache=tiny_run.parent / ".cache")

    class Silent:
        sampling_rate_hz = 16000
        lengths_samples = np.full(len(data.train.store.lengths_samples), 16000)

        def samples(self, place: int) -> int:
            return 16000

        def __getitem__(self, place: int) -> np.ndarray:
            return np.zeros(16000, np.int16)

    silent = replace(data, train=replace(data.train, store=Silent()))
    facts = recording_facts(silent, ("train", "dev"))
    assert facts.quality[0] is not None
    assert facts.quality[0].speech_s == 0
    assert len(set(facts.digests[:24])) == 1

"""What one core gives towards feeding a GPU: FLAC decoded, crops cut from the store, the plan of an epoch drawn.

    python benchmarks/feeding.py [--recordings 1092009] [--save benchmarks/results/feeding.md]

On synthetic voices, warm in memory; the plan is of as many recordings as VoxCeleb2 has.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from measuring import setting

from curvox.audio import WaveformStore, read_audio
from curvox.corpora import epoch_plan
from curvox.testing.voices import synthesise_corpus

CROP_S, RATE_HZ = 2.0, 16000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=1_092_009)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = synthesise_corpus(Path(temporary) / "voices", train_speakers=6, dev_speakers=2, workers=1)
        paths = sorted(folder.rglob("*.flac"))
        speed, share = _decoding(paths)
        crops = _cutting(paths, Path(temporary))
    seconds = _planning(arguments.recordings)
    text = f"""`python benchmarks/feeding.py`. {setting(1)}.

| | |
|---|---|
| FLAC decoded, seconds of speech in a second | {speed:.0f} |
| size of FLAC to 16-bit samples | {100 * share:.0f} % |
| crops of {CROP_S:.0f} s cut from the store in a second | {crops:.0f} |
| plan of an epoch of {arguments.recordings:,} recordings | {seconds:.1f} s |
"""
    print(text)
    if arguments.save:
        Path(arguments.save).write_text(text, encoding="utf-8")


def _decoding(paths: list[Path]) -> tuple[float, float]:
    """Seconds of speech a second, best of five rounds, and the size of the files over that of their samples."""
    rounds, samples = [], 0
    for _ in range(5):
        began = time.process_time()
        samples = sum(len(read_audio(path, sampling_rate_hz=RATE_HZ)) for path in paths)
        rounds.append(samples / RATE_HZ / (time.process_time() - began))
    return max(rounds), sum(path.stat().st_size for path in paths) / (2 * samples)


def _cutting(paths: list[Path], folder: Path) -> float:
    store = WaveformStore.build(paths, sampling_rate_hz=RATE_HZ, cache=folder / "cache")
    length = round(CROP_S * RATE_HZ)
    items = [item for item in range(len(store)) if store.samples(item) >= length]
    draw = np.random.default_rng(1)
    out = np.empty((256, length), dtype=np.int16)
    began, rounds = time.process_time(), 40
    for _ in range(rounds):
        for row in out:
            item = int(draw.choice(items))
            row[:] = store.crop(item, int(draw.integers(store.samples(item) - length + 1)), length)
    return rounds * len(out) / (time.process_time() - began)


def _planning(recordings: int) -> float:
    draw = np.random.default_rng(1)
    lengths = draw.integers(4 * RATE_HZ, 12 * RATE_HZ, recordings)
    speakers = draw.integers(0, 5994, recordings)
    began = time.process_time()
    epoch_plan(speakers, lengths, crop_samples=32000, batch_size=256, seed=1, epoch=0, max_crops_per_utterance=1)
    return time.process_time() - began


if __name__ == "__main__":
    main()

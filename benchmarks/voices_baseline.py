"""How hard are the synthetic voices? A baseline without any network: cepstral statistics, LDA, cosine.

    python benchmarks/voices_baseline.py [--folder FOLDER] [--seed SEED] [--workers WORKERS]

Synthesises the default corpus (or reads the one in FOLDER) and prints equal error rates on the test trials, pooled and
by kind of non-target trial, and how well the levels of the known tree can be told apart.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from scipy.fft import dct
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from curvox.metrics import equal_error_rate
from curvox.testing.voices import synthesise_corpus

FRAME_SAMPLES, SHIFT_SAMPLES, N_FFT, N_MELS, N_CEPSTRA = 400, 160, 512, 40, 24


def mel_filters() -> np.ndarray:
    """Triangles (N_MELS, N_FFT // 2 + 1) of equal width in mel between 60 and 7,600 Hz."""
    mel = 1127.0 * np.log1p(np.linspace(0.0, 8000.0, N_FFT // 2 + 1) / 700.0)
    low, high = 1127.0 * np.log1p(60.0 / 700.0), 1127.0 * np.log1p(7600.0 / 700.0)
    edges = np.linspace(low, high, N_MELS + 2)
    width = edges[1] - edges[0]
    return np.maximum(0.0, 1.0 - np.abs(mel - edges[1:-1, None]) / width)


def statistics(path: Path, filters: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of the cepstra of the louder half of an utterance, and deviation of their steps."""
    samples, _ = soundfile.read(path)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES)[::SHIFT_SAMPLES]
    power = np.abs(np.fft.rfft(frames * np.hamming(FRAME_SAMPLES), N_FFT)) ** 2
    cepstra = np.asarray(dct(np.log(power @ filters.T + 1e-9), norm="ortho"))[:, :N_CEPSTRA]
    steps = np.diff(cepstra, axis=0)
    loud = cepstra[cepstra[:, 0] >= np.median(cepstra[:, 0])]
    return np.concatenate([loud.mean(axis=0)[1:], loud.std(axis=0), steps.std(axis=0)])


def equal_error_rates(folder: Path, rows: dict[str, dict[str, str]], points: dict[str, np.ndarray]) -> dict[str, float]:
    """Cosine scores of the test trials to equal error rates, all of them and by what a non-target pair shares."""
    trials = [line.split() for line in (folder / "trials" / "test.txt").read_text().splitlines()]
    labels = np.array([int(label) for label, _, _ in trials])
    scores = np.array([points[enrolment] @ points[test] for _, enrolment, test in trials])
    kinds = np.array([kind(rows[enrolment], rows[test]) for _, enrolment, test in trials])
    rates = {"all trials": equal_error_rate(scores, labels).value}
    for name in ("same gender and accent", "same gender", "other gender"):
        chosen = (labels == 1) | (kinds == name)
        rates[name] = equal_error_rate(scores[chosen], labels[chosen]).value
    return rates


def kind(enrolment: dict[str, str], test: dict[str, str]) -> str:
    """What the two speakers of a trial share."""
    if enrolment["gender"] != test["gender"]:
        return "other gender"
    return "same gender and accent" if enrolment["native_language"] == test["native_language"] else "same gender"


def accuracy(column: str, rows: dict[str, dict[str, str]], features: dict[str, np.ndarray]) -> float:
    """How often a linear classifier from the training speakers names ``column`` of a test speaker's utterance."""
    train = [name for name, row in rows.items() if row["split"] == "train"]
    test = [name for name, row in rows.items() if row["split"] == "test"]
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1)
    model.fit([features[name] for name in train], [rows[name][column] for name in train])
    return model.score([features[name] for name in test], [rows[name][column] for name in test])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder
        if folder is None:
            started = time.perf_counter()
            folder = synthesise_corpus(Path(scratch, "voices"), seed=arguments.seed, workers=arguments.workers)
            print(f"synthesised in {time.perf_counter() - started:.1f} s with {arguments.workers} workers")
        report(folder)


def report(folder: Path) -> None:
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        rows = {row["utterance"]: row for row in csv.DictReader(file, delimiter="\t")}
    filters = mel_filters()
    features = {name: statistics(folder / row["path"], filters) for name, row in rows.items()}
    train = [name for name, row in rows.items() if row["split"] == "train"]
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1)
    model.fit([features[name] for name in train], [rows[name]["speaker"] for name in train])
    projected = model.transform(list(features.values()))
    projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    minutes = sum(float(row["duration_s"]) for row in rows.values()) / 60
    print(f"{len(rows)} utterances, {minutes:.1f} minutes")
    for name, rate in equal_error_rates(folder, rows, dict(zip(features, projected, strict=True))).items():
        print(f"EER  {name:24s} {100 * rate:5.1f} %")
    for column in ("gender", "native_language", "channel"):
        print(f"told right, {column:17s} {100 * accuracy(column, rows, features):5.1f} %")


if __name__ == "__main__":
    main()

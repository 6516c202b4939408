"""Recordings as fixed statistics of their filter banks, computed once: a training on them takes half a second."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from curvox.audio import FilterBank, read_audio
from curvox.corpora import Corpus, Utterance, read_corpus
from curvox.testing.voices import synthesise_corpus

RATE_HZ = 16000
MELS, CEPSTRA = 40, 20
LONGEST_S = 4.0
LEAST_RECORDINGS, MOST_RECORDINGS = 8, 60
LOUD_SHARE = 0.6
"""Share of the frames, the loudest, that count as speech."""

LAYOUT = 4
"""Of the cached file; another number makes it again."""


@dataclass(frozen=True)
class Voices:
    """A corpus as statistics, standardised by the training split.

    Attributes:
        name: "openvoices", or "synthetic voices".
        train: (N, F) recordings of the training split.
        speakers: (N,) from 0 on.
        sessions: (N,) numbers of sessions.
        dev: (M, F) recordings of the dev split.
        dev_speakers: (M,).
        dev_groups: (M,) numbers of the corpora they are of, which are compared within.
    """

    name: str
    train: Tensor
    speakers: Tensor
    sessions: Tensor
    dev: Tensor
    dev_speakers: Tensor
    dev_groups: Tensor

    @property
    def count(self) -> int:
        """How many training speakers there are."""
        return int(self.speakers.max()) + 1


def load_voices(data: Path | None, cache: Path) -> Voices:
    """Read the statistics of a corpus from ``cache``, or compute them; without ``data`` of synthetic voices.

    Args:
        data: folder of openvoices.
        cache: folder for the statistics, and for the synthetic voices.

    Raises:
        MissingExtraError: no espeak-ng for the synthetic voices.
    """
    name = "synthetic voices" if data is None else "openvoices"
    file = cache / f"{name.replace(' ', '-')}-{LAYOUT}.pt"
    if not file.exists():
        made = compute(read_corpus(_synthetic(cache) if data is None else data, check_files=False))
        cache.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        torch.save(made, partial)
        partial.replace(file)
    return Voices(name, **torch.load(file, weights_only=True))


def _synthetic(cache: Path) -> Path:
    folder = cache / "voices"
    if not (folder / "manifest.tsv").exists():
        synthesise_corpus(folder, seed=11, train_speakers=64, dev_speakers=16, test_speakers=2, workers=1)
    return folder


def compute(corpus: Corpus) -> dict[str, Tensor]:
    """Return the fields of `Voices` that are tensors."""
    own = [us for us in corpus.split("train").by_speaker.values() if len(us) >= LEAST_RECORDINGS]
    chosen = [(number, u) for number, us in enumerate(own) for u in us[:MOST_RECORDINGS]]
    dev = [(number, u) for number, us in enumerate(corpus.split("dev").by_speaker.values()) for u in us]
    with ThreadPoolExecutor(2) as pool:
        train, others = (
            torch.stack(list(pool.map(lambda pair: _statistics(corpus, pair[1]), part))) for part in (chosen, dev)
        )
    mean, spread = train.mean(0), train.std(0).clamp_min(1e-4)
    sessions = {key: i for i, key in enumerate(dict.fromkeys((n, u.session) for n, u in chosen))}
    groups = {name: i for i, name in enumerate(dict.fromkeys(u.corpus for _, u in dev))}
    return {
        "train": (train - mean) / spread,
        "speakers": torch.tensor([n for n, _ in chosen]),
        "sessions": torch.tensor([sessions[n, u.session] for n, u in chosen]),
        "dev": (others - mean) / spread,
        "dev_speakers": torch.tensor([n for n, _ in dev]),
        "dev_groups": torch.tensor([groups[u.corpus] for _, u in dev]),
    }


def _statistics(corpus: Corpus, utterance: Utterance) -> Tensor:
    """What one recording is to the network: means and spreads of its bands and cepstra, and of their changes."""
    longest = LONGEST_S if utterance.duration_s is None else min(LONGEST_S, utterance.duration_s)
    waveform = read_audio(corpus.path_of(utterance), sampling_rate_hz=RATE_HZ, duration_s=longest - 0.02)
    frames = FilterBank(RATE_HZ, MELS)(torch.as_tensor(waveform)[None])[0][0]
    loudest = frames.mean(1).argsort()[-max(8, int(LOUD_SHARE * len(frames))) :]
    kept = frames[loudest.sort().values]
    cepstra = kept @ _cosines()
    changes = (cepstra[2:] - cepstra[:-2]).std(0)
    return torch.cat([cepstra.mean(0), kept.mean(0) - kept.mean(), cepstra.std(0), changes, kept.std(0)])


def _cosines() -> Tensor:
    """The discrete cosine transform (`MELS`, `CEPSTRA`) without its constant."""
    places = (torch.arange(MELS) + 0.5) * math.pi / MELS
    return torch.cos(places[:, None] * torch.arange(1, CEPSTRA + 1)[None]) * math.sqrt(2 / MELS)

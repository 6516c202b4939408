"""How many crops a second come from each kind of storage, and how long does a training step wait for them?

    python benchmarks/data.py [--data FOLDER] [--recordings 2000] [--batches 60] [--repeats 3] [--save]

The training split of --data (or of a small synthetic corpus) is written as WAV, FLAC and Opus, as FLAC and Opus shards,
and put behind fsspec in memory and on a local HTTP server. Each is read through the loader of training with 0, 1 and 2
workers, in turn; remote shards with an empty cache each time. Then steps of the recipe are trained with two workers,
and the share of their time that goes by before a batch is there is the share of waiting. The floor is what decoding
alone takes, and the bytes on the disk. --save writes benchmarks/results/data.md.
"""

from __future__ import annotations

import argparse
import http.server
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import fsspec
import numpy as np
import soundfile
import torch
from measuring import setting
from torch import Tensor

from curvox.audio import read_audio
from curvox.audio.sources.crop_decoding import crop_of_file
from curvox.corpora import Corpus, ShardingOptions, Utterance, read_corpus, shard_corpus, write_manifest
from curvox.training import PreparedData, Recipe, read_recipe
from curvox.training.data.loading import prepare_data, training_loader
from curvox.training.run.train import keep_freed_memory
from curvox.training.step.building import build_model, build_optimizer, first_model

RESULT = Path(__file__).parent / "results" / "data.md"
FORMATS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "opus": ("OGG", "OPUS")}
WORKERS = (0, 1, 2)


@dataclass(frozen=True)
class Source:
    """A kind of storage: its name in the table, where it is, how it is read, its bytes on the disk."""

    name: str
    path: str
    options: tuple[str, ...]
    size: int


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        corpus = _corpus(arguments, folder)
        with _served(folder) as url:
            sources = list(_sources(corpus, folder, url, arguments.shard_mb))
            text = _measure(arguments, sources, corpus, folder)
    print(text)
    if arguments.save:
        RESULT.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--recipe", default="recipes/openvoices_aam.yaml")
    parser.add_argument("--recordings", type=int, default=2000)
    parser.add_argument("--batches", type=int, default=60, help="A measurement, at most.")
    parser.add_argument("--steps", type=int, default=40, help="Trained for the share of waiting.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--shard-mb", type=float, default=8.0)
    parser.add_argument("--save", action="store_true")
    return parser.parse_args()


def _corpus(arguments: argparse.Namespace, folder: Path) -> Corpus:
    """Whole recordings of the training split, and some of dev, of which trials are drawn."""
    path = arguments.data
    if path is None:
        from curvox.testing.voices import synthesise_corpus

        path = synthesise_corpus(folder / "voices", train_speakers=24, dev_speakers=4, test_speakers=2, workers=1)
    corpus = read_corpus(path)
    rng = np.random.default_rng(0)
    chosen: list[Utterance] = []
    for split, most in (("train", arguments.recordings), ("dev", 100)):
        own = corpus.split(split).utterances
        chosen += [own[place] for place in sorted(rng.permutation(len(own))[:most])]
    return Corpus(corpus.root, tuple(chosen), corpus.name)


def _sources(corpus: Corpus, folder: Path, url: str, shard_mb: float) -> Iterator[Source]:
    for kind in FORMATS:
        _write_folder(corpus, folder / kind, kind)
        yield Source(f"{kind.upper()} files", str(folder / kind), ("data.storage=files",), _size(folder / kind))
    wav = read_corpus(folder / "wav")
    yield Source("decoded store", str(folder / "wav"), (), _size(folder / "wav"))
    for codec in ("flac", "opus"):
        options = ShardingOptions(shard_mb=shard_mb, codec=codec)
        shard_corpus(wav, folder / f"{codec}-shards", options)
        size = _size(folder / f"{codec}-shards")
        yield Source(f"{codec.upper()} shards", str(folder / f"{codec}-shards"), (), size)
    shards = folder / "flac-shards"
    memory = cast("Any", fsspec).filesystem("memory")
    memory.put(str(shards), "/shards", recursive=True)
    # A folder that is put into one that does not exist takes its name.
    yield Source("FLAC shards, memory://", "memory://shards", (), _size(shards))
    yield Source("FLAC shards, http://", f"{url}/flac-shards", (), _size(shards))


def _write_folder(corpus: Corpus, folder: Path, kind: str) -> None:
    container, coding = FORMATS[kind]
    utterances = []
    for number, utterance in enumerate(corpus.utterances):
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = read_audio(
            corpus.path_of(utterance), start_s=utterance.start_s, duration_s=utterance.segment_s, sampling_rate_hz=16000
        )
        soundfile.write(path, sound, 16000, coding, format=container)
        place = path.relative_to(folder).as_posix()
        duration_s = len(sound) / 16000
        utterances.append(replace(utterance, path=place, start_s=0.0, segment_s=None, duration_s=duration_s))
    write_manifest(Corpus(folder, tuple(utterances), corpus.name), folder / "manifest.tsv")


def _recipe(arguments: argparse.Namespace, source: Source, workers: int) -> Recipe:
    changes = [f"data.path={source.path}", "data.dev_trials=null", "data.balance=utterance", f"data.workers={workers}"]
    return read_recipe(arguments.recipe, [*changes, *source.options])


def _measure(arguments: argparse.Namespace, sources: list[Source], corpus: Corpus, folder: Path) -> str:
    cache = folder / "cache"
    rates: dict[tuple[str, int], list[float]] = {}
    waits: dict[str, list[float]] = {}
    for _ in range(arguments.repeats):
        for source, workers in itertools.product(sources, WORKERS):
            recipe = _recipe(arguments, source, workers)
            data = prepare_data(recipe.data, seed=1, cache=cache)
            _empty(cache)
            rates.setdefault((source.name, workers), []).append(_crops_per_s(recipe, data, arguments.batches))
            if workers == 2:
                _empty(cache)
                waits.setdefault(source.name, []).append(_share_of_waiting(recipe, data, arguments.steps))
    floors = {kind: _decoding_ms(folder / kind, arguments) for kind in FORMATS}
    return _text(arguments, sources, corpus, rates, waits, floors)


def _empty(cache: Path) -> None:
    for path in (cache / "shards").glob("*.tar"):
        path.unlink()


def _crops_per_s(recipe: Recipe, data: PreparedData, most: int) -> float:
    """From the first batch on, so that the start of the workers does not count."""
    batches = iter(training_loader(data, recipe.data, seed=1, rank=0, processes=1))
    next(batches)
    begin = time.perf_counter()
    count = sum(len(batch["items"]) for batch in itertools.islice(batches, most))
    return count / (time.perf_counter() - begin)


def _share_of_waiting(recipe: Recipe, data: PreparedData, steps: int) -> float:
    embedder, loss = first_model(recipe, len(data.train.speaker_names), build_model)
    optimizer = build_optimizer(recipe.training.optimizer, embedder, loss)
    embedder.encoder.train()
    batches = iter(training_loader(data, recipe.data, seed=1, rank=0, processes=1))
    waited = worked = 0.0
    for number in range(steps):
        begin = time.perf_counter()
        batch: dict[str, Tensor] | None = next(batches, None)
        if batch is None:
            break
        there = time.perf_counter()
        with torch.no_grad():
            features, _ = embedder.features(batch["waveforms"])
        optimizer.zero_grad()
        loss(embedder.encoder(features), batch["speakers"]).value.backward()
        optimizer.step()
        if number >= 3:  # the workers have started
            waited += there - begin
            worked += time.perf_counter() - there
    return waited / (waited + worked)


def _decoding_ms(folder: Path, arguments: argparse.Namespace) -> float:
    """Milliseconds that decoding one crop takes, without a loader."""
    corpus, rng = read_corpus(folder), np.random.default_rng(0)
    samples = round(16000 * read_recipe(arguments.recipe).data.crop_s)
    seconds = []
    for utterance in [corpus.utterances[place] for place in rng.permutation(len(corpus))[:200]]:
        length = round(16000 * (utterance.duration_s or 0.0))
        start = int(rng.integers(0, max(length - samples, 0), endpoint=True))
        begin = time.perf_counter()
        crop_of_file(corpus.path_of(utterance), start, min(samples, length), sampling_rate_hz=16000)
        seconds.append(time.perf_counter() - begin)
    return 1000 * statistics.median(seconds)


def _text(
    arguments: argparse.Namespace,
    sources: list[Source],
    corpus: Corpus,
    rates: dict[tuple[str, int], list[float]],
    waits: dict[str, list[float]],
    floors: dict[str, float],
) -> str:
    recipe = read_recipe(arguments.recipe)
    hours = (corpus.counts.duration_s or 0.0) / 3600
    lines = [
        f"`python benchmarks/data.py`, {setting(arguments.threads)}.",
        "",
        f"{len(corpus)} recordings, {hours:.2f} h; crops of {recipe.data.crop_s:g} s in batches of "
        f"{recipe.data.batch_size}; the model of {Path(arguments.recipe).name}; medians of {arguments.repeats}.",
        "",
        "| source | MB | crops/s, no worker | 1 worker | 2 workers | waiting, 2 workers |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for source in sources:
        cells = [f"{statistics.median(rates[source.name, workers]):,.0f}" for workers in WORKERS]
        share = 100 * statistics.median(waits[source.name])
        lines.append(f"| {source.name} | {source.size / 1e6:.1f} | {' | '.join(cells)} | {share:.1f} % |")
    floor = ", ".join(f"{kind.upper()} {value:.2f} ms" for kind, value in floors.items())
    lines += ["", f"Decoding one crop alone: {floor}. A remote source begins with an empty cache.", ""]
    return "\n".join(lines)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".tsv")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()

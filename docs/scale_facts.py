"""The arithmetic of docs/scale.md: prints its tables, and puts them between the page's marks.

    python docs/scale_facts.py

What a step computes and moves is counted by running the encoder on tensors without memory; everything else follows
from the numbers at the top. The rest of the page is written by hand. A test compares the page with this file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from curvox.encoders import ENCODERS

PAGE = Path(__file__).parent / "scale.md"

CROP_S, FRAMES, MELS, DIM = 2.0, 198, 80, 192
BATCH = 256
GPUS = (1, 8, 64)
PEAK_FLOPS = 312e12  # A100, bf16 on tensor cores, dense
PEAK_FLOAT32_FLOPS = 19.5e12  # the loss computes in float32
PEAK_BYTES_PER_S = 2.0e12  # its memory, the model with 80 GB
SHARE_OF_FLOPS, SHARE_OF_FLOAT32_FLOPS, SHARE_OF_BYTES = 0.3, 0.8, 0.7  # what is assumed to be reached of each
NETWORK_BYTES_PER_S = {1: float("inf"), 8: 250e9, 64: 20e9}  # NVLink within a machine; 200 Gbit/s a GPU between them
WAVE_BYTES_PER_S, FLAC_SHARE = 32000, 0.65  # the share as measured by benchmarks/feeding.py


@dataclass(frozen=True)
class Corpus:
    """How much there is to train on."""

    name: str
    utterances: int
    speakers: int
    hours: float
    epochs: int

    @property
    def utterance_s(self) -> float:
        return 3600 * self.hours / self.utterances


VOXCELEB2 = Corpus("VoxCeleb2", 1_092_009, 5_994, 2_300, 100)
MILLION = Corpus("a million speakers", 20_000_000, 1_000_000, 44_000, 10)


@dataclass(frozen=True)
class Cost:
    """What a crop costs in training: operations, and bytes in and out of memory in bf16."""

    parameters: int
    multiply_adds: float
    flops: float
    bytes: float


class _Traffic(TorchDispatchMode):
    """Counts the bytes that every operation reads and writes; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        views = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        if not views:
            tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)]
            self.elements += sum(t.numel() for t in tensors)
        return out


@cache
def cost(channels: int) -> Cost:
    """Count a crop of ECAPA-TDNN, forward and backward, as the difference of two batches."""

    def count(batch: int) -> tuple[float, float, float]:
        features = torch.empty(batch, FRAMES, MELS)
        with FlopCounterMode(display=False) as forward:
            encoder(features)
        with FlopCounterMode(display=False) as both, _Traffic() as traffic:
            encoder(features).sum().backward()
        return forward.get_total_flops() / 2, both.get_total_flops(), 2.0 * traffic.elements

    with torch.device("meta"):
        encoder = ENCODERS.load("ecapa_tdnn")(
            n_mels=MELS, channels=channels, aggregation_channels=1536, embedding_dim=DIM
        ).train()
        few, more = count(2), count(4)
    a_crop = [(b - a) / 2 for a, b in zip(few, more, strict=True)]
    return Cost(sum(p.numel() for p in encoder.parameters()), *a_crop)


def head_flops(batch: int, classes: int) -> float:
    """Three products of (batch, DIM) and (DIM, classes)."""
    return 3 * 2.0 * batch * classes * DIM


@dataclass(frozen=True)
class Step:
    """A step on one of ``gpus`` GPUs with ``batch`` crops each, and where its time goes."""

    flops_s: float
    memory_s: float
    head_s: float
    network_s: float
    network_bytes: float

    @property
    def seconds(self) -> float:
        # Operations and their memory traffic overlap; the head comes after, and the network, at worst, after that.
        return max(self.flops_s, self.memory_s) + self.head_s + self.network_s


def step(channels: int, corpus: Corpus, gpus: int, batch: int, sharded: bool) -> Step:
    """Return the plan of a step; with ``sharded`` each GPU holds its part of the classes."""
    of = cost(channels)
    classes = corpus.speakers / gpus if sharded else corpus.speakers
    rows = batch * gpus if sharded else batch
    # The centres are read for logits and gradients, written as gradient, and moved by Adam: some twelve times.
    head = head_flops(rows, round(classes)) / (SHARE_OF_FLOAT32_FLOPS * PEAK_FLOAT32_FLOPS)
    head += 12 * 4 * classes * DIM / (SHARE_OF_BYTES * PEAK_BYTES_PER_S)
    network = network_bytes(of.parameters, corpus.speakers, gpus, batch, sharded)
    return Step(
        batch * of.flops / (SHARE_OF_FLOPS * PEAK_FLOPS),
        batch * of.bytes / (SHARE_OF_BYTES * PEAK_BYTES_PER_S),
        head,
        network / NETWORK_BYTES_PER_S[gpus],
        network,
    )


def network_bytes(parameters: int, classes: int, gpus: int, batch: int, sharded: bool) -> float:
    """What a GPU sends in a step: a ring reduces n bytes by sending 2 n (W - 1) / W."""
    ring = (gpus - 1) / gpus
    if not sharded:
        return 2 * ring * 4 * (parameters + classes * DIM)
    # Embeddings gathered once; own centres and the gradient of the embeddings each reduced.
    return 2 * ring * 4 * parameters + (1 + 2 + 2) * ring * 4 * batch * gpus * DIM


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= 0.995 * size:
            return f"{count / size:.3g} {unit}" if count < 999.5 * size else f"{count / size:,.0f} {unit}"
    return f"{count:.0f} B"


def _time(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.1f} ms"


def crops() -> str:
    rows = []
    for channels in (512, 1024):
        of = cost(channels)
        rows.append(
            [
                f"ECAPA-{channels}",
                f"{of.parameters / 1e6:.1f} M",
                f"{of.multiply_adds / 1e9:.2f} G",
                f"{of.flops / 1e9:.1f} G",
                _bytes(of.bytes),
                _time(BATCH * of.flops / (SHARE_OF_FLOPS * PEAK_FLOPS)),
                _time(BATCH * of.bytes / (SHARE_OF_BYTES * PEAK_BYTES_PER_S)),
            ]
        )
    head = ["encoder", "parameters", "multiply-adds of a crop", "operations, with backward", "bytes moved, bf16"]
    return _table([*head, f"{BATCH} crops, by operations", f"{BATCH} crops, by memory"], rows)


def voxceleb2() -> str:
    return _plan(VOXCELEB2, sharded=False)


def million() -> str:
    return _plan(MILLION, sharded=True)


def _plan(corpus: Corpus, sharded: bool) -> str:
    rows = []
    for channels in (512, 1024):
        for gpus in GPUS:
            plan = step(channels, corpus, gpus, BATCH, sharded)
            steps = corpus.utterances * corpus.epochs / (BATCH * gpus)
            read = BATCH / plan.seconds * WAVE_BYTES_PER_S
            rows.append(
                [
                    f"ECAPA-{channels}",
                    str(gpus),
                    f"{BATCH * gpus:,}",
                    f"{steps:,.0f}",
                    _time(plan.seconds),
                    f"{100 * plan.head_s / plan.seconds:.0f} %",
                    f"{100 * plan.network_s / plan.seconds:.0f} %",
                    _time(steps * plan.seconds),
                    _bytes(read * CROP_S) + "/s",
                    _bytes(read * corpus.utterance_s * FLAC_SHARE) + "/s",
                ]
            )
    head = ["encoder", "GPUs", "batch", "steps", "a step", "of it head", "of it network", f"{corpus.epochs} epochs"]
    return _table([*head, "read a GPU, crops of 16-bit samples", "whole FLAC files"], rows)


def centres() -> str:
    """Memory of the head, and what a step sends, with 256 crops a GPU."""
    rows = []
    for corpus in (VOXCELEB2, MILLION):
        for gpus in GPUS:
            whole = 4 * corpus.speakers * DIM * 4
            sent = [network_bytes(cost(512).parameters, corpus.speakers, gpus, BATCH, s) for s in (False, True)]
            rows.append(
                [f"{corpus.speakers:,}", str(gpus), _bytes(whole), _bytes(whole / gpus), *map(_bytes, sent)]
            )
    head = ["classes", "GPUs", "centres, gradient and Adam a GPU", "with `shard_classes`"]
    return _table([*head, "sent a step and GPU, ECAPA-512", "with `shard_classes`"], rows)


def checkpoints() -> str:
    rows = []
    for corpus in (VOXCELEB2, MILLION):
        for channels in (512, 1024):
            encoder = cost(channels).parameters
            state = 3 * 4 * (encoder + corpus.speakers * DIM)
            rows.append([f"ECAPA-{channels}", f"{corpus.speakers:,}", _bytes(4 * encoder), _bytes(state + 4 * encoder)])
    return _table(["encoder", "classes", "`best`", "`last`"], rows)


def storage() -> str:
    rows = []
    for corpus in (VOXCELEB2, MILLION):
        samples = 3600 * corpus.hours * WAVE_BYTES_PER_S
        plan = 3 * 8 * corpus.utterances
        rows.append(
            [
                corpus.name,
                f"{corpus.utterances:,}",
                f"{corpus.hours:,.0f} h",
                _bytes(samples),
                _bytes(samples * FLAC_SHARE),
                _bytes(plan),
            ]
        )
    head = ["corpus", "utterances", "speech", "16-bit samples", "FLAC", "plan of an epoch, in every process"]
    return _table(head, rows)


TABLES: dict[str, Callable[[], str]] = {
    "crops": crops,
    "storage": storage,
    "voxceleb2": voxceleb2,
    "million": million,
    "centres": centres,
    "checkpoints": checkpoints,
}


def with_facts(page: str) -> str:
    """Return the page with today's tables between its marks."""
    marked = r"(<!-- facts: (\w+) -->).*?(<!-- end of facts -->)"
    return re.sub(marked, lambda found: f"{found[1]}\n\n{TABLES[found[2]]()}\n\n{found[3]}", page, flags=re.DOTALL)


if __name__ == "__main__":
    for title, table in TABLES.items():
        print(f"{title}\n\n{table()}\n")
    if PAGE.exists():
        PAGE.write_text(with_facts(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

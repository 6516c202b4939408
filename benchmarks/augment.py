"""What augmentation costs beside a training step: every change by itself, and mixes of them.

    python benchmarks/augment.py [--threads 1] [--repeats 9] [--device cpu] [--steps small ecapa_512] [--data FOLDER]
                                 [--save [FILE]]

A step is features, forward, backward and Adam of an ECAPA-TDNN with AAM-Softmax and 1000 speakers. `small` is that of
the openvoices recipes, 32 crops of 1.5 s, `ecapa_512` that of the papers, 64 of 2 s. Crops are made-up sound, or with
--data from the recordings of a corpus; noise and responses come from made-up folders laid out as MUSAN and RIRS_NOISES.
All in one process, turn by turn: each change with every item changed, mixes of stages at their default probabilities,
and the step. Printed are medians, and medians of the ratios to the step beside them; --save also writes them to
benchmarks/results/augment.md. Mixes are to stay below 15 % of a step on a CPU and 10 % on a GPU. Simulated rooms and
codecs are measured where pyroomacoustics and PyAV are.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from measuring import Step, interleaved, ratio, setting
from torch import Tensor

from curvox.audio import (
    AugmentationOptions,
    ClippingOptions,
    CodecOptions,
    MaskOptions,
    RecordedNoiseOptions,
    RecordedRoomOptions,
    SimulatedRoomOptions,
    TelephoneOptions,
    WaveformStore,
    change_speeds,
    cut_samples,
    from_int16,
)
from curvox.corpora import read_corpus
from curvox.testing.dummies import write_musan, write_rirs_noises
from curvox.training import build_model, recipe_from
from curvox.training.augmenting import Augmentation
from curvox.training.memory import keep_freed_memory

RATE_HZ = 16000
SPEAKERS = 1000
SPEEDS = (1.0, 0.9, 1.1)
RESULTS = Path(__file__).parent / "results" / "augment.md"
OFF = AugmentationOptions(noise_probability=0.0, babble_probability=0.0, channel_probability=0.0, gain_probability=0.0)
MIXES = ("the usual mix", "the usual mix at speeds", "without any corpus", "everything but codecs", "everything")


@dataclass(frozen=True)
class Kind:
    """A training step: its encoder and its batch."""

    encoder: Mapping[str, Any]
    batch: int
    crop_s: float


KINDS = {
    "small": Kind({"channels": 96, "aggregation_channels": 256}, 32, 1.5),
    "ecapa_512": Kind({"channels": 512}, 64, 2.0),
}


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    torch.manual_seed(0)
    text = [f"`python benchmarks/augment.py --threads {arguments.threads} --repeats {arguments.repeats}`, "
            f"{setting(arguments.threads)}, {arguments.device}, "
            f"{'made-up sound' if arguments.data is None else 'speech'}."]  # fmt: skip
    for name in arguments.steps:
        with tempfile.TemporaryDirectory() as temporary:
            seconds = interleaved(_programs(KINDS[name], arguments, Path(temporary)), arguments.repeats)
        text.append(_table(name, KINDS[name], seconds, 0.15 if arguments.device == "cpu" else 0.10))
    print("\n\n".join(text))
    if arguments.save:
        Path(arguments.save).write_text("\n\n".join(text) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--data", help="A corpus whose first recordings are cut into crops.")
    parser.add_argument("--save", nargs="?", const=str(RESULTS), help="Also write the tables to this file.")
    return parser.parse_args()


def _table(name: str, kind: Kind, seconds: Mapping[str, list[float]], goal: float) -> str:
    """Every program's milliseconds and its share of the step, as Markdown."""
    lines = [f"#### {name}: {kind.batch} × {kind.crop_s:g} s", "", "| change | ms | of the step |", "|---|---|---|"]
    for change, values in seconds.items():
        share = ratio(values, seconds["step"])
        kept = "" if change not in MIXES else f" (goal {goal:.0%}: {'kept' if share <= goal else 'missed'})"
        lines.append(f"| {change} | {1000 * statistics.median(values):.1f} | {share:.1%}{kept} |")
    return "\n".join(lines)


def _programs(kind: Kind, arguments: argparse.Namespace, folder: Path) -> dict[str, Step]:
    """Every change and the step, on the same batch."""
    n_samples = round(kind.crop_s * RATE_HZ)
    cuts = _cuts(kind.batch, cut_samples(n_samples, max(SPEEDS)), arguments.data, folder).to(arguments.device)
    waveforms, seeds = cuts[:, :n_samples].contiguous(), list(range(kind.batch))
    speeds = [SPEEDS[item % len(SPEEDS)] for item in seeds]
    step, features = _step(waveforms, kind, arguments.device)

    def program(augmentation: Augmentation, at_speeds: bool = False) -> Step:
        opened = augmentation.open(sampling_rate_hz=RATE_HZ, seed=1, cache=folder / "cache")

        def run() -> None:
            with torch.no_grad():
                crops = change_speeds(cuts, speeds, n_samples=n_samples) if at_speeds else waveforms
                opened.change_waveforms(crops, seeds)
                opened.change_features(features, seeds)

        return run

    stages = _stages(folder)
    programs = {name: program(stage) for name, stage in stages.items()}
    programs["speeds, two thirds"] = program(Augmentation(), at_speeds=True)
    programs["the usual mix at speeds"] = program(stages["the usual mix"], at_speeds=True)
    return {**programs, "step": step}


def _cuts(n_items: int, n_samples: int, data: str | None, folder: Path) -> Tensor:
    """Return made-up sound, or the beginning of a corpus's first recordings, float32 (n_items, n_samples)."""
    if data is None:
        return 0.1 * torch.randn(n_items, n_samples)
    corpus = read_corpus(data)
    paths = [corpus.path_of(utterance) for utterance in corpus.utterances[:n_items]]
    store = WaveformStore.build(paths, sampling_rate_hz=RATE_HZ, cache=folder / "cache")
    whole = [torch.from_numpy(from_int16(waveform)) for waveform in store]
    return torch.stack([piece.repeat(1 + n_samples // len(piece))[:n_samples] for piece in whole])


def _stages(folder: Path) -> dict[str, Augmentation]:
    rooms = RecordedRoomOptions(path=str(write_rirs_noises(folder / "RIRS_NOISES", rooms=20)))
    noise = RecordedNoiseOptions(path=str(write_musan(folder / "musan", recordings=20)))
    none = replace(noise, noise_probability=0.0, music_probability=0.0, babble_probability=0.0)
    everything = Augmentation(
        rooms, noise, AugmentationOptions(), ClippingOptions(), TelephoneOptions(), features=MaskOptions()
    )
    stages = {
        "rooms from a folder": Augmentation(rooms=replace(rooms, probability=1.0)),
        "recorded noise": Augmentation(recorded_noise=replace(none, noise_probability=1.0)),
        "recorded music": Augmentation(recorded_noise=replace(none, music_probability=1.0)),
        "recorded babble": Augmentation(recorded_noise=replace(none, babble_probability=1.0)),
        "synthesised noise": Augmentation(waveforms=replace(OFF, noise_probability=1.0)),
        "babble of the batch": Augmentation(waveforms=replace(OFF, babble_probability=1.0)),
        "channel": Augmentation(waveforms=replace(OFF, channel_probability=1.0)),
        "gain": Augmentation(waveforms=replace(OFF, gain_probability=1.0)),
        "clipping": Augmentation(clipping=ClippingOptions(probability=1.0)),
        "telephone, analogue": Augmentation(telephone=TelephoneOptions(probability=1.0, mu_law_probability=0.0)),
        "telephone, mu-law": Augmentation(telephone=TelephoneOptions(probability=1.0, mu_law_probability=1.0)),
        "masks": Augmentation(features=MaskOptions()),
        "the usual mix": Augmentation(rooms=rooms, recorded_noise=noise, features=MaskOptions()),
        "without any corpus": Augmentation(waveforms=AugmentationOptions(), features=MaskOptions()),
        "everything but codecs": everything,
    }
    if importlib.util.find_spec("av") is not None:
        stages["opus, every tenth"] = Augmentation(codecs=CodecOptions())
        stages["mp3, every tenth"] = Augmentation(codecs=CodecOptions(mp3_probability=1.0))
        stages["everything"] = replace(everything, codecs=CodecOptions())
    if importlib.util.find_spec("pyroomacoustics") is not None:
        stages["simulated rooms"] = Augmentation(rooms=SimulatedRoomOptions(probability=1.0))
        stages["without any corpus, in rooms"] = Augmentation(
            rooms=SimulatedRoomOptions(), waveforms=AugmentationOptions(), features=MaskOptions()
        )
    return stages


def _step(waveforms: Tensor, kind: Kind, device: str) -> tuple[Step, Tensor]:
    """A plain step without augmentation, and the features it takes."""
    recipe = recipe_from(
        {"name": "augment", "encoder": {"name": "ecapa_tdnn", **kind.encoder}, "loss": {"name": "aam_softmax"}}
    )
    embedder, loss = build_model(recipe, SPEAKERS)
    embedder, loss = embedder.to(device).train(), loss.to(device)
    speakers = torch.randint(0, SPEAKERS, (len(waveforms),), device=device)
    optimizer = torch.optim.Adam([*embedder.encoder.parameters(), *loss.parameters()])

    def features() -> Tensor:
        with torch.no_grad():
            return embedder.features(waveforms)[0]

    def step() -> None:
        optimizer.zero_grad()
        loss(embedder.encoder(features()), speakers).value.backward()
        optimizer.step()

    return step, features()


if __name__ == "__main__":
    main()

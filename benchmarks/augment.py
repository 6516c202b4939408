"""What augmentation costs beside a training step: every change by itself, and the usual mix of them.

    python benchmarks/augment.py [--threads 1] [--repeats 9] [--device cpu] [--batch 64] [--channels 512] [--save FILE]

A batch is 64 × 2 s of made-up sound; noise and responses come from made-up folders laid out as MUSAN and RIRS_NOISES.
The step is that of ECAPA-TDNN with AAM-Softmax and 1000 speakers: features, forward, backward, Adam. In one process,
turn by turn: each change with every item changed, the stages of a recipe at their default probabilities, and the step.
The usual mix is rooms, recorded noise and masks at their defaults; everything is all stages at theirs. Printed are
medians, and medians of the ratios to the step beside them. Simulated rooms are measured where pyroomacoustics is.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from measuring import Step, interleaved, ratio, setting
from torch import Tensor

from curvox.audio import (
    AugmentationOptions,
    ClippingOptions,
    MaskOptions,
    RecordedNoiseOptions,
    RecordedRoomOptions,
    SimulatedRoomOptions,
    TelephoneOptions,
)
from curvox.testing.noise_folders import write_musan, write_rirs_noises
from curvox.training import build_model, recipe_from
from curvox.training.augmenting import Augmentation
from curvox.training.memory import keep_freed_memory

RATE_HZ = 16000
SPEAKERS = 1000
OFF = AugmentationOptions(noise_probability=0.0, babble_probability=0.0, channel_probability=0.0, gain_probability=0.0)


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as temporary:
        seconds = interleaved(_programs(arguments, Path(temporary)), arguments.repeats)
    results = {
        name: {
            "ms": round(1000 * statistics.median(values), 2),
            "share_of_step": round(ratio(values, seconds["step"]), 4),
        }
        for name, values in seconds.items()
    }
    print(f"{setting(arguments.threads)}, {arguments.device}, {arguments.batch} × {arguments.crop_s} s\n")
    print(f"{'change':<26}{'ms':>10}{'of the step':>14}")
    for name, values in results.items():
        print(f"{name:<26}{values['ms']:>10.1f}{100 * values['share_of_step']:>12.1f} %")
    if arguments.save:
        facts = {"setting": setting(arguments.threads), **vars(arguments), "results": results}
        Path(arguments.save).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--crop-s", type=float, default=2.0)
    parser.add_argument("--channels", type=int, default=512, help="Width of the ECAPA-TDNN.")
    parser.add_argument("--save", help="Also write the figures to this JSON file.")
    return parser.parse_args()


def _programs(arguments: argparse.Namespace, folder: Path) -> dict[str, Step]:
    """Every change and the step, on the same batch."""
    waveforms = 0.1 * torch.randn(arguments.batch, int(arguments.crop_s * RATE_HZ)).to(arguments.device)
    seeds = list(range(arguments.batch))
    step, features = _step(waveforms, arguments)

    def program(augmentation: Augmentation) -> Step:
        opened = augmentation.open(sampling_rate_hz=RATE_HZ, seed=1, cache=folder / "cache")

        def run() -> None:
            with torch.no_grad():
                opened.change_waveforms(waveforms, seeds)
                opened.change_features(features, seeds)

        return run

    return {**{name: program(stages) for name, stages in _stages(folder).items()}, "step": step}


def _stages(folder: Path) -> dict[str, Augmentation]:
    rooms = RecordedRoomOptions(path=str(write_rirs_noises(folder / "RIRS_NOISES", rooms=20)))
    noise = RecordedNoiseOptions(path=str(write_musan(folder / "musan", recordings=20)))
    none = replace(noise, noise_probability=0.0, music_probability=0.0, babble_probability=0.0)
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
        "everything": Augmentation(
            rooms, noise, AugmentationOptions(), ClippingOptions(), TelephoneOptions(), MaskOptions()
        ),
    }
    if importlib.util.find_spec("pyroomacoustics") is not None:
        stages["simulated rooms"] = Augmentation(rooms=SimulatedRoomOptions(probability=1.0))
    return stages


def _step(waveforms: Tensor, arguments: argparse.Namespace) -> tuple[Step, Tensor]:
    """A plain step without augmentation, and the features it takes."""
    recipe = recipe_from(
        {
            "name": "augment",
            "encoder": {"name": "ecapa_tdnn", "channels": arguments.channels},
            "loss": {"name": "aam_softmax"},
        }
    )
    embedder, loss = build_model(recipe, SPEAKERS)
    embedder, loss = embedder.to(arguments.device).train(), loss.to(arguments.device)
    speakers = torch.randint(0, SPEAKERS, (len(waveforms),), device=arguments.device)
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

"""How fast is a training step of our encoders, against the same networks elsewhere?

    python benchmarks/train_step.py [--networks ecapa_512 ecapa_1024 resnet34] [--batch-size 64] [--threads 1 2]
                                    [--speechbrain FOLDER] [--save benchmarks/results/train_step.md]
    python benchmarks/train_step.py --whole [--data FOLDER] [--recipe recipes/openvoices_ham.yaml]

A step is forward, AAM-Softmax, backward and Adam, on the same features of 2 s. The rivals take turns in one process:
curvox, the plainest PyTorch of the network (plain_ecapa.py and plain_resnet.py beside this file), and SpeechBrain's
ECAPA-TDNN with its own loss. Printed are medians, and medians of neighbouring ratios, which hold on a busy machine too.
What happens to freed memory is ``--memory``: "kept" gives all of them the setting of ``curvox train``, "glibc" leaves
its default to all, and "own" gives each what its users run with, the setting to curvox and the default to the others.

``--whole`` measures ``curvox train`` itself against a plain loop, and what loading and augmentation cost; see
whole_step.py.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from measuring import glibc_memory_setting, interleaved, ratio, setting
from plain_ecapa import PlainECAPA
from plain_resnet import PlainResNet34
from speechbrain_ecapa import INSTALL, SpeechBrainAAM, SpeechBrainECAPA, find_speechbrain
from torch import Tensor, nn
from whole_step import print_whole_step

from curvox.encoders import ENCODERS
from curvox.losses import create_loss
from curvox.training.run.train import keep_freed_memory

N_MELS, FRAMES, SPEAKERS = 80, 200, 5994
SCALE, MARGIN = 30.0, 0.2
NETWORKS = ("ecapa_512", "ecapa_1024", "resnet34")


class PlainAAM(nn.Module):
    """AAM-Softmax by its formula."""

    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(SPEAKERS, dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, z: Tensor, speakers: Tensor) -> Tensor:
        cosine = F.linear(F.normalize(z), F.normalize(self.weight))
        angle = torch.acos(cosine.clamp(-1 + 1e-7, 1 - 1e-7))
        target = F.one_hot(speakers, SPEAKERS).bool()
        return F.cross_entropy(SCALE * torch.where(target, torch.cos(angle + MARGIN), cosine), speakers)


def main() -> None:
    arguments = _arguments()
    if arguments.memory == "kept":
        keep_freed_memory()
    if arguments.whole:
        print_whole_step(arguments.data, arguments.recipe, arguments.threads[-1], arguments.repeats)
        return
    version = find_speechbrain(arguments.speechbrain)
    if version is None:
        print(f"SpeechBrain is not installed here and is left out. {INSTALL}")
    lines = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for name in arguments.networks:
            lines.append(_measure(name, arguments, threads, version is not None))
            print(lines[-1], flush=True)
    text = _table(lines, arguments, version)
    print(text)
    if arguments.save:
        Path(arguments.save).write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--speechbrain", help=f"Folder that SpeechBrain was installed into: {INSTALL}.")
    parser.add_argument("--save", help="Also write the table to this Markdown file.")
    parser.add_argument("--memory", choices=("kept", "glibc", "own"), default="kept", help="Freed memory; see above.")
    parser.add_argument("--whole", action="store_true", help="Measure curvox train itself instead.")
    parser.add_argument("--data", help="With --whole: a corpus; a small synthetic one by default.")
    parser.add_argument("--recipe", default="recipes/openvoices_ham.yaml", help="With --whole.")
    return parser.parse_args()


def _measure(name: str, arguments: argparse.Namespace, threads: int, with_speechbrain: bool) -> str:
    """One line of the table."""
    torch.manual_seed(0)
    size = arguments.batch_size
    features, speakers = torch.randn(size, FRAMES, N_MELS), torch.randint(0, SPEAKERS, (size,))
    rivals = _rivals(name, with_speechbrain and name != "resnet34")
    steps = {rival: _step(encoder, loss, features, speakers) for rival, (encoder, loss) in rivals.items()}
    before = _own_memory_setting if arguments.memory == "own" else None
    seconds = interleaved(steps, arguments.repeats, before=before)
    times = {rival: f"{1000 * statistics.median(values):.0f}" for rival, values in seconds.items()}
    ratios = {rival: f"{ratio(seconds[rival], seconds['curvox']):.2f}" for rival in seconds}
    cells = [times["curvox"], times["plain"], times.get("speechbrain", "–")]
    return f"| {name} | {threads} | {' | '.join(cells)} | {ratios['plain']} | {ratios.get('speechbrain', '–')} |"


def _own_memory_setting(rival: str) -> None:
    """Freed memory as the rival's users have it: kept for curvox, and for the others what glibc does by itself."""
    if rival == "curvox":
        keep_freed_memory()
    else:
        glibc_memory_setting()


def _rivals(name: str, with_speechbrain: bool) -> dict[str, tuple[nn.Module, nn.Module]]:
    """Encoder and loss of each rival."""
    if name == "resnet34":
        dim, sizes = 256, {"channels": 32}
        encoder, plain = ENCODERS.load("resnet34")(N_MELS, 32, dim), PlainResNet34(N_MELS, 32, dim)
    else:
        dim, sizes = 192, {"channels": int(name.removeprefix("ecapa_")), "aggregated": 1536}
        encoder = ENCODERS.load("ecapa_tdnn")(N_MELS, sizes["channels"], 1536, dim, final_batch_norm=False)
        plain = PlainECAPA(N_MELS, sizes["channels"], 1536, dim, final_norm=False)
    loss = create_loss({"name": "aam_softmax", "scale": SCALE, "margin": MARGIN}, dim=dim, speakers=SPEAKERS)
    rivals = {"curvox": (encoder, loss), "plain": (plain, PlainAAM(dim))}
    if with_speechbrain:
        rivals["speechbrain"] = (
            SpeechBrainECAPA(N_MELS, sizes["channels"], 1536, dim),
            SpeechBrainAAM(dim, SPEAKERS, SCALE, MARGIN),
        )
    return rivals


def _step(encoder: nn.Module, loss: nn.Module, features: Tensor, speakers: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.Adam([*encoder.parameters(), *loss.parameters()])
    encoder.train()

    def step() -> None:
        optimizer.zero_grad()
        output = loss(encoder(features), speakers)
        getattr(output, "value", output).backward()
        optimizer.step()

    return step


def _table(lines: list[str], arguments: argparse.Namespace, version: str | None) -> str:
    """The lines under their heads, and how they came about."""
    rival = "SpeechBrain" if version is None else f"SpeechBrain {version}"
    head = (
        f"| network | threads | curvox, ms | plain PyTorch, ms | {rival}, ms | plain / curvox | SpeechBrain / curvox |"
    )
    return "\n".join(
        [
            f"{setting(max(arguments.threads))}. A training step on {arguments.batch_size} × {FRAMES} frames of "
            f"{N_MELS} mels, {SPEAKERS} speakers, AAM-Softmax, Adam; {arguments.repeats} repeats, medians; "
            f"freed memory: {arguments.memory}.",
            "",
            head,
            "|---|---|---|---|---|---|---|",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    main()

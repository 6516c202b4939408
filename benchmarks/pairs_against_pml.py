"""What do triplet and contrastive losses with mining cost here, and the same in pytorch-metric-learning?

    python benchmarks/pairs_against_pml.py [--repeats 15] [--threads 1] [--save benchmarks/results/pairs_against_pml.md]

A batch of 512 embeddings of 192 dimensions, four recordings a speaker, forward and backward. In the Euclidean space
both measure the same distances, and where both choose the same pairs their values are compared first. On the
hypersphere each has its usual distance: the angle here, the chord between unit vectors there. It has two semi-hard
minings, neither quite ours: every triplet inside the margin, and one triplet an anchor. Times are medians of
interleaved repeats in one process, ratios are medians of neighbouring ratios. Memory is the peak of the process above
what it held before the step, each in a process of its own. The floor is the two matrix products that no such loss
avoids: the distances, and their gradient, which is symmetric.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_metric_learning
import torch
from measuring import give_back_freed_memory, interleaved, peak_bytes, setting
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import ContrastiveLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchEasyHardMiner, BatchHardMiner, TripletMarginMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor

from curvox.geometry import Euclidean, Hypersphere
from curvox.losses import ContrastiveHinge, Triplet

ITEMS, DIM, EACH = 512, 192, 4
MARGIN, M_SAME, M_DIFFERENT = 0.3, 0.3, 1.2
SPACES = ("euclidean", "hypersphere")

Step = Callable[[], float]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Case:
    """The same work twice: ``ours`` and ``theirs`` build a loss for a space; ``equal`` when the values must agree."""

    ours: Callable[[str], Loss]
    theirs: Callable[[str], Loss]
    equal: bool


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        print(_peak_bytes(*arguments.memory_of))
        return
    lines = _heading(arguments)
    for space in SPACES:
        lines += _table(space, arguments.repeats, arguments.threads)
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.save:
        Path(arguments.save).write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", help="Also write the tables to this file.")
    parser.add_argument("--memory-of", nargs=3, metavar=("CASE", "SYSTEM", "SPACE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _heading(arguments: argparse.Namespace) -> list[str]:
    return [
        "# Triplet and contrastive losses against pytorch-metric-learning",
        "",
        f"`python benchmarks/pairs_against_pml.py --threads {arguments.threads}`, "
        f"{setting(arguments.threads)}, "
        f"pytorch-metric-learning {pytorch_metric_learning.__version__}.",
        "",
        f"B = {ITEMS}, D = {DIM}, {EACH} recordings a speaker, float32, forward and backward; medians of "
        f"{arguments.repeats} interleaved repeats. Memory: peak above the process before the step.",
    ]


def _table(space: str, repeats: int, threads: int) -> list[str]:
    z, speakers = _batch()
    steps: dict[tuple[str, str], Step] = {}
    for name, case in CASES.items():
        steps[name, "curvox"] = _step(case.ours(space), z, speakers)
        steps[name, "pml"] = _step(case.theirs(space), z, speakers)
        ours, theirs = steps[name, "curvox"](), steps[name, "pml"]()
        if case.equal and space == "euclidean" and abs(ours - theirs) > 1e-4 * abs(theirs):
            raise SystemExit(f"{name}: the values differ, {ours} and {theirs}")
    steps["floor", "floor"] = _products(z)
    seconds = interleaved(steps, repeats)
    floor = statistics.median(seconds["floor", "floor"])
    lines = ["", f"## {space}, floor {1000 * floor:.2f} ms", ""]
    lines += ["| work | curvox ms | pml ms | pml / curvox | curvox / floor | curvox MB | pml MB | pml / curvox |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for name in CASES:
        ours, theirs = seconds[name, "curvox"], seconds[name, "pml"]
        ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
        memory = [_memory(name, system, space, threads) / 1e6 for system in ("curvox", "pml")]
        lines.append(
            f"| {name} | {1000 * statistics.median(ours):.2f} | {1000 * statistics.median(theirs):.2f} | {ratio:.1f} | "
            f"{statistics.median(ours) / floor:.1f} | {memory[0]:.1f} | {memory[1]:.1f} | "
            f"{memory[1] / max(memory[0], 0.1):.1f} |"
        )
    return lines


def _triplet(mining: str) -> Callable[[str], Loss]:
    def build(space: str) -> Loss:
        loss = Triplet(DIM, margin=MARGIN, space=_space(space), mining=mining)
        return lambda z, speakers: loss(z, speakers).value

    return build


def _contrastive(mining: str) -> Callable[[str], Loss]:
    def build(space: str) -> Loss:
        loss = ContrastiveHinge(DIM, m_same=M_SAME, m_different=M_DIFFERENT, space=_space(space), mining=mining)
        return lambda z, speakers: loss(z, speakers).value

    return build


def _pml_triplet(miner: Callable[..., Any] | None, **options: Any) -> Callable[[str], Loss]:
    def build(space: str) -> Loss:
        loss = TripletMarginLoss(margin=MARGIN, distance=_distance(space), reducer=MeanReducer())
        mine = None if miner is None else miner(distance=_distance(space), **options)
        return lambda z, speakers: loss(z, speakers, None if mine is None else mine(z, speakers))

    return build


def _pml_contrastive(miner: Callable[..., Any] | None) -> Callable[[str], Loss]:
    def build(space: str) -> Loss:
        margins: dict[str, Any] = {"pos_margin": M_SAME, "neg_margin": M_DIFFERENT}
        loss = ContrastiveLoss(**margins, distance=_distance(space), reducer=MeanReducer())
        mine = None if miner is None else miner(distance=_distance(space))
        return lambda z, speakers: loss(z, speakers, None if mine is None else mine(z, speakers))

    return build


CASES = {
    "triplet, all": Case(_triplet("all"), _pml_triplet(None), equal=True),
    "triplet, semi-hard (theirs: every one inside the margin)": Case(
        _triplet("semi_hard"),
        _pml_triplet(TripletMarginMiner, margin=MARGIN, type_of_triplets="semihard"),
        equal=False,
    ),
    "triplet, semi-hard (theirs: one an anchor)": Case(
        _triplet("semi_hard"),
        _pml_triplet(BatchEasyHardMiner, pos_strategy="hard", neg_strategy="semihard"),
        equal=False,
    ),
    "triplet, hardest": Case(_triplet("hardest"), _pml_triplet(BatchHardMiner), equal=True),
    "contrastive, all": Case(_contrastive("all"), _pml_contrastive(None), equal=True),
    "contrastive, hardest": Case(_contrastive("hardest"), _pml_contrastive(BatchHardMiner), equal=True),
}


def _space(name: str) -> Euclidean | Hypersphere:
    return Euclidean() if name == "euclidean" else Hypersphere()


def _distance(name: str) -> LpDistance:
    return LpDistance(normalize_embeddings=name != "euclidean")


def _batch() -> tuple[Tensor, Tensor]:
    """Unit vectors of speakers that are told apart half way, as in the middle of a training."""
    generator = torch.Generator().manual_seed(0)
    speakers = torch.arange(ITEMS) // EACH
    centres = torch.randn(ITEMS // EACH, DIM, generator=generator)
    noise = torch.randn(ITEMS, DIM, generator=generator)
    return torch.nn.functional.normalize(centres[speakers] + 1.5 * noise), speakers


def _step(loss: Loss, z: Tensor, speakers: Tensor) -> Step:
    leaf = z.clone().requires_grad_()

    def step() -> float:
        leaf.grad = None
        value = loss(leaf, speakers)
        value.backward()
        return value.item()

    return step


def _products(z: Tensor) -> Step:
    gradient = torch.randn(len(z), len(z))

    def step() -> float:
        torch.mm(z, z.T)
        torch.mm(gradient, z)
        return 0.0

    return step


def _memory(case: str, system: str, space: str, threads: int) -> int:
    """Peak bytes of a step, from a process of its own."""
    command = [sys.executable, __file__, "--threads", str(threads), "--memory-of", case, system, space]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak_bytes(case: str, system: str, space: str) -> int:
    give_back_freed_memory()
    build = CASES[case].ours if system == "curvox" else CASES[case].theirs
    return peak_bytes(_step(build(space), *_batch()))


if __name__ == "__main__":
    main()

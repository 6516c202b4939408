"""What the losses cost: ratios measured side by side, and peak memory, against rivals and against the floor.

    python benchmarks/losses.py [--threads 2] [--repeats 9] [--sections NAME ...] [--quick]

Every section is a process of its own, so that none inherits another's memory; inside it the systems take turns. Prints
the tables and writes them to benchmarks/results/losses.md. The floor is the three matrix products that no classifier
with N centres can avoid, the logits and the two sides of their gradient, into memory that is there already. Freed
memory is kept by the process as ``curvox train`` keeps it, but not where memory is measured. Peak memory is what the
process holds at most during a step above what it held before it; weights are not in it, their gradient is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from loss_systems import DIM, step_of
from measuring import Step, give_back_freed_memory, interleaved, peak_bytes, ratio, setting

from curvox.losses import LOSSES, AbstractLoss, create_loss
from curvox.training.run.train import keep_freed_memory

RESULTS = Path(__file__).parent / "results" / "losses.md"
CENTRE_LOSSES = ("softmax", "am_softmax", "aam_softmax", "ram_softmax", "sphereface2", "h_softmax", "ham_softmax")
MILLION = ("softmax", "am_softmax", "aam_softmax", "ram_softmax", "sphereface2", "h_softmax", "ham_softmax")


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.step is not None:
        give_back_freed_memory()
        print(json.dumps(_peak(*json.loads(arguments.step))))
        return
    if arguments.child != "published_form":
        keep_freed_memory()
    if arguments.child is not None:
        print(json.dumps(SECTIONS[arguments.child](arguments.repeats, arguments.threads)))
        return
    lines = [
        f"`python benchmarks/losses.py --threads {arguments.threads} --repeats {arguments.repeats}`, "
        f"{setting(arguments.threads)}. D = {DIM}, float32, forward and backward; medians of interleaved repeats.",
        "",
    ]
    for name in arguments.sections:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        lines += [*_child(["--child", name], arguments), ""]
    text = "\n".join(lines)
    print(text)
    if set(arguments.sections) == set(SECTIONS):
        RESULTS.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--child", choices=SECTIONS, help=argparse.SUPPRESS)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    return parser.parse_args()


def _child(options: list[str], arguments: argparse.Namespace | None = None, *, threads: int = 1) -> list:
    """Run this script again for one section or one step; what it prints last comes back."""
    numbers = [] if arguments is None else ["--repeats", str(arguments.repeats)]
    threads = threads if arguments is None else arguments.threads
    command = [sys.executable, __file__, *options, *numbers, "--threads", str(threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _peak(name: str, batch: int, speakers: int) -> int:
    return peak_bytes(step_of(name, batch, speakers))


def _megabytes(name: str, batch: int, speakers: int, threads: int) -> float:
    found = _child(["--step", json.dumps([name, batch, speakers])], threads=threads)
    return int(found) / 1e6  # pyright: ignore[reportArgumentType]


# the sections


def margin_head(repeats: int, threads: int) -> list[str]:
    """HAM against AM."""
    batch, speakers = 256, 17_982
    names = ["floor", "plain AM", "am_softmax", "ham_softmax", "ham_softmax s=30.5", "ham exp_map"]
    seconds = interleaved({name: step_of(name, batch, speakers) for name in names}, 3 * repeats)
    lines = [f"#### HAM-Softmax against AM-Softmax, B = {batch}, N = {speakers:,}", ""]
    lines += [
        "| system | ms | / floor | / am_softmax | / plain AM | peak MB | / am_softmax |",
        "|---|---|---|---|---|---|---|",
    ]
    memory = {name: _megabytes(name, batch, speakers, threads) for name in names[1:]}
    for name in names:
        own = seconds[name]
        ratios = " | ".join(f"{ratio(own, seconds[other]):.2f}" for other in ("floor", "am_softmax", "plain AM"))
        space = f"{memory[name]:.0f} | {memory[name] / memory['am_softmax']:.2f}" if name in memory else "– | –"
        lines.append(f"| {name} | {1000 * statistics.median(own):.1f} | {ratios} | {space} |")
    note = "`plain AM` is AM-Softmax as usually written. With s = 30.5 the power is no whole number and costs more."
    return [*lines, "", note]


def published_form(repeats: int, threads: int) -> list[str]:
    """HAM against the published (B, N, D) form."""
    batch, speakers = 64, 5_994
    names = ["ham_softmax", "published HAM"]
    steps = {name: step_of(name, batch, speakers) for name in names}
    usual = interleaved(steps, repeats)
    keep_freed_memory()
    kept = interleaved(steps, repeats)
    memory = {name: _megabytes(name, batch, speakers, threads) for name in names}
    lines = [f"#### HAM-Softmax against its published form, B = {batch}, N = {speakers:,}", ""]
    lines += ["| system | ms | ms, freed memory kept | peak MB |", "|---|---|---|---|"]
    for name in names:
        times = [1000 * statistics.median(seconds[name]) for seconds in (usual, kept)]
        lines.append(f"| {name} | {times[0]:.1f} | {times[1]:.1f} | {memory[name]:.0f} |")
    faster = [ratio(seconds["published HAM"], seconds["ham_softmax"]) for seconds in (usual, kept)]
    less = memory["published HAM"] / memory["ham_softmax"]
    note = (
        f"{faster[0]:.0f} × faster and {less:.0f} × less memory above the weights as torch comes. Where the process "
        f"keeps freed memory, as `curvox train` does, the published form faults in no pages: {faster[1]:.0f} ×."
    )
    return [*lines, "", note]


def million(repeats: int, threads: int) -> list[str]:
    """Every centre loss with a million speakers; each beside its own floor, since two do not fit side by side."""
    batch, speakers = 128, 1_000_000
    lines = [f"#### A million speakers, B = {batch}", ""]
    lines += ["| loss | s | / floor | peak GB with weights and gradient |", "|---|---|---|---|"]
    for name in MILLION:
        found = _child(["--step", json.dumps([name, batch, speakers])], threads=threads)
        weights = 4 * DIM * speakers
        seconds = interleaved({key: step_of(key, batch, speakers) for key in ("floor", name)}, max(5, repeats // 2))
        lines.append(
            f"| {name} | {statistics.median(seconds[name]):.2f} | {ratio(seconds[name], seconds['floor']):.2f} | "
            f"{(int(found) + weights) / 1e9:.1f} |"  # pyright: ignore[reportArgumentType]
        )
    return lines


def every_loss(repeats: int, threads: int) -> list[str]:
    """The table of costs, at the size of VoxCeleb2."""
    batch, speakers = 128, 5_994
    names = ["floor", *CENTRE_LOSSES, "combined"]
    seconds = interleaved({name: step_of(name, batch, speakers) for name in names}, 3 * repeats)
    lines = [
        f"#### Classification losses, B = {batch}, N = {speakers:,}",
        "",
        "| loss | ms | / floor |",
        "|---|---|---|",
    ]
    for name in names:
        own = seconds[name]
        lines.append(f"| {name} | {1000 * statistics.median(own):.1f} | {ratio(own, seconds['floor']):.2f} |")
    return [*lines, "", *_pairs(repeats, batch)]


def _pairs(repeats: int, batch: int) -> list[str]:
    losses: dict[str, AbstractLoss] = {}
    for name in LOSSES:
        loss = create_loss(name, dim=DIM, speakers=2)
        if loss.speakers is None and name != "metric_learning":
            losses[name] = loss
    seconds = interleaved({name: _pair_step(loss, batch) for name, loss in losses.items()}, 3 * repeats)
    lines = [f"#### Pair losses, B = {batch}, 2 recordings a speaker", "", "| loss | ms |", "|---|---|"]
    return lines + [f"| {name} | {1000 * statistics.median(own):.1f} |" for name, own in seconds.items()]


def _pair_step(loss: AbstractLoss, batch: int) -> Step:
    torch.manual_seed(0)
    z = torch.randn(batch, DIM).requires_grad_()
    labels = torch.arange(batch) // 2

    def step() -> None:
        z.grad = None
        loss(z, labels).value.backward()

    return step


def on_gpu(repeats: int, threads: int) -> list[str]:
    """A million speakers on a GPU, when one is at hand."""
    batch, speakers = 128, 1_000_000
    heading = f"#### A million speakers on a GPU, B = {batch}"
    if not torch.cuda.is_available():
        return [heading, "", "Not measured: no GPU was at hand."]
    lines = [
        heading,
        "",
        torch.cuda.get_device_name(),
        "",
        "| loss | ms | / floor | peak GB above weights and gradient |",
    ]
    lines += ["|---|---|---|---|"]
    for name in MILLION:
        seconds = interleaved({key: step_of(key, batch, speakers, "cuda") for key in ("floor", name)}, 3 * repeats)
        step = step_of(name, batch, speakers, "cuda")
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        peak = torch.cuda.max_memory_allocated() - before - 4 * DIM * speakers
        ratio_to_floor = ratio(seconds[name], seconds["floor"])
        lines.append(
            f"| {name} | {1000 * statistics.median(seconds[name]):.1f} | {ratio_to_floor:.2f} | {peak / 1e9:.2f} |"
        )
        torch.cuda.empty_cache()
    return lines


def mined_pairs(repeats: int, threads: int) -> list[str]:
    """Triplet and contrastive with mining against pytorch-metric-learning: the tables of pairs_against_pml.py."""
    script = Path(__file__).with_name("pairs_against_pml.py")
    command = [sys.executable, script, "--repeats", str(repeats), "--threads", "1"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    tables = done.stdout[done.stdout.index("B = ") :].replace("\n## ", "\n##### ")
    return ["#### Triplet and contrastive against pytorch-metric-learning, one thread", "", *tables.splitlines()]


SECTIONS: dict[str, Callable[[int, int], list[str]]] = {
    "margin_head": margin_head,
    "published_form": published_form,
    "million": million,
    "on_gpu": on_gpu,
    "mined_pairs": mined_pairs,
    "every_loss": every_loss,
}

if __name__ == "__main__":
    main()

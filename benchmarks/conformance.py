"""Run every check of the loss contract on every loss of the table and on its variants, and print who passes.

    python benchmarks/conformance.py [NAME ...]

Prints a table of losses x checks, and writes it to benchmarks/results/conformance.md with the date and the machine.
Ends with 1 if a check fails.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import torch
from loss_variants import VARIANTS, factory_of
from measuring import machine

from curvox.losses import AbstractLoss
from curvox.testing.loss_contract import CHECKS, LossFactory

RESULTS = Path(__file__).parent / "results" / "conformance.md"

HOLDS, REFUSED, FAILS = "✓", "refused", "**fails**"

REFUSAL_IS_THE_POINT = ("bad_embeddings", "bad_speakers")
"""Checks that ask for refusals: there they are no news."""


class Counter:
    """A factory that counts how many batches its losses were given and how many of them they answered."""

    def __init__(self, factory: LossFactory) -> None:
        self.factory = factory
        self.given = 0
        self.answered = 0

    def __call__(self, dim: int, speakers: int) -> AbstractLoss:
        loss = self.factory(dim, speakers)
        loss.register_forward_pre_hook(self._count_given)
        loss.register_forward_hook(self._count_answered)
        return loss

    def _count_given(self, *_: object) -> None:
        self.given += 1

    def _count_answered(self, *_: object) -> None:
        self.answered += 1


def main() -> None:
    names = sys.argv[1:] or list(VARIANTS)
    reasons: list[str] = []
    rows = [_row(name, reasons) for name in names]
    text = _table(rows, reasons)
    print(text)
    if names == list(VARIANTS):
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(f"# Conformance of the losses\n\n{_made()}\n\n{text}", encoding="utf-8")
    sys.exit(1 if reasons else 0)


def _row(name: str, reasons: list[str]) -> list[str]:
    print(name, file=sys.stderr, flush=True)
    return [name, *(_outcome(name, check, reasons) for check in CHECKS)]


def _outcome(name: str, check: str, reasons: list[str]) -> str:
    factory = Counter(factory_of(name))
    try:
        CHECKS[check](factory)
    except Exception as error:  # whatever it is, the loss does not keep the contract
        reasons.append(f"{name}, {check}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return FAILS
    return REFUSED if factory.answered < factory.given and check not in REFUSAL_IS_THE_POINT else HOLDS


def _table(rows: list[list[str]], reasons: list[str]) -> str:
    header = ["loss", *(check.replace("_", " ") for check in CHECKS)]
    lines = [header, ["---"] + [":-:"] * len(CHECKS), *rows]
    outcomes = [cell for row in rows for cell in row[1:]]
    counts = f"{len(outcomes)} checks: {outcomes.count(HOLDS)} hold, {outcomes.count(REFUSED)} hold because the loss "
    counts += f"refuses a batch that has no meaning for it, {outcomes.count(FAILS)} fail."
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"{counts}\n\n{table}" + "".join(f"\n- {reason}" for reason in reasons) + ("\n" if reasons else "")


def _made() -> str:
    what = (
        torch.cuda.get_device_name() if torch.cuda.is_available() else "no accelerator: `device move` has nothing to do"
    )
    made = f"{date.today().isoformat()}, {machine()}, {what}; torch {torch.__version__}."
    return f"{made} Printed by `python benchmarks/conformance.py`."


if __name__ == "__main__":
    main()

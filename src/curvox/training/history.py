"""The learning curve of a run, read back from its logs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: its number from 1, the mean training loss, the dev EER as a fraction (None where one is missing)."""

    epoch: int
    loss: float | None
    dev_eer: float | None


def read_history(run: str | Path) -> tuple[EpochRecord, ...]:
    """Return the epochs of a run; after a resume the later log wins."""
    losses: dict[int, float] = {}
    eers: dict[int, float] = {}
    for log in log_files(run):
        with log.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if not row["epoch"]:
                    continue
                epoch = int(row["epoch"]) + 1
                if row.get("train/loss_epoch"):
                    losses[epoch] = float(row["train/loss_epoch"])
                if row.get("dev/eer"):
                    eers[epoch] = float(row["dev/eer"])
    return tuple(EpochRecord(e, losses.get(e), eers.get(e)) for e in sorted(losses.keys() | eers.keys()))


def log_files(run: str | Path) -> list[Path]:
    """Return the logs of a run, that of the last resume last."""
    return sorted(Path(run, "logs").glob("version_*/metrics.csv"), key=lambda p: int(p.parent.name.split("_")[1]))

"""``curvox losses``: what there is to train with."""

from __future__ import annotations


def losses() -> None:
    """List the losses, a line each."""
    from curvox.losses import LOSSES

    width = max(map(len, LOSSES))
    for name, entry in LOSSES.items():
        print(f"{name:{width}}  {entry.summary}")

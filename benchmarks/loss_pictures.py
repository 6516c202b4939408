"""Draw the picture of every loss of the table: value and gradient over the distance to the target.

    python benchmarks/loss_pictures.py [NAME ...]

Writes docs/pictures/NAME.svg and, beside them, the numbers that are drawn: docs/pictures/curves.json. The losses are
run as their constructors make them. A test compares these numbers with those of today's code, and each picture with
its numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from curvox.losses import LOSSES, create_loss
from curvox.losses.profile import PROFILE_DIM, PROFILE_SPEAKERS, LossProfile, loss_profile
from curvox.reports import loss_picture

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    file = PICTURES / "curves.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in sys.argv[1:] or LOSSES:
        profile = loss_profile(create_loss(name, dim=PROFILE_DIM, speakers=PROFILE_SPEAKERS))
        numbers = known[name] = plain_numbers(profile)
        digest = hashlib.sha256(json.dumps(numbers).encode()).hexdigest()
        picture = loss_picture(profile, title=LOSSES[name].attribute, curves_id=digest[:16])
        (PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")
        print(f"{name}.svg")
    lines = [f"{json.dumps(name)}: {json.dumps(known[name])}" for name in LOSSES if name in known]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def plain_numbers(profile: LossProfile) -> dict[str, Any]:
    """The profile as JSON holds it, rounded to what a picture can show."""
    return json.loads(json.dumps(dataclasses.asdict(profile)), parse_float=lambda text: float(f"{float(text):.5g}"))


if __name__ == "__main__":
    main()

"""What a run died of, in terms of causes."""

from __future__ import annotations

from curvox.diagnosis.findings import Checked, Evidence, Finding
from curvox.diagnosis.observation import Death

_HALF = "float16"
_OVERFLOWED = "overflowed in 16"


def death_checks(death: Death) -> Checked:
    """Name what a run died of: half_precision_overflow where float16 could not hold a number, collapse where embeddings
    became zero, not_finite elsewhere.

    The operation is taken as `curvox.diagnosis.origin.Origin` writes it.
    """
    looked = ("not_finite", "half_precision_overflow")
    if death.kind == "zeros":
        zeros = Evidence("dev recordings whose embedding is zero", float(len(death.items)), "none")
        return Checked((*looked, "collapse"), (Finding("collapse", "failure", (zeros,), _where(death)),))
    half = _HALF in death.operation or (not death.operation and _OVERFLOWED in death.message)
    cause = "half_precision_overflow" if half else "not_finite"
    healthy = f"all {death.kind} finite in every step"
    evidence = [Evidence(f"step in which {_THAT[death.kind]} first", float(death.step), healthy)]
    if death.items:
        evidence.append(Evidence("recordings it happened to", float(len(death.items)), "none"))
    finding = Finding(cause, "failure", tuple(evidence), _where(death))
    return Checked(looked, (finding,))


_THAT = {
    "embeddings": "embeddings were not finite",
    "loss": "the loss was not finite",
    "gradient": "the gradient was not finite",
    "weights": "weights were not finite",
}


def _where(death: Death) -> str:
    way = " on the way back" if death.backward else ""
    operation = f"{death.operation}{way}" if death.operation else ""
    shown = ", ".join(death.items[:5]) + (f" and {len(death.items) - 5} more" if len(death.items) > 5 else "")
    return "; ".join(part for part in (operation, shown) if part)

"""Operating points of published evaluations, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from curvox.metrics.dcf import OperatingPoint

# The evaluation plans of NIST for the SREs, the rules of VoxSRC 2020 to 2023 and of CNSRC 2022. SRE12, SRE16 and the
# telephone part of SRE18 average the cost over the two points of theirs.
OPERATING_POINTS: Mapping[str, OperatingPoint] = MappingProxyType(
    {
        "voxceleb": OperatingPoint(0.01),
        "voxsrc": OperatingPoint(0.05),
        "cnceleb": OperatingPoint(0.01),
        "sre08": OperatingPoint(0.01, cost_miss=10.0),
        "sre10": OperatingPoint(0.001),
        "sre12_low": OperatingPoint(0.001),
        "sre12_high": OperatingPoint(0.01),
        "sre16_low": OperatingPoint(0.005),
        "sre16_high": OperatingPoint(0.01),
        "sre18_low": OperatingPoint(0.005),
        "sre18_high": OperatingPoint(0.01),
        "sre18_video": OperatingPoint(0.05),
        "sre19_video": OperatingPoint(0.05),
    }
)

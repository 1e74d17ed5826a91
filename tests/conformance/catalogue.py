"""All programs, in the order of the list."""

from conformance import (
    alignment,
    control,
    motifs,
    objectives,
    orders,
    smoothness,
    support,
    variances,
    worlds,
)
from conformance.program import PROGRAMS

__all__ = [
    "PROGRAMS", "alignment", "control", "motifs", "objectives", "orders", "smoothness", "support",
    "variances", "worlds",
]  # fmt: skip

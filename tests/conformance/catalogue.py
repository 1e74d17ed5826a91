"""All programs, in the order of the list."""

from conformance import alignment, control, motifs, objectives, smoothness, support, variances
from conformance.program import PROGRAMS

__all__ = [
    "PROGRAMS", "alignment", "control", "motifs", "objectives", "smoothness", "support",
    "variances",
]  # fmt: skip

"""All programs, in the order of the list."""

from conformance import motifs, smoothness
from conformance.program import PROGRAMS

__all__ = ["PROGRAMS", "motifs", "smoothness"]

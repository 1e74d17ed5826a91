"""What is said about a function that cannot be compiled."""

from __future__ import annotations

from scg._run import Place
from scg.errors import TraceError

__all__ = ["refused_read", "refused_step"]

_READS = {
    "bool": "a Python decision (if, while, and, or, not) on it",
    "boolean mask": "a boolean mask, which decides how many elements there are",
    "repeat counts": "repeat counts, which decide how many elements there are",
    "copy": "a copy of an array",
}
_REMEDIES = {
    "bool": "choose with scg.where(condition, a, b), or pass what decides as a static argument",
    "boolean mask": "use scg.where, which keeps the shape",
    "repeat counts": "pass the counts as a static argument",
}


def refused_read(kind: str, place: Place) -> TraceError:
    """Return the error for a raw read of a value that each call computes anew."""
    what = _READS.get(kind, f"{kind}() of it")
    remedy = _REMEDIES.get(
        kind, "keep it a tensor, and return it to look at it outside of the compiled function"
    )
    return TraceError(
        f"scg.jit: {place} reads a value that is only known when the compiled step runs: {what}; "
        f"{remedy}"
    )


_STEPS = {
    "external": "scg.external calls the outside world; call it between compiled functions",
    "assign": "assign changes a parameter; do it outside, or by an optimiser",
}


def refused_step(what: str, place: Place) -> TraceError:
    """Return the error for something that a compiled step cannot repeat."""
    return TraceError(f"scg.jit: {place}: {_STEPS.get(what, f'{what} cannot be compiled')}")

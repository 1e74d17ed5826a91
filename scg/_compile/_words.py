"""What is said about a function that cannot be compiled."""

from __future__ import annotations

from scg._place import Place
from scg._typing import Array, DType, Shape
from scg.errors import TraceError

__all__ = ["refused_change", "refused_form", "refused_read", "refused_step"]

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


def refused_change(name: str, what: str) -> TraceError:
    """Return the error for a function that is not the same one at its next call."""
    return TraceError(
        f"{name} cannot be compiled: traced at two calls it is not the same program: {what}. "
        "Something that changes from call to call came in as a number: random numbers of NumPy, "
        "arithmetic by NumPy on raw arrays, an attribute, a counter. Pass it as an argument (an "
        "array, if it is a number), draw with a distribution, or write scg.jit(check=False) if it "
        "may stay what it was"
    )


_STEPS = {
    "external": "scg.external calls the outside world; call it between compiled functions",
    "assign": "assign changes a parameter; do it outside, or by an optimiser",
}


def refused_step(what: str, place: Place) -> TraceError:
    """Return the error for something that a compiled step cannot repeat."""
    return TraceError(f"scg.jit: {place}: {_STEPS.get(what, f'{what} cannot be compiled')}")


def refused_form(
    name: str, place: Place | None, result: Array, wanted: tuple[Shape, DType]
) -> TraceError:
    """Return the error for an op of the user's own whose result is another one than when traced."""
    shape, dtype = wanted
    at = "" if place is None else f" ({place})"
    return TraceError(
        f"scg.{name}{at} returned shape {result.shape} {result.dtype}, and shape {shape} {dtype} "
        "when scg.jit traced it: a compiled step has the memory for that; return one shape and "
        "dtype for arguments of one shape, or call the op between compiled functions"
    )

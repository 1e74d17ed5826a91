"""What a task of `vector_loops.py` is written from: a region without its sizes and addresses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scg._typing import DType
from scg.kernels.simd_tile import VECTOR_BYTES

__all__ = [
    "COLUMN_SEGMENT", "ROW_SEGMENT", "Access", "Spec", "arguments", "dtypes", "inner", "lanes_for",
    "moves", "phases",
]  # fmt: skip

# How much of a loop one unit does at most: more would leave threads idle and add up too many
# roundings.
ROW_SEGMENT, COLUMN_SEGMENT = 4096, 1024


class Access(NamedTuple):
    """How memory is gone through.

    Attributes
    ----------
    dtype : str
    loop : bool
        In the columns form: whether the place changes from one turn of the loop to the next.
    lane : {"none", "one", "any"}
        From one lane to the next: the same place, the next number, or a stride given in the row.
    segment : bool
        Whether the place changes from one segment to the next, other than by the loop.
    """

    dtype: str
    loop: bool
    lane: str
    segment: bool = False


class Spec(NamedTuple):
    """A region without its sizes and addresses.

    Attributes
    ----------
    columns : bool
        Which of the two forms.
    rank : int
        How many axes the units have besides.
    segment : int
        How many turns of the loop a unit does; 0 means all.
    lanes : int
    tail : {"none", "again", "mask"}
        What is done with numbers too few for a vector: there are none, they are computed together
        with some that were computed already, or with lanes masked, which is slow on many machines.
    accesses : tuple of Access
    nodes : tuple
        ("load", access), ("number", value, dtype), ("cast", node, dtype), ("reduce", kind, node),
        ("scan", node) and ("op", text, functions, names, statics, dtype of the arithmetic, nodes,
        dtype), in an order in which each comes after those it names.
    stores : tuple of (node, access)
    """

    columns: bool
    rank: int
    segment: int
    lanes: int
    tail: str
    accesses: tuple[Access, ...]
    nodes: tuple[tuple[Any, ...], ...]
    stores: tuple[tuple[int, int], ...]

    def fields(self) -> list[tuple[str, int]]:
        """Name the entries of a row in their order, each with the access or axis it belongs to."""
        header = [("loop", 0), *([("width", 0)] if self.columns else [])]
        fields = header + [("size", axis) for axis in range(self.rank)]
        for i, access in enumerate(self.accesses):
            fields.append(("address", i))
            fields += [(f"stride {axis}", i) for axis in range(self.rank)]
            fields += [("step", i)] if self.columns and access.loop else []
            fields += [("lane", i)] if access.lane == "any" else []
            fields += [("segment", i)] if access.segment else []
        return fields


def lanes_for(dtypes: set[str]) -> int:
    """Return how many numbers a vector should hold, so that the widest floats fill a register."""
    return VECTOR_BYTES // (8 if "float64" in dtypes or "float32" not in dtypes else 4)


# --- facts about nodes -----------------------------------------------------------------------


def arguments(node: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the nodes that a node is computed from."""
    if node[0] in ("load", "number"):
        return ()
    if node[0] == "op":
        return tuple(node[6])
    return (node[2] if node[0] == "reduce" else node[1],)


def moves(spec: Spec, access: Access) -> bool:
    """Tell whether a place changes along the loop."""
    return access.loop if spec.columns else access.lane != "none"


def inner(spec: Spec) -> list[bool]:
    """Tell of each node whether it changes along the loop."""
    result: list[bool] = []
    for node in spec.nodes:
        if node[0] == "load":
            result.append(moves(spec, spec.accesses[node[1]]))
        else:
            rest = any(result[i] for i in arguments(node))
            result.append(node[0] == "scan" or (node[0] != "reduce" and rest))
    return result


def phases(spec: Spec) -> list[int]:
    """Tell of each node how many loops have to end before it can be computed."""
    result: list[int] = []
    for node in spec.nodes:
        first = max((result[i] for i in arguments(node)), default=0)
        result.append(first + (node[0] == "reduce"))
    return result


def dtypes(spec: Spec) -> list[DType]:
    """Return the dtype of each node."""
    result: list[DType] = []
    for node in spec.nodes:
        if node[0] == "load":
            result.append(np.dtype(spec.accesses[node[1]].dtype))
        elif node[0] in ("number", "cast"):
            result.append(np.dtype(node[2]))
        elif node[0] == "op":
            result.append(np.dtype(node[7]))
        else:
            result.append(result[arguments(node)[0]])
    return result

"""What the writer of random programs knows of a value, and how values are put together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scg.testing._programs.syntax import Call, Expr, Name, Number

__all__ = ["Value", "call", "number", "renamed"]

_Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class Value:
    """An expression with what decides where it may be used.

    Attributes
    ----------
    expr : Expr
        How to compute it.
    shape : tuple of int
        Of the result.
    direct : frozenset of str
        The parameters that reach it other than through a draw.
    noise : frozenset of str
        The continuous draws that reach it.
    gentle : bool
        Affine in that noise, so that any entire function of it is integrated exactly enough.
    degree : int
        How fast it grows.
    random : bool
        Some draw reaches it.
    levels : int
        A scalar draw from 0, ..., levels - 1; 0 for anything else.
    breaks : tuple of Value
        Where the program may jump in it, if it is a continuous draw.
    pinned : tuple of (str, frozenset of str)
        Why no jump in it has an unbiased gradient; for which parameters, or all if there are none.
    """

    expr: Expr
    shape: tuple[int, ...] = ()
    direct: _Names = frozenset()
    noise: _Names = frozenset()
    gentle: bool = True
    degree: int = 1
    random: bool = False
    levels: int = 0
    breaks: tuple[Value, ...] = ()
    pinned: tuple[tuple[str, _Names], ...] = ()


def number(value: float) -> Value:
    """Return a constant."""
    return Value(Number(value), degree=0)


def call(
    op: str, *args: Value, static: tuple[object, ...] = (), shape: tuple[int, ...] | None = None,
    gentle: bool = False, degree: int | None = None,
) -> Value:  # fmt: skip
    """Return an operation on values; it broadcasts unless a shape is given."""
    noise = frozenset[str]().union(*[a.noise for a in args])
    return Value(
        Call(op, tuple([a.expr for a in args]), static),
        np.broadcast_shapes(*[a.shape for a in args]) if shape is None else shape,
        frozenset[str]().union(*[a.direct for a in args]),
        noise,
        (gentle and all(a.gentle for a in args)) or not noise,
        max(a.degree for a in args) if degree is None else degree,
        any(a.random for a in args),
        pinned=tuple(dict.fromkeys(p for a in args for p in a.pinned)),
    )


def renamed(value: Value, name: str) -> Value:
    """Return a variable that holds a value."""
    return replace(value, expr=Name(name), levels=0, breaks=())

"""Ops that users define: a NumPy forward pass and its vjp."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from scg import _axes
from scg._op import Op, Smoothness
from scg._recording import ACTIVE, paused
from scg.errors import OptionError

__all__ = ["custom_op"]

Fn = TypeVar("Fn", bound=Callable[..., Any])


def custom_op(
    *, vjp: Callable[..., Any] | None = None, smooth: str | tuple[str, ...] = "opaque",
    axes: str | Callable[..., Any] = "mixed",
) -> Callable[[Fn], Fn]:  # fmt: skip
    """Make a differentiable op from a NumPy function and its vjp.

    Parameters
    ----------
    vjp : callable, optional
        `vjp(g, y, *inputs, **options)` on arrays: the cotangent `g` of the output `y`; returns one
        cotangent per input (a single one for a one-input op), None where there is none. Without
        it, only what needs no gradient may pass, draws, and what goes into a jump.
    smooth : str or tuple of str
        One of "smooth", "kink", "pole", "jump", "opaque", for all inputs or one each. Undeclared
        means opaque: draws that pass through it are scored, never differentiated.
    axes : {"mixed", "elementwise"} or callable
        Which output elements an input element can reach. Undeclared means any.

    Returns
    -------
    callable
        A decorator. Positional parameters of the function are tensor inputs, keyword-only ones are
        options.

    Raises
    ------
    OptionError
        If `smooth` or `axes` is not one of the words above.
    GradientError
        At a call, if the op is opaque and without vjp, and an input needs a gradient.

    Notes
    -----
    Check it with `scg.testing.check_grads`. It can be differentiated once. Inside `scg.jit` the
    function and its vjp are called in Python at every call, whether their results are used or not.

    Examples
    --------
    >>> import numpy as np, scg
    >>> @scg.op(vjp=lambda g, y, x: g * np.cos(x), smooth="smooth", axes="elementwise")
    ... def my_sin(x):
    ...     return np.sin(x)
    >>> x = scg.parameter(0.0)
    >>> my_sin(x).backward()
    >>> float(x.grad)
    1.0
    """
    classes = _classes(smooth)
    rule = axes if callable(axes) else _AXES.get(axes)
    if rule is None:
        raise OptionError(f"scg.op: axes={axes!r} is not one of {sorted(_AXES)} or a function")

    def decorate(function: Fn) -> Fn:
        record = Op(function.__name__, function, smooth=classes, axes=rule, max_order=1)
        record.forward = _unrecorded(function)
        record.custom = True
        _take_positional_as_inputs(record, function)
        if vjp is not None:
            record.vjp = lambda F, g, *saved, **options: vjp(g, *saved, **options)
            record._kept = (True,) * (1 + len(record.inputs))
        return record.public  # type: ignore[return-value]

    return decorate


def _unrecorded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a traced step contain the op, and not what its function computed this time."""

    @wraps(function)  # whose op it is tells `scg.audit` the module of its function
    def forward(*arrays: Any, **options: Any) -> Any:
        if not ACTIVE:
            return function(*arrays, **options)
        with paused():
            # A copy: it may have returned an operand, and return something else the next time.
            return np.array(function(*arrays, **options))

    return forward


_AXES = {"mixed": _axes.mixed, "elementwise": _axes.elementwise}


def _classes(smooth: str | tuple[str, ...]) -> Smoothness | tuple[Smoothness, ...]:
    try:
        if isinstance(smooth, str):
            return Smoothness[smooth.upper()]
        return tuple(Smoothness[s.upper()] for s in smooth)
    except (KeyError, AttributeError):
        words = ", ".join(s.name.lower() for s in Smoothness)
        raise OptionError(f"scg.op: smooth={smooth!r} is not one of {words}") from None


def _take_positional_as_inputs(record: Op, function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters.values()
    record.inputs = tuple(
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    )
    record.static_names = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    record.defaults = {
        p.name: p.default for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.default is not p.empty
    }  # fmt: skip

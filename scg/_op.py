"""The op registry: one record per operation, from which everything else about it is derived.

A record holds the forward pass on arrays, the vjp, the shape and axis rules, how smooth the op is
in each input, and how to test it. The vjp is written once, against a namespace `F`: with `F = RAW`
the names are array functions, with `F = TRACED` they are the public, differentiable ops, so the
same text serves first and higher derivatives.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import numpy as np

from scg import _axes, _smoothness
from scg._bad_calls import explained, refuse_tracked_options
from scg._noise_facts import note_noise
from scg._observed import without_past
from scg._reads import noise_from_reads
from scg._recording import ACTIVE, note
from scg._registry import OPS, RAW, TRACED
from scg._smoothness import JUMP, KINK, OPAQUE, POLE, SMOOTH, Linear, Smoothness
from scg._spec import Spec, retrack, spec_of
from scg._tensor import Tensor, as_array
from scg._watch import watcher
from scg.errors import GradientError, ScgError
from scg.tape import (
    INHERITED,
    NOISE,
    OBSERVED,
    PLAIN,
    POSITIVE,
    RANDOM,
    REQUIRES,
    Node,
    NoisyNode,
    _grad_enabled,
    stopped,
)

__all__ = [
    "JUMP", "KINK", "OPAQUE", "OPS", "POLE", "RAW", "SMOOTH", "TRACED", "Linear", "Op",
    "Smoothness", "Spec", "op", "serves", "stands_for",
]  # fmt: skip

Fn = TypeVar("Fn", bound=Callable[..., Any])
P = ParamSpec("P")


class Op:
    """One operation.

    Attributes
    ----------
    name : str
        Its public name, as in `scg.name`.
    forward : callable
        `forward(*arrays, **statics) -> ndarray`.
    vjp : callable or None
        `vjp(F, g, [needs,] y, *inputs, **statics)`; returns one cotangent per tensor input (or a
        single one for a one-input op), None where there is none.
    shape : callable
        `shape(*input_shapes, **statics) -> Shape`; raises ShapeError.
    axes : callable
        The alignment rule, see `scg._axes`.
    smooth : Smoothness, tuple or callable
        Per input; a callable takes the statics.
    sign : int or callable
        Facts about the output (`POSITIVE`, `NONNEGATIVE`); a callable takes the inputs' facts.
    pole_safe : int, tuple or callable
        The facts that exclude the pole, of every input or of each; a callable takes the inputs'
        facts and tells for each whether it is safe.
    linear : Linear
        In which inputs it is linear.
    alias : bool
        The output may share memory with an input.
    reference : callable or None
        The NumPy or SciPy function (of arrays and statics) with the same value.
    samples : callable or None
        `samples(rng, dtype)` yields `(inputs, statics)` pairs for the tests.
    numpy : tuple
        The NumPy functions that this op serves on tensors.
    slope_between_jumps : bool
        A jump that nevertheless has a derivative almost everywhere which is not zero.
    fresh : bool
        Cotangents that its vjp returns on arrays are new ones, of which nobody holds a part: the
        gradient of a parameter need not be copied.
    max_order : int
        How often it can be differentiated; `UNLIMITED` unless its docstring says otherwise.
    custom : bool
        A user's: its forward pass is Python that may do anything besides.
    """

    __slots__ = (
        "_all_smooth", "_bends", "_has_needs", "_kept", "alias", "axes", "custom", "defaults",
        "doc", "forward", "fresh", "inputs", "linear", "max_order", "name", "numpy", "pole_safe",
        "public", "reference", "rules", "samples", "shape", "sign", "slope_between_jumps", "smooth",
        "static_names", "variadic", "vjp",
    )  # fmt: skip

    def __init__(self, name: str, forward: Callable[..., Any], **fields: Any) -> None:
        self.name = name
        self.forward = forward
        self.vjp: Callable[..., Any] | None = None
        self.rules: tuple[Any, ...] | None = None  # one per input, of an elementwise op
        self.shape = fields.pop("shape", None)
        self.axes = fields.pop("axes", _axes.mixed)
        self.smooth: _smoothness.SmoothRule = fields.pop("smooth")
        self.sign: _smoothness.SignRule = fields.pop("sign", 0)
        self.pole_safe: _smoothness.SafeRule = fields.pop("pole_safe", POSITIVE)
        self.linear: Linear = fields.pop("linear", Linear.NOT)
        self.alias: bool = fields.pop("alias", False)
        self.fresh: bool = fields.pop("fresh", False)
        self.reference = fields.pop("reference", None)
        self.samples = fields.pop("samples", None)
        self.numpy: tuple[Any, ...] = fields.pop("numpy", ())
        self.max_order: int = fields.pop("max_order", UNLIMITED)
        self.custom = False
        self.slope_between_jumps: bool = fields.pop("slope_between_jumps", False)
        self.doc = inspect.getdoc(forward) or ""
        if fields:
            raise TypeError(f"op '{name}': unknown fields {sorted(fields)}")
        self._read_signature(forward)
        self._kept: tuple[bool, ...] = (False, *[False] * len(self.inputs))
        self._has_needs = False
        self._all_smooth = isinstance(self.smooth, Smoothness) and self.smooth <= KINK
        self._bends = self.smooth is not SMOOTH
        self.public = self._make_public(forward)

    def _read_signature(self, forward: Callable[..., Any]) -> None:
        parameters = inspect.signature(forward).parameters.values()
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.inputs = tuple(
            p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)
        )
        statics = [p for p in parameters if p.name not in self.inputs]
        self.static_names = tuple(p.name for p in statics)
        self.defaults = {p.name: p.default for p in statics if p.default is not p.empty}

    def _make_public(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        def public(*args: Any, **kwargs: Any) -> Tensor:
            return self.apply(args, kwargs)

        public.__name__ = public.__qualname__ = self.name
        public.__doc__ = forward.__doc__
        public.__module__ = forward.__module__
        public.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
        public.op = self  # type: ignore[attr-defined]
        return public

    def set_vjp(self, rule: Callable[..., Any]) -> None:
        """Attach the vjp; its parameter names tell which residuals to keep.

        A name with a leading underscore gets a `Spec` instead of the array, so the array need not
        be kept alive until backward; the result, whose shape is that of `g`, gets None.
        """
        names = [
            p.name for p in inspect.signature(rule).parameters.values()
            if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)
        ]  # fmt: skip
        self._has_needs = len(names) > 2 and names[2] == "needs"
        residuals = names[3:] if self._has_needs else names[2:]
        self._kept = tuple(not name.startswith("_") for name in residuals)
        self.vjp = rule

    # --- forward ---------------------------------------------------------------------------

    def apply(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        """Run the op on tensors, arrays or numbers, and record it if a tensor asks for that."""
        tensors, statics = self._split(args, kwargs)
        arrays: list[Any] = []
        nodes: list[Node | None] = []
        for value in tensors:
            if value.__class__ is Tensor:
                arrays.append(value._data)
                nodes.append(value._node)
            else:
                arrays.append(None if value is None else as_array(value, self.name))
                nodes.append(None)
        try:
            y = self.forward(*arrays, **statics)
        except ScgError:
            raise
        except (ValueError, IndexError, TypeError, np.linalg.LinAlgError) as error:
            raise self._explain(error, arrays, statics) from error
        if y.__class__ is not np.ndarray:
            y = np.asarray(y)
        if ACTIVE:
            note(self, arrays, nodes, statics, y)
        return self.record(y, arrays, nodes, statics)

    def _split(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Separate tensor inputs from statics and fill in the defaults."""
        count = len(args) if self.variadic else len(self.inputs)
        if len(args) == count and not kwargs:
            return args, self.defaults
        if len(args) < count or len(args) - count > len(self.static_names):
            raise TypeError(
                f"scg.{self.name}{inspect.signature(self.public)} was called with "
                f"{len(args)} positional argument(s)"
            )
        statics = {**self.defaults, **kwargs}
        if len(args) > count:
            statics.update(zip(self.static_names, args[count:], strict=False))
        refuse_tracked_options(self.name, statics)
        return args[:count], statics

    def _explain(self, error: Exception, arrays: list[Any], statics: dict[str, Any]) -> Exception:
        return explained(self.name, self.shape, error, arrays, statics)

    def record(
        self, y: Any, arrays: Sequence[Any], nodes: Sequence[Node | None], statics: Any
    ) -> Tensor:
        """Wrap an output, with a node if anything upstream is tracked."""
        flags = stamp = 0
        for node in nodes:
            if node is not None:
                flags |= node.flags
                stamp += node.version
        if flags == PLAIN and self._all_smooth and self.vjp is not None and _grad_enabled.get():
            saved = self._residuals(y, arrays)
            return Tensor(y, Node(self, tuple(nodes), saved, statics, PLAIN, stamp, y.shape,
                                  y.dtype, sys._getframe(2)))  # fmt: skip
        flags &= INHERITED
        if not flags:
            return Tensor(y, None)
        if flags & OBSERVED and (kept := without_past(nodes)) is not nodes:
            return self.record(y, arrays, kept, statics)
        if self._bends and flags & NOISE and (watch := watcher.get()) is not None:
            watch.saw_op(self, y, arrays, statics)
        if not self._all_smooth or not _grad_enabled.get():
            flags = self._without_cut_paths(flags, nodes, statics)
            flags |= noise_from_reads(self, flags, nodes, statics)
        if flags & REQUIRES:
            if self.vjp is None:
                raise GradientError(
                    f"scg.{self.name} has no gradient; detach its input if that is intended"
                )
            parents, saved = tuple(nodes), self._residuals(y, arrays)
        else:
            parents, saved, stamp = (), (), 0
        frame = sys._getframe(2)
        if not flags & RANDOM:
            return Tensor(
                y, Node(self, parents, saved, statics, flags, stamp, y.shape, y.dtype, frame)
            )
        result = NoisyNode(
            self, parents, saved, statics, flags, stamp, y.shape, y.dtype, frame, nodes
        )
        note_noise(self, result, arrays, nodes, statics)
        return Tensor(y, result)

    def _residuals(self, y: Any, arrays: Sequence[Any]) -> tuple[Any, ...]:
        kept = self._kept
        if self.variadic:
            # The last mark is for all of `*xs`, those before it for the inputs named one by one.
            kept = (*kept[:-1], *kept[-1:] * (2 + len(arrays) - len(kept)))
        values = [y if kept[0] else None, *arrays]
        for number, keep in enumerate(kept):
            if not keep and number:
                values[number] = spec_of(values[number])
        return tuple(values)

    def smoothness(self, count: int, statics: Mapping[str, Any]) -> tuple[Smoothness, ...]:
        """Return the class of each of `count` inputs."""
        rule = self.smooth
        if isinstance(rule, Smoothness):
            return (rule,) * count
        return rule if isinstance(rule, tuple) else rule(count, **statics)

    def _without_cut_paths(self, flags: int, nodes: Sequence[Node | None], statics: Any) -> int:
        """Drop REQUIRES unless some input passes a cotangent on."""
        if not _grad_enabled.get() or self.name == "detach":
            return stopped(flags)
        classes = self.smoothness(len(nodes), statics)
        for node, smooth in zip(nodes, classes, strict=True):
            if node is not None and node.flags & REQUIRES and self._passes(smooth):
                return flags
        if flags & REQUIRES and not flags & RANDOM and OPAQUE in classes:
            raise GradientError(  # with draws upstream the routes decide
                f"scg.{self.name} has no vjp, so the gradient of its input would be lost; give it "
                'one, scg.op(vjp=...), or smooth="jump" if it is constant between jumps, or pass '
                "x.detach() if no gradient should flow"
            )
        return flags & ~REQUIRES

    def _passes(self, smooth: Smoothness) -> bool:
        """Tell whether a cotangent gets through.

        Through a jump only where it has a slope of its own on both sides, as the remainder has;
        through an opaque step only if a user's op brought its own vjp.
        """
        if smooth is JUMP:
            return self.slope_between_jumps
        return smooth < JUMP or self.vjp is not None

    # --- backward --------------------------------------------------------------------------

    def raw_vjp(self, node: Node, g: Any, needs: Sequence[Any]) -> Sequence[Any]:
        """Pull a cotangent array back."""
        return self._call(RAW, g, needs, node.saved, node.statics)

    def traced_vjp(self, node: Node, g: Tensor, needs: Sequence[Any]) -> tuple[Any, ...]:
        """Pull a cotangent Tensor back, recording the vjp itself."""
        if self.max_order < 2:
            raise GradientError(
                f"scg.{self.name} ({node.place}) can be differentiated once only, and a second "
                "derivative was asked for"
            )
        assert node.saved is not None
        y, *inputs = node.saved
        wrapped = [
            retrack(value, parent) for value, parent in zip(inputs, node.parents, strict=True)
        ]
        saved = (retrack(y, node), *wrapped)
        return self._call(TRACED, g, needs, saved, node.statics)

    def _call(self, F: Any, g: Any, needs: Any, saved: Any, statics: Any) -> tuple[Any, ...]:
        assert self.vjp is not None
        if self._has_needs:
            result = self.vjp(F, g, needs, *saved, **statics)
        else:
            result = self.vjp(F, g, *saved, **statics)
        return result if type(result) is tuple else (result,)


UNLIMITED = 99


# --- registry --------------------------------------------------------------------------------


def register(record: Op) -> Op:
    """Add a record; a name can be taken once."""
    if record.name in OPS:
        raise ValueError(f"op '{record.name}' is registered twice")
    OPS[record.name] = record
    Tensor._functions.update(dict.fromkeys(record.numpy, record.public))
    return record


def serves(*functions: Any) -> Callable[[Fn], Fn]:
    """Let NumPy functions called on a tensor run the decorated public function instead."""

    def attach(public: Fn) -> Fn:
        Tensor._functions.update(dict.fromkeys(functions, public))
        return public

    return attach


class PublicOp(Protocol[P]):
    """A public, differentiable function, to which `@f.vjp` attaches its vjp."""

    op: Op

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        """Apply the op."""

    def vjp(self, rule: Fn) -> Fn:
        """Attach the vjp."""


def stands_for(public_of_op: Callable[..., Any]) -> Callable[[Fn], Fn]:
    """Let the decorated function, which may choose another op, be the public face of an op."""

    def attach(public: Fn) -> Fn:
        record = public_of_op.op  # type: ignore[attr-defined]
        record.public = public
        public.op = record  # type: ignore[attr-defined]
        return serves(*record.numpy)(public)

    return attach


def op(*, name: str | None = None, **fields: Any) -> Callable[[Callable[P, Any]], PublicOp[P]]:
    """Declare an op of the library from its forward pass on arrays.

    Positional-only parameters (before `/`, or `*xs`) are tensor inputs; the others are statics.
    The decorated name becomes the public, differentiable function; `@f.vjp` attaches the vjp.
    """

    def decorate(forward: Callable[P, Any]) -> PublicOp[P]:
        record = register(Op(name or forward.__name__, forward, **fields))
        public: Any = record.public

        def attach(rule: Fn) -> Fn:
            record.set_vjp(rule)
            return rule

        public.vjp = attach
        return cast(PublicOp[P], public)

    return decorate

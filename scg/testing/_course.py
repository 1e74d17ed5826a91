"""The discrete course of one run: on which side of every jump and kink its values fell.

Between two inputs with the same course a program is smooth; where the course changes, a quadrature
must be split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from scg._op import JUMP, KINK, POLE, Op
from scg._typing import Array
from scg._watch import watcher

__all__ = ["Course", "Entry"]

_WHOLE = {
    "int": np.trunc, "index": np.trunc, "trunc": np.trunc, "round": np.rint, "floor": np.floor,
    "ceil": np.ceil,
}  # fmt: skip
_COMPARISONS = frozenset({"greater", "greater_equal", "less", "less_equal"})


class Entry(NamedTuple):
    """One jump, kink, pole or raw read.

    Attributes
    ----------
    side : bytes
        On which side the values fell.
    margin : float
        Of a comparison of two numbers their difference, which tells how far off the place is where
        the side changes; else NaN.
    depth : int
        It depends on that many of the run's draws at most.
    """

    side: bytes
    margin: float
    depth: int


class Course:
    """What a watched run passes.

    Attributes
    ----------
    entries : list of Entry
        One per jump, kink, pole or raw read.
    depth : int
        How many draws the run has made so far.
    """

    __slots__ = ("_kinds", "depth", "entries")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.depth = 0
        self._kinds: dict[Op, str] = {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch what runs inside the `with` block."""
        token = watcher.set(self)
        try:
            yield
        finally:
            watcher.reset(token)

    def begin(self) -> None:
        """Forget the last run."""
        self.entries, self.depth = [], 0

    def note(self, side: bytes, margin: float = np.nan) -> None:
        """Add an entry."""
        self.entries.append(Entry(side, margin, self.depth))

    def saw_read(self, kind: str, value: Array) -> None:
        """Note the whole number that Python got."""
        if kind in _WHOLE and value.dtype.kind == "f":
            self.note((_WHOLE[kind](value) + 0.0).tobytes())

    def saw_op(self, op: Op, y: Array, arrays: Sequence[Any], statics: Mapping[str, Any]) -> None:
        """Note what is discrete about an op's output or its slope."""
        if y.dtype.kind in "biu":
            self.note(y.tobytes(), _margin(op, y, arrays))
            return
        kind = self._kind(op, len(arrays), statics)
        if kind == "value":
            self.note((y + 0.0).tobytes())  # -0.0 is 0.0
        elif kind == "slope":
            self.note(_slope(op, y, arrays, statics), _margin(op, y, arrays))
        elif kind == "choice":
            for array in arrays:
                if _kind_of(array) in "biu":
                    self.note(np.asarray(array).tobytes())
        elif kind == "pole":
            self._note_pole(op, y, arrays, statics)

    def _note_pole(
        self, op: Op, y: Array, arrays: Sequence[Any], statics: Mapping[str, Any]
    ) -> None:
        """Note the signs of what is divided by; of a pole elsewhere than at 0, of the output.

        They change at the cut of arctan2 and at the poles of tan and of an inverse as well.
        """
        if op.pole_safe == 0:
            self.note(np.signbit(y).tobytes())
            return
        classes = op.smoothness(len(arrays), statics)
        for array, smooth in zip(arrays, classes, strict=True):
            if smooth is POLE and _kind_of(array) == "f":
                self.note(np.signbit(array).tobytes(), _number(array))

    def _kind(self, op: Op, count: int, statics: Mapping[str, Any]) -> str:
        """Tell what shows the side: the output, the slope, the inputs that choose, or nothing."""
        known = self._kinds.get(op)
        if known is None:
            known = _classified(op, count, statics)
            if not callable(op.smooth):
                self._kinds[op] = known
        return known


def _classified(op: Op, count: int, statics: Mapping[str, Any]) -> str:
    classes = op.smoothness(count, statics)
    if op.slope_between_jumps or (KINK in classes and JUMP not in classes):
        return "slope" if op.vjp is not None else ""
    if classes and all(c is JUMP for c in classes):
        return "value"
    if JUMP in classes or KINK in classes:
        return "choice"
    return "pole" if POLE in classes else ""


def _slope(op: Op, y: Array, arrays: Sequence[Any], statics: Mapping[str, Any]) -> bytes:
    """Return the piece of a kinked op that its inputs lie in, read off its own derivative.

    With whole cotangents, all different, what selects, sorts, clips or reflects returns whole
    numbers that show how; of any other slope half the sign, which is no whole number, is enough.
    """
    given = SimpleNamespace(saved=op._residuals(y, arrays), statics=statics)
    needs = [_kind_of(a) == "f" for a in arrays]
    g = np.arange(1.0, y.size + 1, dtype=y.dtype).reshape(y.shape)
    with np.errstate(all="ignore"):
        slopes = op.raw_vjp(given, g, needs)  # type: ignore[arg-type]
    known = [np.asarray(s) for s, need in zip(slopes, needs, strict=True) if need and s is not None]
    return b"".join((np.where(s == np.rint(s), s, 0.5 * np.sign(s)) + 0.0).tobytes() for s in known)


def _kind_of(value: Any) -> str:
    return "-" if value is None else np.asarray(value).dtype.kind


def _margin(op: Op, y: Array, arrays: Sequence[Any]) -> float:
    """Return how far a scalar comparison or kink is from changing its side; NaN if unknown."""
    if y.size != 1:
        return np.nan
    if len(arrays) == 2 and (op.name in _COMPARISONS or y.dtype.kind == "f"):
        return _number(np.subtract(*arrays))
    return _number(arrays[0]) if len(arrays) == 1 else np.nan


def _number(array: Any) -> float:
    """Return the one element of an array; NaN of more."""
    return float(np.reshape(array, ())) if np.size(array) == 1 else np.nan

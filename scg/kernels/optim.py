"""Optimiser updates, one pass over memory for all parameters: they and the state change in place.

A rule is a scalar function. From it come two tasks, for float32 and float64, each of which updates
any number of parameters in units of equal size. The scalars of an update (bias corrections, one
minus a decay) are worked out in double and only then rounded to the dtype of the arrays, so that
float32 loops stay float32 and the corrections of the first steps lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from scg._typing import Array, DType
from scg.errors import DTypeError, ShapeError
from scg.kernels._dtypes import FLOAT32, FLOAT64, float32_twin
from scg.kernels._jit import CAN_COMPILE, device, threads
from scg.kernels._once import once
from scg.kernels._update_rules import (
    Scalars,
    adagrad,
    adagrad_scalars,
    adam,
    adam_scalars,
    momentum,
    momentum_scalars,
    rmsprop,
    rmsprop_scalars,
    sgd,
    sgd_scalars,
)
from scg.kernels.execute import PIECES, Line, Schedule, place
from scg.kernels.machine import Task, task
from scg.kernels.simd_memory import load_f64, load_i64, read_f64, store_f64
from scg.kernels.simd_mode import flush_subnormal, restore_mode

__all__ = ["ADAGRAD", "ADAM", "MOMENTUM", "RMSPROP", "SGD", "Rule", "Scalars", "Updates"]

# Elements of a unit.
UNIT = 1024
# From about here (measured: Adam and SGD, both dtypes, two threads) threads pay for their start.
PARALLEL = 1 << 17
# Scalars of an update, at most.
SCALARS = 9
# The least numbers of full precision.
TINY_F32, TINY_F64 = float(np.finfo(np.float32).tiny), float(np.finfo(np.float64).tiny)

# --- the tasks -------------------------------------------------------------------------------

# A row is the number of parameters, then for each: its first unit, its size, and the addresses of
# its scalars, of itself, of its gradient and of its state.
START, SIZE, NUMBERS, VALUE, GRADIENT, STATE, MORE = range(7)
ENTRY = 7


@device
def _part(begin: Any, end: Any, row: Any, i: Any) -> Any:
    """Return parameter i's entry, and which of its elements lie in the units."""
    entry = row + 8 * (1 + ENTRY * i)
    start, size = load_i64(entry, START), load_i64(entry, SIZE)
    return entry, max(begin - start, 0) * UNIT, min((end - start) * UNIT, size)


def _scalars_f64(entry: Any) -> Any:
    s = load_i64(entry, NUMBERS)
    return (
        load_f64(s, 0), load_f64(s, 1), load_f64(s, 2), load_f64(s, 3), load_f64(s, 4),
        load_f64(s, 5), load_f64(s, 6), load_f64(s, 7), load_f64(s, 8),
    )  # fmt: skip


def _normal_f64(x: Any) -> Any:
    """Return a state, or 0 for a subnormal one.

    What decays because its unit of the network is dead would stay subnormal for ever (0.9 times the
    least number is rounded to the least number), where the processor has no mode against that.
    """
    return x if not -TINY_F64 < x < TINY_F64 else 0.0


_scalars_f32, _scalars_f64 = device(float32_twin(_scalars_f64)), device(_scalars_f64)
_normal_f32, _normal_f64 = device(float32_twin(_normal_f64)), device(_normal_f64)


def _none_f64(begin: Any, end: Any, row: Any, rule: Any) -> None:
    """Apply a rule without state."""
    for part in range(load_i64(row, 0)):
        entry, first, last = _part(begin, end, row, part)
        x, g, s = load_i64(entry, VALUE), load_i64(entry, GRADIENT), _scalars_f64(entry)
        for i in range(first, last):
            store_f64(x, i, rule(load_f64(x, i), read_f64(g, i), s))


def _one_f64(begin: Any, end: Any, row: Any, rule: Any) -> None:
    """Apply a rule with one state array."""
    for part in range(load_i64(row, 0)):
        entry, first, last = _part(begin, end, row, part)
        x, g, s = load_i64(entry, VALUE), load_i64(entry, GRADIENT), _scalars_f64(entry)
        v = load_i64(entry, STATE)
        for i in range(first, last):
            new, state = rule(load_f64(x, i), read_f64(g, i), load_f64(v, i), s)
            store_f64(x, i, new)
            store_f64(v, i, _normal_f64(state))


def _two_f64(begin: Any, end: Any, row: Any, rule: Any) -> None:
    """Apply a rule with two state arrays."""
    for part in range(load_i64(row, 0)):
        entry, first, last = _part(begin, end, row, part)
        x, g, s = load_i64(entry, VALUE), load_i64(entry, GRADIENT), _scalars_f64(entry)
        m, v = load_i64(entry, STATE), load_i64(entry, MORE)
        for i in range(first, last):
            old = load_f64(x, i)
            new, first_state, second_state = rule(
                old, read_f64(g, i), load_f64(m, i), load_f64(v, i), s
            )
            store_f64(x, i, new)
            store_f64(m, i, _normal_f64(first_state))
            store_f64(v, i, _normal_f64(second_state))


_none_f32, _none_f64 = device(float32_twin(_none_f64)), device(_none_f64)
_one_f32, _one_f64 = device(float32_twin(_one_f64)), device(_one_f64)
_two_f32, _two_f64 = device(float32_twin(_two_f64)), device(_two_f64)


@device
def _flushing(body: Any, begin: Any, end: Any, row: Any, rule: Any) -> None:
    """Update with subnormal numbers as 0: the square of a gradient of 1e-20 is one in float32."""
    mode = flush_subnormal()
    body(begin, end, row, rule)
    restore_mode(mode)


def _sgd_task_f64(begin: int, end: int, row: int) -> None:
    _flushing(_none_f64, begin, end, row, sgd)


def _momentum_task_f64(begin: int, end: int, row: int) -> None:
    _flushing(_one_f64, begin, end, row, momentum)


def _rmsprop_task_f64(begin: int, end: int, row: int) -> None:
    _flushing(_one_f64, begin, end, row, rmsprop)


def _adagrad_task_f64(begin: int, end: int, row: int) -> None:
    _flushing(_one_f64, begin, end, row, adagrad)


def _adam_task_f64(begin: int, end: int, row: int) -> None:
    _flushing(_two_f64, begin, end, row, adam)


class Rule(NamedTuple):
    """An update rule.

    Parameters
    ----------
    name : str
        For errors.
    function : callable
        New values from the old ones, the gradient and the scalars; also works on whole arrays.
    scalars : callable
        The scalars of an update, from its options.
    tasks : dict of dtype to Task
        Its two builds.
    """

    name: str
    function: Callable[..., Any]
    scalars: Callable[..., Scalars]
    tasks: dict[DType, Task]


def _rule(function: Any, scalars: Callable[..., Scalars], body: Callable[..., None]) -> Rule:
    tasks: dict[DType, Task] = {FLOAT32: task(float32_twin(body)), FLOAT64: task(body)}
    return Rule(function.__name__, function, scalars, tasks)


SGD = _rule(sgd, sgd_scalars, _sgd_task_f64)
MOMENTUM = _rule(momentum, momentum_scalars, _momentum_task_f64)
RMSPROP = _rule(rmsprop, rmsprop_scalars, _rmsprop_task_f64)
ADAGRAD = _rule(adagrad, adagrad_scalars, _adagrad_task_f64)
ADAM = _rule(adam, adam_scalars, _adam_task_f64)


# --- updates of arrays -----------------------------------------------------------------------


class Updates:
    """One pass over many parameters, made ready to be run again and again.

    Parameters
    ----------
    rule : Rule
        What is done.
    parameters : sequence of sequence of ndarray
        For each: itself, its gradient and the state arrays of the rule, of one shape and dtype.

    Attributes
    ----------
    lines : list of Line
        A line for each dtype among them, for a schedule of one's own; `run` has its own.

    Raises
    ------
    ShapeError, DTypeError
        If arrays differ in shape or dtype, or cannot be changed in place.

    Examples
    --------
    >>> p, g = np.array([1.0, 2.0]), np.array([4.0, -4.0])
    >>> updates = Updates(SGD, [(p, g)])
    >>> updates.set([SGD.scalars(lr=0.25)])
    >>> updates.run()
    >>> p
    array([0., 3.])
    """

    def __init__(self, rule: Rule, parameters: Sequence[Sequence[Array]]) -> None:
        for arrays in parameters:
            _check(rule.name, arrays)
        self._rule, self._arrays = rule, [_contiguous(arrays) for arrays in parameters]
        groups = {
            dtype: [i for i, arrays in enumerate(parameters) if arrays[0].dtype == dtype]
            for dtype in (FLOAT32, FLOAT64)
        }
        self._groups = {dtype: members for dtype, members in groups.items() if members}
        self._scalars = {
            dtype: np.zeros((len(members), SCALARS), dtype)
            for dtype, members in self._groups.items()
        }
        self.lines = [self._line(dtype) for dtype in self._groups] if CAN_COMPILE else []
        self._own: Schedule | None = None
        self._given: list[Scalars] = []

    @property
    def _schedule(self) -> Schedule:
        if self._own is None:  # which compiles the tasks, unless somebody has them already
            self._own = Schedule(self.lines)
        return self._own

    def _line(self, dtype: DType) -> Line:
        members, scalars, unit = self._groups[dtype], self._scalars[dtype], 0
        row = [len(members)]
        for i, numbers in zip(members, scalars, strict=True):
            places = [place(array) for array in self._arrays[i]]
            size = self._arrays[i][0].size
            row += [unit, size, place(numbers), *places, *[0] * (ENTRY - 3 - len(places))]
            unit += -(-size // UNIT)
        small = unit * UNIT < PARALLEL
        grain = unit if small else -(-unit // (PIECES * threads()))
        return Line(self._rule.tasks[dtype], row, unit, max(grain, 1))

    def set(self, scalars: Sequence[Scalars]) -> None:
        """Set the scalars of the next run, one tuple for each parameter."""
        if scalars == self._given:  # as from step to step, without a schedule or a bias
            return
        self._given = list(scalars)
        width = len(scalars[0]) if scalars else 0
        same = scalars.count(scalars[0]) == len(scalars) if scalars else True
        for dtype, members in self._groups.items():
            numbers = scalars[0] if same else [scalars[i] for i in members]
            self._scalars[dtype][:, :width] = numbers

    def run(self, gradients: Sequence[Array] | None = None) -> None:
        """Update all parameters, by other gradients than the first ones if they are given."""
        by_numpy = once() or not CAN_COMPILE
        if gradients is not None:
            self._take(gradients, None if by_numpy else self._schedule.rows)
        if by_numpy:
            self._by_numpy()
        else:
            self._schedule.run()

    def _take(self, gradients: Sequence[Array], rows: Array | None) -> None:
        """Take over gradients, and write their addresses down where they are to be found."""
        for arrays, g, where in zip(self._arrays, gradients, self._places, strict=True):
            p = arrays[0]
            if g.shape != p.shape or g.dtype is not p.dtype:
                _check(self._rule.name, (p, g))
            arrays[1] = g = g if g.flags.c_contiguous else np.ascontiguousarray(g)
            if rows is not None:
                rows[where] = place(g)

    @cached_property
    def _places(self) -> list[int]:
        """Where in the rows of the schedule the address of each gradient stands."""
        found, start = [0] * len(self._arrays), 1
        for members in self._groups.values():
            for k, i in enumerate(members):
                found[i] = start + ENTRY * k + GRADIENT
            start += 1 + ENTRY * len(members)
        return found

    def _by_numpy(self) -> None:
        for dtype, members in self._groups.items():
            for i, numbers in zip(members, self._scalars[dtype], strict=True):
                p, g, *state = self._arrays[i]
                new = _plain(self._rule.function)(p, g, *state, tuple(numbers))
                p[...], *values = new if state else (new,)
                for array, value in zip(state, values, strict=True):
                    array[...] = np.where(np.abs(value) < np.finfo(dtype).tiny, 0, value)


@cache
def _plain(function: Any) -> Callable[..., Any]:
    """Return a device function that calls plain functions: on arrays it need not be compiled."""
    plain = getattr(function, "py_func", function)
    names = {
        name: _plain(value) if hasattr(value, "py_func") else value
        for name, value in plain.__globals__.items() if name in plain.__code__.co_names
    }  # fmt: skip
    return FunctionType(plain.__code__, names, plain.__name__)


def _check(name: str, arrays: Sequence[Array]) -> None:
    p = arrays[0]
    if p.dtype not in (FLOAT32, FLOAT64):
        raise DTypeError(f"{name}: the parameters are {p.dtype}; make them float32 or float64")
    for array in arrays[1:]:
        if array.shape != p.shape:
            raise ShapeError(
                f"{name}: the parameters have shape {p.shape}, their gradient or state"
                f" {array.shape}; make the shapes equal"
            )
        if array.dtype != p.dtype:
            raise DTypeError(
                f"{name}: the parameters are {p.dtype}, their gradient or state {array.dtype};"
                f" convert it to {p.dtype}"
            )
    for array in (p, *arrays[2:]):
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise ShapeError(
                f"{name}: an array of shape {array.shape} is strided or read-only and cannot be"
                " updated in place; pass a contiguous, writeable one"
            )


def _contiguous(arrays: Sequence[Array]) -> list[Array]:
    p, g, *state = arrays
    return [p, np.ascontiguousarray(g), *state]

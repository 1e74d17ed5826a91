"""`scg.jit`: a function of arrays that is traced once for each signature and then replayed."""

from __future__ import annotations

import functools
import inspect
import itertools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock, RLock
from types import MethodType
from typing import Any, TypeVar, overload

import numpy as np

from scg._apart import is_clean
from scg._compile._compare import difference
from scg._compile._interpreter import interpreter
from scg._compile._outside import as_seen, observed
from scg._compile._plan import Plan, traced
from scg._compile._program import Program
from scg._compile._recent import Recent
from scg._compile._trees import Leaves, Spec, Static, changes, mapped, spec_of, static_spec
from scg._compile._words import refused_change
from scg._recording import ACTIVE, recorder
from scg._surrogate.tags import is_strict
from scg._typing import Array
from scg._watch import watcher
from scg.errors import OptionError, RetraceWarning
from scg.noise import in_use
from scg.tape import grad_enabled

__all__ = ["TRACED_CALLS", "Compiled", "jit"]

Fn = TypeVar("Fn", bound=Callable[..., Any])

NOTHING = Leaves()
TRACED_CALLS = 2  # of a checked function: the second confirms the first, the third runs compiled
PLANS = 64  # kept for each function; the one that was not used for longest goes first


class Compiled:
    """A function that is compiled for each signature it is called with; see `scg.jit`."""

    def __init__(
        self, function: Callable[..., Any], static: Iterable[str], donated: Iterable[str],
        executor: Callable[..., Any], *, check: bool = True,
    ) -> None:  # fmt: skip
        functools.update_wrapper(self, function)
        self._function = function
        self._names = _names(function)
        self._static = _checked(function, "static_argnames", static)
        self._donated = _checked(function, "donate_argnames", donated)
        self._executor, self._check = executor, check
        self._entries: OrderedDict[Spec, _Entry] = OrderedDict()
        self._recent: Recent | None = None
        self._lock = Lock()
        self._warned = False

    def __repr__(self) -> str:
        return f"<scg.jit of {getattr(self._function, '__qualname__', self._function)!s}>"

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else MethodType(self, owner)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function: traced the first time, compiled afterwards."""
        if (ACTIVE and recorder() is not None) or in_use() or watcher.get() is not None:
            return self._function(*args, **kwargs)
        recent = self._recent
        if recent is not None and not kwargs:
            arrays = recent.arrays_of(args)
            if arrays is not None and is_clean():
                return self._locked(recent.entry, arrays, NOTHING, args, kwargs)
        leaves = Leaves()
        spec = self._spec(args, kwargs, leaves)
        if leaves.tracked or not is_clean():
            return self._function(*args, **kwargs)
        entry = self._entry(spec)
        if leaves.parameters and grad_enabled() and entry.outside:
            seen, named = mapped(self._held(args, kwargs), as_seen)
            result, entry.outside = observed(
                lambda: self._function(*seen, **named), leaves.parameters
            )
            return result
        if not kwargs and not self._donated:
            self._recent = Recent.of(entry, spec, args)
        return self._locked(entry, [_plain(a) for a in leaves.arrays], leaves, args, kwargs)

    def _locked(
        self, entry: _Entry, arrays: Sequence[Array], leaves: Leaves, args: Any, kwargs: Any
    ) -> Any:
        with entry.lock:
            if entry.running:  # called by itself, from Python that the program calls
                return self._function(*args, **kwargs)
            entry.running = True
            try:
                return self._run(entry, arrays, leaves, args, kwargs)
            finally:
                entry.running = False

    def _run(
        self, entry: _Entry, arrays: Sequence[Array], leaves: Leaves, args: Any, kwargs: Any
    ) -> Any:
        plan = entry.fitting()
        if plan is not None and (plan.traced is None or not self._check):
            return plan(arrays, leaves.generators, leaves.donated, self._executor)
        result, again = traced(self._function, *self._held(args, kwargs), leaves.generators)
        if plan is None:
            entry.plans.append(again)
        else:
            self._confirm(plan, again)
        return result

    def _confirm(self, plan: Plan, again: Plan) -> None:
        """Refuse a function that is another program at its second call."""
        assert plan.traced is not None
        assert again.traced is not None
        what = difference(plan.traced, again.traced)
        if what is None and plan.form != again.form:
            what = f"a result changes {'; '.join(changes(plan.form, again.form, 'result'))}"
        if what is not None:
            raise refused_change(repr(self), what)
        plan.traced = None

    def _spec(self, args: Sequence[Any], kwargs: dict[str, Any], leaves: Leaves) -> Spec:
        """Return the signature of a call; its leaves are numbered as they come, as in `traced`."""
        specs = []
        for name, value in (*self._named(args), *kwargs.items()):
            before = len(leaves.arrays)
            static = name in self._static
            spec = static_spec(value, name) if static else spec_of(value, leaves, name)
            specs.append((name, spec))
            if name in self._donated:
                leaves.donated.extend(leaves.given[before:])
        _require_apart(leaves.donated)
        return ("tree", "call", tuple(specs), grad_enabled(), is_strict())

    def _named(self, args: Sequence[Any]) -> list[tuple[str, Any]]:
        """Return the positional arguments with their names."""
        extra = [f"argument {n}" for n in range(len(args) - len(self._names))]
        return list(zip([*self._names, *extra], args, strict=False))

    def _held(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[list[Any], Any]:
        """Return the arguments with the static ones shut: nothing in them is traced."""
        static = self._static
        positional = [Static(a) if name in static else a for name, a in self._named(args)]
        return positional, {k: Static(a) if k in static else a for k, a in kwargs.items()}

    def _entry(self, spec: Spec) -> _Entry:
        with self._lock:
            entry = self._entries.get(spec)
            if entry is not None:
                self._entries.move_to_end(spec)
                return entry
            if self._entries and not self._warned:
                self._warn(next(reversed(self._entries)), spec)
            entry = self._entries[spec] = _Entry()
            if len(self._entries) > PLANS:
                self._entries.popitem(last=False)
            return entry

    def _warn(self, old: Spec, new: Spec) -> None:
        changed = "; ".join(changes(old, new))
        if not changed:
            return
        self._warned = True
        warnings.warn(
            f"{self!r} is traced and compiled again, because a call changed {changed}. Each "
            "signature is compiled once; keep shapes equal (drop or pad the last batch), and pass "
            "numbers that change as arrays, np.float32(x). This is said once for each function",
            RetraceWarning,
            stacklevel=4,
        )


class _Entry:
    """The plans of one signature, and who may run them: one thread at a time."""

    __slots__ = ("lock", "outside", "plans", "running")

    def __init__(self) -> None:
        self.lock = RLock()
        self.outside = True  # the caller takes gradients of parameters, until a call tells
        self.running = False
        self.plans: list[Plan] = []

    def fitting(self) -> Plan | None:
        """Return the plan for the gradients that parameters hold now."""
        for plan in self.plans:
            if plan.fits():
                return plan
        return None


def _plain(array: Array) -> Array:
    """Return an array in row-major order."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.array(array, order="C")


def _require_apart(donated: Sequence[Array]) -> None:
    """Refuse donated arrays that share memory: two results would be written to it."""
    for a, b in itertools.combinations(donated, 2):
        if np.shares_memory(a, b):
            raise OptionError(
                f"scg.jit: donate_argnames: two donated arrays, {a.shape} and {b.shape}, share "
                "memory, to which two results would be written; pass a copy of one of them"
            )


def _names(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in _parameters(function) if p.kind in kinds]


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a function; none, if it does not tell."""
    try:
        return list(inspect.signature(function).parameters.values())
    except ValueError:
        return []


def _checked(function: Callable[..., Any], option: str, given: Iterable[str]) -> frozenset[str]:
    names = frozenset([given] if isinstance(given, str) else given)
    parameters = _parameters(function)
    takes = [p.name for p in parameters]
    unknown = sorted(names - set(takes))
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise OptionError(
            f"scg.jit: {option} names {', '.join(unknown)}, which the function does not take; it "
            f"takes {', '.join(takes) or 'nothing'}"
        )
    return names


@overload
def jit(
    fn: Fn, *, static_argnames: Iterable[str] = (), donate_argnames: Iterable[str] = (),
    check: bool = True, debug: bool = False,
) -> Fn: ...  # fmt: skip


@overload
def jit(
    fn: None = None, *, static_argnames: Iterable[str] = (), donate_argnames: Iterable[str] = (),
    check: bool = True, debug: bool = False,
) -> Callable[[Fn], Fn]: ...  # fmt: skip


def jit(
    fn: Any = None, *, static_argnames: Iterable[str] = (), donate_argnames: Iterable[str] = (),
    check: bool = True, debug: bool = False,
) -> Any:  # fmt: skip
    """Compile a function of arrays: forward, backward and the optimiser's step in one plan.

    The function is traced: it runs as always, while what it computes is written down. It is traced
    at its first two calls with a signature, which have to be the same program; from then on calls
    run compiled. Results, gradients and updates are those of eager mode up to rounding; the noise
    is the same to the bit.

    Parameters
    ----------
    fn : callable
        Of arrays, tensors, parameters, modules, generators, and trees of them (dict, list, tuple,
        dataclass). Inside, arrays are tensors. What is neither is part of the signature: numbers,
        texts, whatever is hashable. It returns such a tree.
    static_argnames : str or iterable of str
        Arguments that are part of the signature as a whole, compared by equality.
    donate_argnames : str or iterable of str
        Arguments whose arrays the function may overwrite: results of the same shape and dtype are
        written there.
    check : bool
        Whether the first two calls are compared. Otherwise the second one runs compiled.
    debug : bool
        Run the ops one by one, in Python, instead of native code.

    Returns
    -------
    callable
        Called as `fn`, or a decorator if `fn` is left out.

    Raises
    ------
    TraceError
        At a call, if the function reads a value that only the running step knows (`if x > 0`,
        `float(x)`, `x.numpy()`), calls the outside world, or changes from call to call.
    OptionError
        If a name is not that of an argument, an argument is neither array nor hashable, or donated
        arrays share memory.

    Warns
    -----
    RetraceWarning
        Once for each function, when another signature is compiled; it names what changed.

    Notes
    -----
    Unbiased as in eager mode: the same estimators, chosen when the function is traced. What it
    returns has no graph, as if `scg.detach` had returned it. Called with tensors that are part of a
    graph or with parameters whose gradient it leaves to the caller, after a raw read that waits for
    its backward, inside another compiled function or in an exact expectation, it runs as it is. See
    "Compiled functions" in the documentation.

    Examples
    --------
    >>> import numpy as np, scg
    >>> w = scg.parameter([1.0, 2.0])
    >>> optimizer = scg.optim.SGD([w], lr=0.25)
    >>> @scg.jit
    ... def step(x):
    ...     loss = ((w - x) ** 2).sum()
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [step(np.zeros(2)) for _ in range(3)]
    [Tensor(5.), Tensor(1.25), Tensor(0.3125)]
    """
    if fn is None:
        return functools.partial(
            jit, static_argnames=static_argnames, donate_argnames=donate_argnames, check=check,
            debug=debug,
        )  # fmt: skip
    executor = interpreter if debug else _native
    return Compiled(fn, static_argnames, donate_argnames, executor, check=check)


def _native(program: Program) -> Callable[[Sequence[Array]], list[Array]]:
    """Return a program as native code; imported when the first one is compiled."""
    from scg._compile._native import native

    return native(program)

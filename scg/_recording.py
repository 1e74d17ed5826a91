"""Whether what is computed here is being recorded, for a step that will be compiled.

While no step is traced `ACTIVE` is empty, and each place that could record costs one truth test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from scg._typing import Array

if TYPE_CHECKING:
    from scg._op import Op
    from scg.tape import Leaf, Node

__all__ = [
    "ACTIVE",
    "Recorder",
    "keeps_state",
    "note",
    "paused",
    "reads",
    "recorder",
    "recording_to",
]


class Recorder(Protocol):
    """Who writes down what is computed, array by array; an array is known by its identity."""

    def op(
        self, op: Op, arrays: Sequence[Any], nodes: Sequence[Node | None],
        statics: Mapping[str, Any], y: Array,
    ) -> None:  # fmt: skip
        """Write down an op."""

    def host(
        self, name: str, call: Callable[..., tuple[Array, ...]], inputs: Sequence[Array],
        outputs: Sequence[Array], *, rng: Any = None,
    ) -> None:  # fmt: skip
        """Write down Python that has to run each time; `rng` is the generator it asked, if any."""

    def noise(self, kind: str, generator: Callable[[], Any], rng: Any, y: Array) -> None:
        """Write down noise: who returns the generator to ask, and the one that was asked here."""

    def generator(self, rng: Any) -> Callable[[], Any]:
        """Return how another call finds the generator it has to ask; None is the default one."""

    def read(self, data: Any, kind: str) -> None:
        """Refuse a raw read of what another call would not find the same."""

    def copied(self, array: Array) -> Array:
        """Return a copy that is known to be the same value."""

    def sees_gradient(self, leaf: Leaf) -> None:
        """Note that what follows depends on the gradient that a parameter has."""

    def gradient(self, leaf: Leaf) -> Any:
        """Return the gradient that a parameter has, as a tensor, or None."""

    def writes_gradient(self, leaf: Leaf) -> None:
        """Note that the gradient of a parameter is about to be replaced."""

    def update(self, optimizer: Any, gradients: Mapping[str, Array]) -> None:
        """Write down the step of an optimiser, which is about to use gradients by name."""

    def clears(self, leaf: Leaf) -> None:
        """Write down that a gradient is about to be cleared, which may end the run."""

    def relies(self, value: Any) -> None:
        """Note that a pole in a noisy value may have been excluded by the signs behind it."""

    def refuse(self, what: str) -> None:
        """Raise, for something that cannot be repeated."""


ACTIVE: list[Recorder] = []
_here: ContextVar[Recorder | None] = ContextVar("scg_recorder", default=None)


def recorder() -> Recorder | None:
    """Return who records in this thread; None in eager mode."""
    return _here.get() if ACTIVE else None


def note(
    op: Op, arrays: Sequence[Any], nodes: Sequence[Node | None], statics: Mapping[str, Any],
    y: Array,
) -> None:  # fmt: skip
    """Write down an op, if this thread is the one that is recorded."""
    here = _here.get()
    if here is not None:
        here.op(op, arrays, nodes, statics, y)


def reads(data: Any, kind: str) -> None:
    """Let the recorder of this thread, if there is one, refuse a raw read."""
    here = _here.get()
    if here is not None:
        here.read(data, kind)


def keeps_state(thing: object) -> None:
    """Refuse an object with state that is made while a step is traced.

    The step would hold the one that was made then, which grows older from call to call.
    """
    here = recorder()
    if here is not None:
        name = type(thing).__name__
        here.refuse(f"{name}(), which keeps state from call to call and has to be made outside,")


@contextmanager
def recording_to(who: Recorder) -> Iterator[None]:
    """Let `who` write down what this thread computes, inside a `with` block."""
    ACTIVE.append(who)
    token = _here.set(who)
    try:
        yield
    finally:
        _here.reset(token)
        ACTIVE.remove(who)


@contextmanager
def paused() -> Iterator[None]:
    """Compute something that only decides, and is not part of the step, inside a `with` block."""
    token = _here.set(None)
    try:
        yield
    finally:
        _here.reset(token)

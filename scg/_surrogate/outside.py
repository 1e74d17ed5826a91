"""The outside world: calls whose results depend on their arguments in a way nobody recorded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from scg._axes import Along, AxisMap
from scg._observed import without_past
from scg._op import OPAQUE, Op
from scg._recording import recorder
from scg._run import PAST, merge
from scg._smoothness import Passage
from scg._tensor import Tensor
from scg._typing import Shape
from scg.errors import OptionError, ShapeError
from scg.tape import INHERITED, OBSERVED, REQUIRES, ROUTED, TRAINABLE, Node, NoisyNode

__all__ = ["external", "stateless"]


class _Stateless:
    """Says, as `world=` of `scg.external`, that a call remembers nothing of earlier ones.

    Examples
    --------
    >>> import scg
    >>> coin = scg.Bernoulli(logits=scg.parameter([0.0, 0.0])).sample(rng=0)
    >>> scg.external(lambda x: x + 1.0, coin, aligned=0, world=scg.stateless).shape
    (2,)
    """

    def __repr__(self) -> str:
        return "scg.stateless"


class _Shared:
    """The world of all calls that name none."""


stateless = _Stateless()
_shared = _Shared()
_memory: WeakKeyDictionary[Any, Node] = WeakKeyDictionary()


def _kept(shapes: Sequence[Shape], out: Shape, *, aligned: int | None, **_: Any) -> list[AxisMap]:
    """Keep the aligned axis of every operand that has it."""
    maps: list[AxisMap] = []
    for shape in shapes:
        keep = aligned is not None and aligned < min(len(shape), len(out))
        keep = keep and shape[aligned] == out[aligned]  # type: ignore[index]
        maps.append(tuple(Along(n) if keep and n == aligned else None for n in range(len(shape))))
    return maps


_ASIDE = "in a dict"  # as the `info` of an environment, which need not have the aligned axis

_EXTERNAL = Op("external", lambda *xs, aligned: xs, smooth=OPAQUE, axes=_kept)


def external(
    fn: Callable[..., Any], *tensors: Any, aligned: int | None = None, world: Any = None,
    reset: bool = False,
) -> Any:  # fmt: skip
    """Call the outside world with raw values, and remember what its answer depends on.

    Parameters
    ----------
    fn : callable
        Called with plain arrays, such as `env.step`.
    *tensors : Tensor or array_like
        Its arguments.
    aligned : int, optional
        Along this axis, element i of every answer depends on element i of the arguments alone, as
        in an environment of independent copies. Entries of a dict, such as an environment's
        `info`, may lack the axis and then depend on all elements. Which keys there are, and what
        is not a number, is not followed. Without it the call is also a raw read of its arguments.
    world : object, optional
        Whose memory the call uses: answers depend on the arguments of earlier calls too. None is
        one world shared by all; `scg.stateless` is the promise that there is none.
    reset : bool
        The world forgets everything before this call.

    Returns
    -------
    As `fn` returns
        Numbers and arrays of numbers as tensors, in tuples, lists and dicts; the rest as it is.

    Raises
    ------
    OptionError
        If the world cannot be remembered (a dict or a number).
    ShapeError
        If a number or array in the answer, outside of dicts, does not have the aligned axis.

    Notes
    -----
    No derivative passes; draws among the arguments are scored with what the answer costs.

    Examples
    --------
    >>> import numpy as np, scg
    >>> logits = scg.parameter(np.zeros(3))
    >>> action = scg.Bernoulli(logits=logits).sample(rng=0)
    >>> reward = scg.external(lambda a: 1.0 - a, action, aligned=0, world=scg.stateless)
    >>> reward.shape
    (3,)
    """
    here = recorder()
    if here is not None:
        here.refuse("external")
    world = _shared if world is None else _checked(world)
    if reset:
        _memory.pop(world, None)
    raw = [t._data if isinstance(t, Tensor) else np.asarray(t) for t in tensors]
    given = without_past([t._node for t in tensors if isinstance(t, Tensor)])
    nodes = [n for n in given if n is not None]
    if aligned is None:
        for t in tensors:
            if isinstance(t, Tensor):
                t._escape("external")
    answer = fn(*(r.copy() for r in raw))
    before = None if world is stateless else _remembered(world)
    sources = [n for n in (*nodes, before) if n is not None]
    promises = {"aligned": aligned, "stateless": world is stateless}
    state = _state(sources, promises)
    if world is not stateless and state is not None:
        _memory[world] = state
    return answer if state is None else _tracked(answer, state, promises)


def _remembered(world: Any) -> Node | None:
    """Return what a world has seen since the last update; older draws are constants by now."""
    node = _memory.get(world)
    past = node is not None and all(run.updated or run is PAST for run in node.runs)
    return None if past else node


def _checked(world: Any) -> Any:
    """Return a world if it can be remembered without keeping it alive."""
    try:
        hash(world), ref(world)
    except TypeError:
        raise OptionError(
            f"scg.external: world={world!r} cannot be remembered; pass the environment object, or "
            "scg.stateless if it has no memory"
        ) from None
    return world


def _state(sources: Sequence[Node], promises: dict[str, Any]) -> NoisyNode | None:
    """Return a node for all that a world depends on; None if no draw or parameter reaches it."""
    flags = 0
    for node in sources:
        flags |= node.flags & INHERITED
    if not any(n.runs or n.flags & (ROUTED | TRAINABLE) for n in sources):
        return None
    shape = max((n.shape for n in sources), key=len)
    return _node(sources, flags, shape, np.dtype(np.float64), promises)


def _node(
    sources: Sequence[Node], flags: int, shape: Shape, dtype: Any, promises: dict[str, Any]
) -> NoisyNode:
    flags = flags & ~REQUIRES | ROUTED | OBSERVED
    node = NoisyNode(_EXTERNAL, tuple(sources), (), promises, flags, 0, shape, dtype,
                     sys._getframe(1))  # fmt: skip
    node.draw = next((n.draw for n in sources if n.draw), None)
    node.runs = merge(run for n in sources for run in n.runs)
    node.notes().shapes = tuple(n.shape for n in sources)
    node.notes().classes = (Passage.OPAQUE,) * len(sources)
    return node


def _tracked(answer: Any, state: NoisyNode, promises: dict[str, Any], where: str = "") -> Any:
    """Return an answer with its numbers as tensors; `where` names the part of it, but in a dict."""
    if isinstance(answer, dict):
        return {key: _tracked(value, state, promises, _ASIDE) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        parts = [
            _tracked(value, state, promises, where if where == _ASIDE else f"{where}[{number}]")
            for number, value in enumerate(answer)
        ]
        return type(answer)(*parts) if hasattr(answer, "_fields") else type(answer)(parts)
    if not isinstance(answer, int | float | np.ndarray | np.generic | Tensor):
        return answer
    array = np.array(answer._data if isinstance(answer, Tensor) else answer)
    if array.dtype.kind not in "biuf":
        return answer
    aligned = promises["aligned"]
    if aligned is not None and array.ndim <= aligned and where != _ASIDE:
        raise ShapeError(
            f"scg.external: aligned={aligned}, but answer{where} has shape {array.shape}; every "
            "answer outside of a dict needs that axis, or leave `aligned` out"
        )
    return Tensor(array, _node([state], state.flags, array.shape, array.dtype, promises))

"""The graph: nodes that hold their parents, and the sweep that carries cotangents back.

There is no global tape. A node holds its parents, a creation counter gives the topological order,
and backward is a loop over nodes from the newest to the oldest: no recursion, no search.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from operator import attrgetter
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from scg._partial import Partial
from scg._run import Draw, Place, Run
from scg._run import order as _order
from scg._typing import DType, Shape
from scg.errors import GradientError

if TYPE_CHECKING:
    from scg._op import Op

__all__ = [
    "DrawNode", "Leaf", "Node", "NoisyNode", "grad_enabled", "no_grad", "place_of_caller",
    "sweep",
]  # fmt: skip

# Facts that flow forward with every node, as bits of one integer because they are combined with a
# single `|` on the hot path.
REQUIRES = 1  # a cotangent can flow back through this node
TRAINABLE = 2  # a trainable parameter reaches it through data, even where gradients were cut
NOISE = 4  # continuous noise reaches it
POSITIVE = 8  # every element is > 0
NONNEGATIVE = 16  # every element is >= 0
ROUTED = 32  # backward must choose a route for some draw upstream, or refuse
BOXED = 64  # it already is a derivative of the surrogate, scores included
MIXED = 128  # something boxed was combined with something that is not
HELD = 256  # made under no_grad from something trainable; its parents are what it depends on
SCORE = 512  # the log-probability of a draw under its own distribution reaches it
HANDMADE = 1024  # such a log-probability was multiplied with what depends on the draw
TAGGED = 2048  # what is known of it as a gradient travels on: bias, order
BELOW_ONE = 8192  # every element is < 1: excludes the pole of log(1 - p) at a probability
UNSIGNED = 16384  # its sign has not been worked out yet
KINKED = 4096  # noise and a trainable parameter met in a kink: good for one derivative
INHERITED = (
    REQUIRES | TRAINABLE | NOISE | ROUTED | BOXED | MIXED | SCORE | HANDMADE | TAGGED | KINKED
)
RANDOM = NOISE | ROUTED | BOXED | SCORE | TAGGED  # what needs a NoisyNode

_package = str(Path(__file__).parent)
_grad_enabled: ContextVar[bool] = ContextVar("scg_grad_enabled", default=True)


class Notes:
    """What few nodes need to know, so that the others are small.

    Attributes
    ----------
    classes : tuple of Passage, or None
        How the node depends on each input, given the noise and the signs there were; None:
        smoothly.
    constants : tuple of array or None
        The operands without noise, from whose signs that of the node will be worked out.
    inputs : tuple of array, or None
        The operands of a linear op: the values of the costs that a loss is taken apart into.
    shapes : tuple of Shape
        Of the operands, constants too.
    tags : frozenset of Tag
        What is known of it as a gradient.
    """

    __slots__ = ("classes", "constants", "inputs", "shapes", "tags")

    def __init__(self) -> None:
        self.classes: tuple[int, ...] | None = None
        self.constants: tuple[Any, ...] | None = None
        self.inputs: tuple[Any, ...] | None = None
        self.shapes: tuple[Shape, ...] | None = None
        self.tags: frozenset[Any] = frozenset()


NO_NOTES = Notes()


class Node:
    """One recorded operation.

    Attributes
    ----------
    op : Op
        The record of the operation, which holds its vjp.
    parents : tuple of Node or None
        One per tensor input; None for constants.
    saved : tuple
        The residuals `(y, *inputs)` the vjp asked for; None once backward has freed them.
    statics : dict
        The non-tensor arguments.
    order : int
        Creation counter; a parent's is smaller than its child's.
    flags : int
        The facts above.
    stamp : int
        Sum of the parents' versions at the time of the forward pass.
    """

    __slots__ = (
        "code", "dtype", "flags", "instruction", "op", "order", "parents", "saved", "shape",
        "stamp", "statics",
    )  # fmt: skip

    version = 0  # only leaves change
    # Only noisy nodes have these.
    draw: Draw | None = None
    runs: tuple[Run, ...] = ()
    more: Notes = NO_NOTES

    def __init__(
        self, op: Op | None, parents: tuple[Node | None, ...], saved: tuple[Any, ...] | None,
        statics: Mapping[str, Any], flags: int, stamp: int, shape: Shape, dtype: DType,
        frame: FrameType,
    ) -> None:  # fmt: skip
        self.op = op
        self.parents = parents
        self.saved = saved
        self.statics = statics
        self.flags = flags
        self.stamp = stamp
        self.shape = shape
        self.dtype = dtype
        self.order = next(_order)
        # The user's line: the first frame outside this package. Code object and instruction only;
        # turning them into a line number waits until an error or a picture needs it.
        while frame.f_code.co_filename.startswith(_package) and frame.f_back is not None:
            frame = frame.f_back
        self.code = frame.f_code
        self.instruction = frame.f_lasti

    @property
    def place(self) -> Place:
        """Return the user's line that made this node."""
        return Place(self.code, self.instruction)

    @property
    def tags(self) -> frozenset[Any]:
        """Return what is known of it as a gradient."""
        return self.more.tags

    @property
    def name(self) -> str:
        """Return the name of the operation."""
        return self.op.name if self.op is not None else "leaf"


class NoisyNode(Node):
    """A node that a draw reaches.

    Attributes
    ----------
    draw : Draw
        One of the draws upstream, to name in an error.
    runs : tuple of Run
        The runs whose draws with trainable parameters are upstream.
    more : Notes
        What few nodes need; written through `notes()`.
    """

    __slots__ = ("draw", "more", "runs")

    def __init__(
        self, op: Op | None, parents: tuple[Node | None, ...], saved: tuple[Any, ...] | None,
        statics: Mapping[str, Any], flags: int, stamp: int, shape: Shape, dtype: DType,
        frame: FrameType,
    ) -> None:  # fmt: skip
        super().__init__(op, parents, saved, statics, flags, stamp, shape, dtype, frame)
        self.draw = None
        self.runs = ()
        self.more = NO_NOTES

    def notes(self) -> Notes:
        """Return what may be written about this node."""
        if self.more is NO_NOTES:
            self.more = Notes()
        return self.more


class DrawNode(NoisyNode):
    """The node of a draw itself."""

    __slots__ = ("site",)

    site: Any


class Leaf(Node):
    """A trainable parameter's end of the graph: its accumulated gradient, version and name."""

    __slots__ = ("grad", "grad_tags", "label", "version")

    def __init__(self, shape: Shape, dtype: DType, name: str | None) -> None:
        frame = sys._getframe(1)
        super().__init__(None, (), None, {}, REQUIRES | TRAINABLE, 0, shape, dtype, frame)
        self.grad: Any = None
        self.label = name
        self.grad_tags: frozenset[Any] = frozenset()
        self.version = 0

    @property
    def tags(self) -> frozenset[Any]:
        """Return what is known of the accumulated gradient."""
        return self.grad_tags

    @property
    def name(self) -> str:
        """Return the parameter's name."""
        return self.label or "parameter"


def place_of_caller() -> Place:
    """Return the first position up the stack that is outside this package."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_package) and frame.f_back is not None:
        frame = frame.f_back
    return Place(frame.f_code, frame.f_lasti)


def grad_enabled() -> bool:
    """Tell whether operations are recorded here."""
    return _grad_enabled.get()


@contextmanager
def _recording(enabled: bool) -> Iterator[None]:
    token = _grad_enabled.set(enabled)
    try:
        yield
    finally:
        _grad_enabled.reset(token)


def no_grad() -> Any:
    """Compute without recording, inside a `with` block or as a decorator.

    What is computed keeps the knowledge of which noise reached it, so a decision taken on it is
    still noticed.

    Examples
    --------
    >>> import scg
    >>> w = scg.parameter(2.0)
    >>> with scg.no_grad():
    ...     y = w * w
    >>> y.requires_grad
    False
    """
    return _recording(False)


def recording(enabled: bool) -> Any:
    """Switch recording on or off inside a `with` block."""
    return _recording(enabled)


# --- backward --------------------------------------------------------------------------------


def reachable(roots: Sequence[Node]) -> list[Node]:
    """Return the nodes that a cotangent from `roots` can reach, newest first."""
    seen = {node for node in roots if node.flags & REQUIRES}
    stack = list(seen)
    for node in stack:  # grows while it is read
        for parent in node.parents:
            if parent is not None and parent not in seen and parent.flags & REQUIRES:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("order"), reverse=True)


def needed(nodes: Sequence[Node], targets: set[Node]) -> set[Node]:
    """Return those of `nodes` (newest first) from which some target is reached."""
    useful = set(targets)
    for node in reversed(nodes):
        if node not in useful and any(parent in useful for parent in node.parents):
            useful.add(node)
    return useful


def sweep(
    roots: Sequence[tuple[Node, Any]], *, targets: set[Node] | None = None,
    traced: bool = False, retain: bool = False, cut: frozenset[Node] = frozenset(),
) -> dict[Node, Any]:  # fmt: skip
    """Carry cotangents from `roots` back and return those of the leaves, or of `targets`.

    Parameters
    ----------
    roots : sequence of (Node, cotangent)
        Where to start; cotangents have the node's shape.
    targets : set of Node, optional
        Stop at these and return their cotangents. None means every leaf.
    traced : bool
        Cotangents are Tensors and every vjp is itself recorded, for higher derivatives.
    retain : bool
        Keep the residuals for another backward.
    cut : set of Node
        Draws through which no cotangent passes, because their scores are used instead.
    """
    nodes = reachable([node for node, _ in roots])
    useful = None if targets is None else needed(nodes, targets)
    grads: dict[Node, Any] = {}
    owned: set[Node] = set()
    for node, g in roots:
        _accumulate(grads, owned, node, g, traced)
    found: dict[Node, Any] = {}
    with np.errstate(all="ignore"):  # an infinite slope is an answer, not a reason to warn
        for node in nodes:
            g = grads.pop(node, None)
            if g is None:
                continue
            if node.op is None or (targets is not None and node in targets):
                found[node] = g
            op = node.op
            if op is None or node in cut:
                continue
            if op.rules is None or traced:
                _pull(op, node, g, grads, owned, useful, traced)
            else:
                _pull_elementwise(op.rules, node, g, grads, owned, useful)
            if not retain:
                node.saved = None
    return found


SMALL = 256  # no kernel pays below this many elements (benchmarks/elementwise.py)


def _pull_elementwise(
    rules: Sequence[Any], node: Node, g: Any, grads: dict[Node, Any], owned: set[Node],
    useful: set[Node] | None,
) -> None:  # fmt: skip
    """Do what `_pull` does, input by input: the hot path of small graphs."""
    saved, statics = node.saved, node.statics
    if saved is None:
        _refuse(node)
    stamp = 0
    for rule, parent in zip(rules, node.parents, strict=True):
        if parent is None:
            continue
        stamp += parent.version
        if rule is None or not parent.flags & REQUIRES:
            continue
        if useful is not None and parent not in useful:
            continue
        if rule.is_identity:
            cotangent = g
        elif g.size < SMALL and not statics:
            cotangent = rule.by_ufuncs(g, *saved)
        else:
            cotangent = rule.on_arrays(g, *saved, **statics)
        if cotangent.shape != parent.shape or cotangent.dtype is not parent.dtype:
            cotangent = _fit(cotangent, parent, False)
        if parent in grads:
            _accumulate(grads, owned, parent, cotangent, False)
        else:
            grads[parent] = cotangent
    if stamp != node.stamp:
        _refuse(node)


def _pull(
    op: Op, node: Node, g: Any, grads: dict[Node, Any], owned: set[Node],
    useful: set[Node] | None, traced: bool,
) -> None:  # fmt: skip
    """Run one vjp and hand its results to the parents."""
    needs, stamp = [], 0
    for parent in node.parents:
        if parent is None:
            needs.append(False)
        else:
            wanted = useful is None or parent in useful
            needs.append(wanted and bool(parent.flags & REQUIRES))
            stamp += parent.version
    if node.saved is None or stamp != node.stamp:
        _refuse(node)
    cotangents = op.traced_vjp(node, g, needs) if traced else op.raw_vjp(node, g, needs)
    for parent, needed_here, cotangent in zip(node.parents, needs, cotangents, strict=True):
        if needed_here and cotangent is not None:
            assert parent is not None
            if cotangent.shape != parent.shape or cotangent.dtype != parent.dtype:
                cotangent = _fit(cotangent, parent, traced)
            _accumulate(grads, owned, parent, cotangent, traced)


def _accumulate(grads: dict[Node, Any], owned: set[Node], node: Node, g: Any, traced: bool) -> None:
    """Add `g` to a node's cotangent: in place only into a buffer this sweep made itself.

    A vjp may return its own argument or a view of a residual, so the first contribution is never
    written to; the second makes a new buffer, which later ones may.
    """
    before = grads.get(node)
    if type(g) is Partial:
        grads[node] = g.added_to(before, in_place=node in owned)
        owned.add(node)
    elif before is None:
        grads[node] = g
    elif traced or type(before) is not np.ndarray:
        grads[node] = before + g
    elif node in owned:
        np.add(before, g, out=before)
    else:
        grads[node] = np.add(before, g)
        owned.add(node)


def _fit(g: Any, parent: Node, traced: bool) -> Any:
    """Undo broadcasting and dtype promotion, in one place for every op."""
    if g.shape != parent.shape:
        g = unbroadcast(g, parent.shape, traced)
    if g.dtype != parent.dtype:
        g = g.astype(parent.dtype)
    return g


def unbroadcast(g: Any, shape: Shape, traced: bool) -> Any:
    """Sum a cotangent over the axes along which an input was repeated."""
    extra = g.ndim - len(shape)
    if extra < 0:
        raise GradientError(f"a vjp returned shape {g.shape} for an input of shape {shape}")
    repeated = tuple(
        axis for axis in range(g.ndim)
        if axis < extra or (shape[axis - extra] == 1 and g.shape[axis] != 1)
    )  # fmt: skip
    summed = g.sum(axis=repeated) if traced else np.sum(g, axis=repeated)
    return summed.reshape(shape)


def _refuse(node: Node) -> NoReturn:
    """Say why the residuals of a node cannot be used."""
    if node.saved is None:
        raise GradientError(
            f"backward reached '{node.name}' ({node.place}) whose residuals an earlier backward "
            "already freed; pass retain=True to the first backward if you need two"
        )
    names = " or ".join(p.name for p in node.parents if isinstance(p, Leaf))
    raise GradientError(
        f"backward through '{node.name}' ({node.place}): {names} was updated after this operation "
        "used it; run the forward pass again before backward"
    )

"""The graph: nodes that hold their parents.

There is no global tape. A creation counter gives the topological order, and what flows forward with
a node are bits of one integer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from scg._place import Place
from scg._recording import ACTIVE, recorder
from scg._run import Draw, Run, merge
from scg._run import order as _order
from scg._typing import DType, Shape

if TYPE_CHECKING:
    from scg._op import Op
    from scg._smoothness import Passage

__all__ = [
    "DrawNode", "Leaf", "Node", "NoisyNode", "grad_enabled", "no_grad", "place_of_caller",
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
STOPPED = 32768  # the user cut off the derivative of a parameter
OBSERVED = 65536  # all that is random in it came through the outside world, or was detached
DRAWN = 131072  # a trained draw made inside a compiled function reaches it, whose score is not here
KINKED = 4096  # noise and a trainable parameter met in a kink: good for one derivative
INHERITED = (
    REQUIRES
    | TRAINABLE
    | NOISE
    | ROUTED
    | BOXED
    | MIXED
    | SCORE
    | HANDMADE
    | TAGGED
    | KINKED
    | STOPPED
    | OBSERVED
    | DRAWN
)
PLAIN = REQUIRES | TRAINABLE  # what a node of an ordinary, noise-free graph carries
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
    shapes : tuple of Shape
        Of the operands, constants too.
    tags : frozenset of Tag
        What is known of it as a gradient.
    surrogate : object
        What was decided about the loss whose surrogate it is; only a picture asks.
    past : True or None
        It was found to be an observation from before an update.
    """

    __slots__ = ("classes", "past", "shapes", "surrogate", "tags")

    def __init__(self) -> None:
        self.classes: tuple[Passage, ...] | None = None
        self.shapes: tuple[Shape, ...] | None = None
        self.tags: frozenset[Any] = frozenset()
        self.surrogate: Any = None
        self.past: bool | None = None


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
    constants: tuple[Any, ...] | None = None
    draw: Draw | None = None
    inputs: tuple[Any, ...] | None = None
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
        code = frame.f_code
        while code.co_filename.startswith(_package) and (caller := frame.f_back) is not None:
            frame, code = caller, caller.f_code
        self.code = code
        self.instruction = frame.f_lasti

    @property
    def place(self) -> Place:
        """Return the user's line that made this node."""
        return Place(self.code, self.instruction)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Return the shapes of the operands; those of constants only where a rule asks for them."""
        known = self.more.shapes
        return known or tuple([() if p is None else p.shape for p in self.parents])

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

    Parameters
    ----------
    operands : sequence of Node or None
        Where its draw and its runs come from; beyond `parents`, those that no cotangent goes to.

    Attributes
    ----------
    constants : tuple of array or None
        The operands without noise, from whose signs that of the node will be worked out.
    draw : Draw
        One of the draws upstream, to name in an error.
    inputs : tuple of array, or None
        The operands of a linear op: the values of the costs that a loss is taken apart into.
    runs : tuple of Run
        The runs whose draws with trainable parameters are upstream.
    more : Notes
        What few nodes need; written through `notes()`.
    """

    __slots__ = ("constants", "draw", "inputs", "more", "runs")

    def __init__(
        self, op: Op | None, parents: tuple[Node | None, ...], saved: tuple[Any, ...] | None,
        statics: Mapping[str, Any], flags: int, stamp: int, shape: Shape, dtype: DType,
        frame: FrameType, operands: Sequence[Node | None] = (),
    ) -> None:  # fmt: skip
        Node.__init__(self, op, parents, saved, statics, flags, stamp, shape, dtype, frame)
        self.constants = self.inputs = None
        self.more = NO_NOTES
        draw: Draw | None = None
        runs: tuple[Run, ...] = ()
        for node in operands:
            if node is None:
                continue
            draw = draw or node.draw
            if node.runs and node.runs is not runs:
                runs = merge((*runs, *node.runs)) if runs else node.runs
        self.draw, self.runs = draw, runs

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
    """A trainable parameter's end of the graph: its accumulated gradient, version and name.

    Attributes
    ----------
    version : int
        How often it was updated.
    moved : int
        When it was last: an order, as of nodes.
    """

    __slots__ = ("grad", "grad_tags", "label", "moved", "version")

    def __init__(self, shape: Shape, dtype: DType, name: str | None) -> None:
        frame = sys._getframe(1)
        super().__init__(None, (), None, {}, REQUIRES | TRAINABLE, 0, shape, dtype, frame)
        self.grad: Any = None
        self.label = name
        self.grad_tags: frozenset[Any] = frozenset()
        self.version = self.moved = 0

    def note_update(self) -> None:
        """Note that the parameter's value has been changed."""
        self.version += 1
        self.moved = next(_order)

    def forget(self) -> None:
        """Forget the accumulated gradient."""
        if ACTIVE and (here := recorder()) is not None:
            here.clears(self)
        self.grad, self.grad_tags = None, frozenset()

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


def stopped(flags: int) -> int:
    """Return the flags of a value whose derivative the user cut off, or did not record."""
    if flags & TRAINABLE and not flags & RANDOM:
        flags |= STOPPED
    if flags & TRAINABLE and not _grad_enabled.get():
        flags |= HELD
    return flags & ~REQUIRES

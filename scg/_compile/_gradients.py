"""The gradients that parameters hold: what a step finds there and what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scg._compile._program import Gradient
from scg._tensor import PARAMETERS, Tensor
from scg.tape import Leaf

if TYPE_CHECKING:
    from scg._compile._trace import Trace

__all__ = ["Gradients"]


class Gradients:
    """What is known of `.grad` while a step is traced.

    Attributes
    ----------
    found : dict of Leaf to bool
        Whether there was one when the call began, of those that the step depends on.
    written : dict of Leaf to None
        Whose gradient the step replaces.
    """

    def __init__(self, trace: Trace) -> None:
        self.found: dict[Leaf, bool] = {}
        self._trace = trace
        self.written: dict[Leaf, None] = {}

    def sees(self, leaf: Leaf) -> None:
        """Note that the step depends on the gradient that a parameter has."""
        if leaf in self.written or leaf in self.found:
            return
        self.found[leaf] = leaf.grad is not None
        if leaf.grad is not None:
            self._trace.add(Gradient(tensor=tensor_of(leaf)), (leaf.grad,))

    def writes(self, leaf: Leaf) -> None:
        """Note that a gradient is about to be replaced."""
        self.written[leaf] = None

    def finish(self) -> None:
        """Enter what the step leaves into its program."""
        for leaf in self.written:
            left = None if leaf.grad is None else self._trace.value_of(leaf.grad)
            self._trace.program.gradients[tensor_of(leaf)] = left


def tensor_of(leaf: Leaf) -> Tensor:
    """Return the parameter that a leaf belongs to."""
    found = PARAMETERS.get(id(leaf))
    assert found is not None, "a leaf without a parameter has no gradient to keep"
    return found

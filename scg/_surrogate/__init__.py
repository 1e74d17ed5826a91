"""The surrogate loss: its ordinary gradient is an unbiased gradient of the expected loss.

First version: pathwise through every reparameterised draw, and the whole loss as the weight of the
score of every other draw of the run, whether or not an edge leads from it to the loss. Where a
pathwise gradient would be wrong it is refused.
"""

from scg import autodiff
from scg._surrogate.magic_box import expectation_roots, surrogate

__all__ = ["surrogate"]

autodiff._roots[0] = expectation_roots

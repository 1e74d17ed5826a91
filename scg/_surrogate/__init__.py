"""The surrogate loss: its ordinary gradient is an unbiased gradient of the expected loss."""

from scg._plan import planner
from scg._surrogate.magic_box import expectation_plan, surrogate
from scg._surrogate.marks import cost
from scg._surrogate.outside import external, stateless
from scg._surrogate.tags import Tag, strict

__all__ = ["Tag", "cost", "external", "stateless", "strict", "surrogate"]

planner[0] = expectation_plan

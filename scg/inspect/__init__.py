"""Look into what was decided about a loss, and test a program for biases that no rule can see."""

from scg.inspect._audit import Audit, audit
from scg.inspect._formula import Formula, formula
from scg.inspect._records import Assumption, Check, CostRecord, DrawRecord, EscapeRecord
from scg.inspect._render import Picture, render, to_graphviz

__all__ = [
    "Assumption", "Audit", "Check", "CostRecord", "DrawRecord", "EscapeRecord", "Formula",
    "Picture", "audit", "formula", "render", "to_graphviz",
]  # fmt: skip

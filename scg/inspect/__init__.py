"""Look into what was decided about a loss, and test a program for biases that no rule can see."""

from scg.inspect._audit import Audit, audit
from scg.inspect._records import Assumption, Check, CostRecord, DrawRecord, EscapeRecord

__all__ = [
    "Assumption", "Audit", "Check", "CostRecord", "DrawRecord", "EscapeRecord", "audit",
]  # fmt: skip

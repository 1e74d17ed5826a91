"""An audit in one sentence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from scg.inspect._words import counted

if TYPE_CHECKING:
    from scg.inspect._audit import Audit

__all__ = ["verdict"]


def verdict(audit: Audit) -> str:
    """Return what is to be thought of the gradient, and of the checks if there were any."""
    said = _of_gradient(audit)
    if not audit.checks:
        return said
    counts = Counter(check.verdict for check in audit.checks)
    order = ("failed", "undecided", "passed", "skipped")
    checks = ", ".join(f"{counts[v]} {v}" for v in order if counts[v])
    return f"{said}; checks: {checks}"


def _of_gradient(audit: Audit) -> str:
    if audit.refusals:
        return f"refused: backward() raises, for {counted(len(audit.refusals), 'reason')}"
    if audit.failed:
        return f"biased, as {' and '.join(repr(check.name) for check in audit.failed)} found"
    biased = dict.fromkeys(tag.reason for tag in audit.tags if tag.kind == "BIASED")
    if biased:
        return f"biased, as was asked for: {', '.join(biased)}"
    if not audit.draws:
        return "no draw takes part: an ordinary derivative"
    assumed = len(audit.assumptions)
    if not assumed:
        return "unbiased"
    return f"unbiased, if {counted(assumed, 'assumption')} hold{'s' if assumed == 1 else ''}"

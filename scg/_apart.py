"""Executions apart: what a compiled function does is a run of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scg._run import Run, _check_marks, _run, _updates, current_run

__all__ = ["apart", "is_clean"]


@contextmanager
def apart() -> Iterator[None]:
    """Run what is an execution of its own, whatever goes on around it, inside a `with` block.

    Raises
    ------
    GradientError
        If it marked a cost that no backward in it reached.
    """
    token = _run.set(Run(updates=_updates[0]))
    try:
        yield
        run = current_run()
        run.pending = False
        _check_marks(run)
    finally:
        _run.reset(token)


def is_clean() -> bool:
    """Tell whether nothing that was drawn or read here waits for a backward."""
    run = current_run()
    return not any(
        r.escapes or r.evaluations or r.parameter_reads or r.noise_read is not None
        or any(c.parent is not None for c in r.closed)
        for r in run.chain
    )  # fmt: skip

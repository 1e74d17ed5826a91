"""Executions apart: what a compiled function does is a run of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scg._run import (
    Run,
    _check_marks,
    _run,
    _updates,
    current_run,
    end_run,
    gradients_cleared,
    order,
)  # fmt: skip

__all__ = ["apart", "end_after", "is_clean"]


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


def end_after(*, updated: bool) -> None:
    """End the run around an execution apart, which updated parameters or cleared gradients.

    A run in which nothing has happened has nobody who could tell it from the next one.
    """
    run = current_run()
    if run.begin is None and run.parent is None and not (run.drawn or run.closed or run.marks):
        if updated:
            _updates[0] += 1
            run.updates, run.cleared, run.since = _updates[0], None, next(order)
    elif updated:
        end_run(updated=True)
    else:
        gradients_cleared()


def is_clean() -> bool:
    """Tell whether nothing that was drawn or read here waits for a backward."""
    run: Run | None = current_run()
    while run is not None:
        if run.escapes or run.evaluations or run.parameter_reads or run.noise_read is not None:
            return False
        if run.closed and any(r.parent is not None for r in run.closed):
            return False
        run = run.parent
    return True

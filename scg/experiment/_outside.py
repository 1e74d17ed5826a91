"""Mistakes of programs that an experiment uses, such as an environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scg.errors import ExternalError

__all__ = ["outside"]


@contextmanager
def outside(name: str) -> Iterator[None]:
    """Report what a program from outside raises as its mistake, in one sentence.

    Parameters
    ----------
    name : str
        What the person calls the program.

    Raises
    ------
    ExternalError
        Instead of any exception inside, Ctrl-C aside; the exception is its cause.

    Examples
    --------
    >>> from scg import experiment
    >>> with experiment.outside("--env CartPole-v1"):
    ...     1 / 0
    Traceback (most recent call last):
        ...
    scg.errors.ExternalError: --env CartPole-v1 failed with ZeroDivisionError: division by zero
    """
    try:
        yield
    except Exception as error:
        raise ExternalError(f"{name} failed with {type(error).__name__}: {error}") from error

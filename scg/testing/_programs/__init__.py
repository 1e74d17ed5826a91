"""Whole random programs, and the proof that their gradients are unbiased."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scg.errors import OptionError
from scg.testing._programs.check import Verdict, check_program
from scg.testing._programs.syntax import Program

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["Program", "Verdict", "check_program", "programs"]


def programs(*, shrink: bool = True) -> SearchStrategy[Program]:
    """Return a hypothesis strategy that writes whole stochastic programs.

    They draw (nested, in batches, in branches, in loops of drawn length), decide by what they drew,
    jump, call an outside world, mark costs, and reduce them in any order. Some hold, on purpose,
    what must be refused, and say so.

    Parameters
    ----------
    shrink : bool
        Let hypothesis make every choice, so that a failing program is reduced to a small one. It
        also repeats itself: without, programs vary more, and are shown as they were found.

    Returns
    -------
    SearchStrategy of Program
        `str(program)` is Python source that can be run as it is, apart from `world`.

    Raises
    ------
    OptionError
        If hypothesis is not installed.

    See Also
    --------
    check_program : proves the gradient of such a program unbiased, or rightly refused.

    Examples
    --------
    >>> import scg
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=2, database=None, deadline=None)
    ... @given(scg.testing.programs())
    ... def shown(program):
    ...     assert "def program(a, b, w):" in str(program)
    >>> shown()
    """
    try:
        from scg.testing._programs.writer import written
    except ImportError as error:
        raise OptionError(
            'scg.testing.programs needs hypothesis; install it with pip install "scg[test]"'
        ) from error
    return written(shrink)

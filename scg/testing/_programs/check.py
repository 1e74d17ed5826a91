"""The proof that a program's gradient is unbiased, or that it is rightly refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scg.errors import BiasedGradientError, SupportError
from scg.testing._programs.runs import expected_gradient
from scg.testing._programs.syntax import Program
from scg.testing._programs.truth import Truth, truth_of

__all__ = ["Verdict", "check_program"]


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes
    ----------
    refused : bool
        The library refused to differentiate, as it had to.
    runs : int
        How many paths the program has.
    error : float
        The largest error of the expected estimate, relative to the mean size of the estimates.
    """

    refused: bool
    runs: int
    error: float


def check_program(program: Program, *, rtol: float = 1e-8, truth: Truth | None = None) -> Verdict:
    """Prove that `scg.grad` of a random program is unbiased, or that it is rightly refused.

    Parameters
    ----------
    program : Program
        From the strategy `scg.testing.programs()`.
    rtol : float
        Allowed error of the expected estimate, relative to the largest of 1, the true derivative
        and the mean absolute estimate.
    truth : Truth, optional
        What an earlier check of the program has computed.

    Returns
    -------
    Verdict

    Raises
    ------
    AssertionError
        If the expected estimate is not the derivative of the expected loss; if a gradient is
        refused that has an unbiased estimator; if a run draws something else, or comes out with
        another loss, than the program says. It quotes the program.

    Notes
    -----
    The truth comes from an interpreter of its own, which enumerates discrete draws, integrates
    continuous ones by Gauss rules between the places where the program jumps, and differentiates
    the sum by complex steps (Squire and Trapp 1998).

    Examples
    --------
    >>> import scg
    >>> from hypothesis import given, seed, settings
    >>> @seed(0)
    ... @settings(max_examples=2, database=None, deadline=None)
    ... @given(scg.testing.programs(shrink=False))
    ... def proved(program):
    ...     assert scg.testing.check_program(program).error < 1e-8
    >>> proved()
    """
    truth = truth or truth_of(program)
    try:
        ours, size = expected_gradient(program, truth.paths)
    except (BiasedGradientError, SupportError) as error:
        if program.refusal:
            return Verdict(True, len(truth.paths), 0.0)
        raise AssertionError(f"refused although right: {error}\n{program}") from error
    except AssertionError as error:
        raise AssertionError(f"{error}\n{program}") from error
    worst = 0.0
    for name, mean, mass, exact in zip(program.wrt, ours, size, truth.gradient, strict=True):
        wrong = np.abs(mean - exact) / np.maximum(1.0, np.maximum(mass, np.abs(exact)))
        worst = max(worst, float(np.max(wrong)))
        if not np.all(wrong <= rtol):
            raise AssertionError(
                f"biased: the expected estimate for {name} is {mean}, the derivative of the "
                f"expected loss is {exact}\n{program}"
            )
    return Verdict(False, len(truth.paths), worst)

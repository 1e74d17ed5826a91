"""What an audit lists: draws, costs, raw reads, assumptions, checks."""

from __future__ import annotations

from dataclasses import dataclass

from scg._typing import Shape

__all__ = ["NUMBER", "Assumption", "Check", "CostRecord", "DrawRecord", "EscapeRecord"]

NUMBER = "number"


@dataclass(frozen=True, slots=True)
class DrawRecord:
    """What was decided for one draw.

    Attributes
    ----------
    name : str
        As given to `sample`, or the family and a number.
    distribution : str
        The family and its shapes.
    place : str
        The user's line.
    routes : dict of str to tuple of int
        By route (`pathwise`, `score`, `enumerate`), the numbers of the costs it is taken into. A
        draw that no trainable parameter reaches is `fixed`, and costs nothing; one that no cost
        depends on is `not reached`.
    axes : tuple of str
        Which sample and batch axes the costs that weight its score keep, one text for each way
        in which they do.
    baseline : str
        What is subtracted from its weight.
    cause : str
        The operation or raw read for which a differentiable sampler is not differentiated.
    estimator : str
        As the user asked for it.
    weighting : int
        How many costs weight its score.
    widened : int
        How many of them only because of what Python read.
    """

    name: str
    distribution: str
    place: str
    routes: dict[str, tuple[int, ...]]
    axes: tuple[str, ...] = ()
    baseline: str = ""
    cause: str = ""
    estimator: str = ""
    weighting: int = 0
    widened: int = 0


@dataclass(frozen=True, slots=True)
class CostRecord:
    """One elementary cost.

    Attributes
    ----------
    number : int
        That of `c1`, `c2`, ... in texts, pictures and formulas, by the order in which costs were
        made; 0 for a number that adds to no gradient, such as the 0 that a sum begins with.
    name : str
        The operation that made it; `number` if Python did.
    place : str
        The user's line.
    marked : bool
        Whether `scg.cost` marked it when it was made.
    shape : tuple of int
        Of its elements.
    coefficient : str
        The derivative of the loss with respect to them: one number, or a range.
    """

    number: int
    name: str
    place: str
    marked: bool
    shape: Shape
    coefficient: str


@dataclass(frozen=True, slots=True)
class EscapeRecord:
    """A raw read of something random.

    Attributes
    ----------
    kind : str
        How it was read: `bool`, `float`, `numpy`, ...
    place : str
        The user's line.
    draw : str
        A draw that the value depends on.
    costs : int
        How many costs may depend on it.
    """

    kind: str
    place: str
    draw: str
    costs: int


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something that the gradient rests on and that nobody proved.

    Attributes
    ----------
    kind : str
        One word or two, such as `peek` or `continuous`.
    text : str
        What is taken to be true.
    place : str
        The user's line, if there is one.
    """

    kind: str
    text: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """What one test of a program found.

    Attributes
    ----------
    name : str
        Which test.
    verdict : {"passed", "failed", "undecided", "skipped"}
        Undecided: the test ran and cannot tell. Skipped: it does not apply, `text` says why.
    text : str
        What was found.
    statistic, threshold : float
        The test fails if the first exceeds the second.
    false_alarm : float
        Bound on the probability that it fails for an honest program.
    """

    name: str
    verdict: str
    text: str
    statistic: float = 0.0
    threshold: float = 0.0
    false_alarm: float = 0.0

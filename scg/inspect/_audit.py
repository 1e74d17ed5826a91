"""The audit: what was decided about a loss, why, and what nobody checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from scg._surrogate.tags import Tag
from scg._tensor import Tensor
from scg.errors import OptionError
from scg.inspect._assumptions import assumptions
from scg.inspect._checks import checks_of, undisturbed
from scg.inspect._decisions import decide
from scg.inspect._graph import upstream
from scg.inspect._listing import list_costs, list_draws, list_escapes
from scg.inspect._places import Numbers, placed
from scg.inspect._program import Program
from scg.inspect._records import Assumption, Check, CostRecord, DrawRecord, EscapeRecord
from scg.inspect._table import as_text

__all__ = ["Audit", "audit"]


@dataclass(frozen=True, repr=False)
class Audit:
    """What is known of a loss, or of a program.

    It prints as a verdict and a table; draws, costs and reads that a loop repeats are one row.

    Attributes
    ----------
    draws : tuple of DrawRecord
        Every draw that the loss depends on, with its route into each cost.
    costs : tuple of CostRecord
        The elementary costs that the loss was taken apart into, oldest first.
    escapes : tuple of EscapeRecord
        Every raw read that a cost may depend on.
    tags : tuple of Tag
        What is to be known of the gradient: bias that was asked for.
    assumptions : tuple of Assumption
        What the gradient rests on and nobody proved.
    refusals : tuple of str
        Why backward would raise.
    checks : tuple of Check
        What the tests of a program found; empty for a loss.
    """

    draws: tuple[DrawRecord, ...]
    costs: tuple[CostRecord, ...]
    escapes: tuple[EscapeRecord, ...]
    tags: tuple[Tag, ...]
    assumptions: tuple[Assumption, ...]
    refusals: tuple[str, ...]
    checks: tuple[Check, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing is refused and no check failed."""
        return not self.refusals and not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that found a bias."""
        return tuple(check for check in self.checks if check.verdict == "failed")

    @property
    def undecided(self) -> tuple[Check, ...]:
        """The checks that ran and cannot tell, as all do where the variance seems infinite."""
        return tuple(check for check in self.checks if check.verdict == "undecided")

    def routes(self) -> dict[str, frozenset[str]]:
        """Return the routes of the draws of each name: pathwise, score, enumerate, fixed.

        Examples
        --------
        >>> import scg
        >>> mu = scg.parameter(0.5)
        >>> x = scg.Normal(mu, 1.0).sample(name="x")
        >>> scg.audit(x * x + 2.0 * (x > 0)).routes() == {"x": {"pathwise", "score"}}
        True
        """
        found: dict[str, frozenset[str]] = {}
        for draw in self.draws:
            found[draw.name] = found.get(draw.name, frozenset()) | frozenset(draw.routes)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts, lists, strings and numbers."""
        lists = {name: [asdict(x) for x in getattr(self, name)] for name in _LISTS}
        return {**lists, "refusals": list(self.refusals)}

    def to_json(self) -> str:
        """Return `to_dict()` as JSON."""
        return json.dumps(self.to_dict())

    def __repr__(self) -> str:
        return as_text(self)


_LISTS = ("draws", "costs", "escapes", "tags", "assumptions", "checks")


def audit(
    target: Tensor | Callable[..., Any], *params: Any, runs: int = 1000, seed: int = 0,
    alpha: float = 1e-6,
) -> Audit:  # fmt: skip
    """Say what was decided about a loss, or test a program for biases that no rule can see.

    Of a tensor it tells for every draw and cost which route was taken and why, and lists what the
    gradient rests on without proof. A program is run many times besides, and its gradient
    estimates are held against other ways to the same expectation.

    Parameters
    ----------
    target : Tensor or callable
        A loss, before or after its backward; or a program that takes `params` (or nothing, if it
        knows them) and returns one. A program must leave `rng=` out of its draws.
    *params : Tensor or array_like
        Of a program: with respect to what. An `scg.parameter` is itself moved by small steps and
        put back; anything else becomes a parameter.
    runs : int
        How many runs of a program at most. Checks that compare averages give no verdict before
        500.
    seed : int
        Of the noise of those runs.
    alpha : float
        Bound on the probability, for each check by itself, that an honest program fails it.

    Returns
    -------
    Audit

    Raises
    ------
    OptionError
        If `target` is neither, or a tensor comes with parameters.

    Notes
    -----
    Nothing is changed: no gradient, no run, no generator, no marked cost. Each check states its
    own rate of false alarms; docs/audit.md says which biases each finds, and which none does.

    Examples
    --------
    >>> import scg
    >>> p = scg.parameter(0.3)
    >>> b = scg.Bernoulli(p).sample(name="b")
    >>> found = scg.audit((b - 0.45) ** 2)
    >>> found.routes(), found.refusals
    ({'b': frozenset({'score'})}, ())
    """
    if isinstance(target, Tensor):
        if params:
            raise OptionError("scg.audit(loss) takes no parameters; a program does: a function")
        return of_loss(target)
    if not callable(target):
        raise OptionError(f"scg.audit takes a loss or a function, not {type(target).__name__}")
    return of_program(Program(target, params, seed), runs, alpha)


def of_program(program: Program, runs: int, alpha: float) -> Audit:
    """Audit a program: its loss in one run, and the checks."""
    with undisturbed():
        loss = program.call()
        once = of_loss(loss)
        program.enumerated = any("enumerate" in draw.routes for draw in once.draws)
        program.scored = any({"score", "enumerate"} & set(draw.routes) for draw in once.draws)
        found = checks_of(program, refused=bool(once.refusals), runs=runs, alpha=alpha)
        return replace(once, checks=tuple(found))


def of_loss(loss: Tensor) -> Audit:
    """Audit a loss."""
    decided = decide(loss)
    read = [escape.node for escape, _ in decided.escapes]
    nodes = upstream([loss._node, *(cost.node for cost in decided.parts.costs), *read])
    places, _ = placed(decided.parts, decided.escapes)
    numbers = Numbers(places)
    return Audit(
        draws=tuple(list_draws(decided.routes, nodes, numbers)),
        costs=tuple(list_costs(decided.parts.costs, nodes, numbers)),
        escapes=tuple(list_escapes(decided.escapes, numbers)),
        tags=tuple(sorted(decided.tags, key=str)),
        assumptions=tuple(assumptions(loss._node, nodes, decided)),
        refusals=tuple(decided.refusals),
    )

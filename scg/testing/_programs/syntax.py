"""Random programs as data, and the Python source that each stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, TypeAlias

__all__ = [
    "Append", "Call", "Cost", "Episode", "Expr", "If", "Let", "Name", "Number", "Program", "Repeat",
    "Sample", "Statement", "Stop", "source_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter or a variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Call:
    """An operation on other expressions; `static` are plain Python arguments."""

    op: str
    args: tuple[Expr, ...]
    static: tuple[Any, ...] = ()


Expr: TypeAlias = Name | Number | Call


@dataclass(frozen=True, slots=True)
class Let:
    """`name = value`, perhaps under `no_grad`."""

    name: str
    value: Expr
    no_grad: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """`name = family(**arguments).sample(shape, estimator=estimator)`.

    Attributes
    ----------
    full : tuple of int
        The shape of what comes out, an estimator's own axis included.
    breaks : tuple of Expr
        Where the rest of the program jumps or bends in a continuous draw: known when it is drawn.
    """

    name: str
    family: str
    arguments: tuple[tuple[str, Expr], ...]
    full: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    estimator: str | None = None
    breaks: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """`total = total + value`."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Append:
    """`costs.append(value)`: the list is summed, averaged or joined at the end."""

    value: Expr


@dataclass(frozen=True, slots=True)
class If:
    """A branch on a raw value."""

    test: Expr
    body: tuple[Statement, ...]
    orelse: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeat:
    """`for _ in range(int(count))`."""

    count: Expr
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """`if test: break`."""

    test: Expr


@dataclass(frozen=True, slots=True)
class Episode:
    """`with scg.episode()`."""

    body: tuple[Statement, ...]


Statement: TypeAlias = Let | Sample | Cost | Append | If | Repeat | Stop | Episode


@dataclass(frozen=True)
class Program:
    """A whole stochastic program; `str(program)` is its Python source.

    Attributes
    ----------
    parameters : tuple of (str, float or tuple of float)
        Names and values.
    body : tuple of Statement
        What it does; `total` begins as 0 and `costs` as an empty list.
    result : Expr
        The loss.
    wrt : tuple of str
        The parameters that are differentiated.
    refusal : str
        Why it has no unbiased gradient by any route, if it has none; else empty.
    """

    parameters: tuple[tuple[str, Any], ...]
    body: tuple[Statement, ...]
    result: Expr
    wrt: tuple[str, ...]
    refusal: str = field(default="")

    def __str__(self) -> str:
        return source_of(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the source when hypothesis reports a failing program."""
        printer.text(f"program(  # see below\n{self})" if not cycle else "...")


_TEXT = {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "square": "({0} ** 2)",
    "where_above": "scg.where({0} > {1}, {2}, {3})",
    "floor_sigmoid": "scg.floor(2.0 * scg.sigmoid({0} - {1}))",
    "above": "{0} > {1}",
    "choose_larger": "scg.stack([{2}, {3}])[scg.argmax(scg.stack([{0}, {1}]))]",
    "sum": "{0}.sum()",
    "mean": "{0}.mean()",
    "sum_axis": "{0}.sum(axis={s0})",
    "mean_axis": "{0}.mean(axis={s0})",
    "reshape": "{0}.reshape({s0})",
    "index": "{0}[{s0}]",
    "slice": "{0}[{s0}:{s1}]",
    "flip": "scg.flip({0}, axis=0)",
    "roll": "scg.roll({0}, 1, axis=0)",
    "cumsum": "scg.cumsum({0}, axis=0)",
    "cost": "scg.cost({0})",
    "ternary": "({1} if {0} else {2})",
    "join": "scg.concatenate([{0}.reshape(-1), {1}.reshape(-1)])",
    "answer": "scg.external(lambda v: 1.0 - 0.5 * v * v, {0}, aligned={s0}, world=scg.stateless)",
    "world": "scg.external(world.step, {0}, world=world)",
    "total_of": "sum(costs)",
    "mean_of": "sum(costs) / len(costs)",
    "stacked_mean": "scg.stack(costs).mean()",
}
_LISTS = {"stack": "scg.stack([{0}])", "pick": "[{0}][int({1})]", "gather": "scg.stack([{0}])[{1}]"}


def text_of(expr: Expr) -> str:
    """Return the Python source of an expression."""
    if isinstance(expr, Name):
        return expr.name
    if isinstance(expr, Number):
        return f"({expr.value!r})" if expr.value < 0 else repr(expr.value)
    args = [text_of(a) for a in expr.args]
    if expr.op == "stack":
        return _LISTS["stack"].format(", ".join(args))
    if expr.op in _LISTS:
        return _LISTS[expr.op].format(", ".join(args[1:]), args[0])
    template = _TEXT.get(expr.op, f"scg.{expr.op}({', '.join(['{}'] * len(args))})")
    return template.format(*args, **{f"s{n}": s for n, s in enumerate(expr.static)})


def _lines(statement: Statement) -> Iterator[str]:
    match statement:
        case Let(name, value, no_grad):
            line = f"{name} = {text_of(value)}"
            yield f"with scg.no_grad():\n    {line}" if no_grad else line
        case Sample():
            yield f"{statement.name} = {_draw(statement)}"
        case Cost(value):
            yield f"total = total + {text_of(value)}"
        case Append(value):
            yield f"costs.append({text_of(value)})"
        case If(test, body, orelse):
            yield f"if {text_of(test)}:\n{_block(body)}"
            if orelse:
                yield f"else:\n{_block(orelse)}"
        case Repeat(count, body):
            yield f"for _ in range(int({text_of(count)})):\n{_block(body)}"
        case Stop(test):
            yield f"if {text_of(test)}:\n    break"
        case Episode(body):
            yield f"with scg.episode():\n{_block(body)}"


def _draw(s: Sample) -> str:
    given = ", ".join(f"{k}={text_of(v)}" for k, v in s.arguments)
    options = [str(s.shape)] if s.shape else []
    if s.estimator is not None:
        options.append(f"estimator={s.estimator}")
    return f"scg.{s.family}({given}).sample({', '.join(options)})"


def _block(body: tuple[Statement, ...]) -> str:
    lines = [line for statement in body for line in _lines(statement)]
    return indent("\n".join(lines or ["pass"]), "    ")


def source_of(program: Program) -> str:
    """Return a function `program` of the parameters, as Python source."""
    names = ", ".join(name for name, _ in program.parameters)
    values = ", ".join(f"{name}={value!r}" for name, value in program.parameters)
    about = f"# at {values}; differentiated in {', '.join(program.wrt)}"
    about += f"; to be refused: {program.refusal}" if program.refusal else ""
    return (
        f"{about}\ndef program({names}):\n    total, costs = 0.0, []\n"
        f"{_block(program.body)}\n    return {text_of(program.result)}\n"
    )

"""The user's own words: the expression that made a node, and the name that he gave to its value.

Python keeps for every instruction the columns of the source that it comes from. From these come
the text in a picture's boxes, and the names of draws and parameters that were given none.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from types import CodeType
from typing import TypeAlias

from scg.tape import Node

__all__ = ["Expression", "Expressions", "cleaned"]

Span: TypeAlias = tuple[int, int, int, int]  # line, column, end line, end column, as ast has them


@dataclass(frozen=True, slots=True)
class Expression:
    """A piece of the user's source.

    Attributes
    ----------
    code : CodeType
        Of the function that it stands in.
    spot : object
        The same for every node that it makes. A position of Python's does not do: it differs once
        the interpreter has specialised an instruction.
    line : str
        `file.py:12`, without the folder.
    span : tuple of int, or None
        Where it begins and ends.
    text : str
        Itself on one line; empty if the source is not at hand.
    target : str
        The name that its value is assigned to, if it is.
    called : str
        The function, if it is a call.
    arguments : tuple of str
        The operands of a call or of a binary operator.
    """

    code: CodeType
    spot: Hashable
    line: str
    span: Span | None = None
    text: str = ""
    target: str = ""
    called: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def last_name(self) -> str:
        """The called function without the module or object before it."""
        return self.called.rpartition(".")[2]

    def holds(self, other: Expression) -> bool:
        """Tell whether another expression is a part of this one, or the same."""
        a, b = self.span, other.span
        if a is None or b is None or self.code is not other.code:
            return False
        return a[:2] <= b[:2] and b[2:] <= a[2:]


class Expressions:
    """Looks up the expressions of nodes, and remembers them: a loop asks often."""

    def __init__(self) -> None:
        self._known: dict[tuple[CodeType, int], Expression] = {}
        self._files: dict[str, _File] = {}
        self._spans: dict[CodeType, list[Span | None]] = {}

    def of(self, node: Node) -> Expression:
        """Return the expression that made a node."""
        key = node.code, node.instruction
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(*key)
        return found

    def _find(self, code: CodeType, instruction: int) -> Expression:
        if code not in self._spans:
            self._spans[code] = list(_spans(code))
        spans, index = self._spans[code], instruction // 2
        span = spans[index] if 0 <= index < len(spans) else None
        name = PurePath(code.co_filename).name
        if span is None:
            return Expression(code, (code, instruction), f"{name}:{code.co_firstlineno}")
        if code.co_filename not in self._files:
            self._files[code.co_filename] = _File(code.co_filename)
        file = self._files[code.co_filename]
        called, arguments = file.parts.get(span, ("", ()))
        return Expression(
            code, (code, span), f"{name}:{span[0]}", span, file.text(span),
            file.targets.get(span, ""), called, arguments,
        )  # fmt: skip


def _spans(code: CodeType) -> Iterator[Span | None]:
    for line, end, column, last in code.co_positions():
        known = line is not None and end is not None and column is not None and last is not None
        yield (line, column, end, last) if known else None  # type: ignore[misc]


class _File:
    """One source file, or the cell of a notebook."""

    def __init__(self, name: str) -> None:
        self._lines = [line.encode() for line in linecache.getlines(name)]
        self.targets: dict[Span, str] = {}
        self.parts: dict[Span, tuple[str, tuple[str, ...]]] = {}
        try:
            tree = ast.parse(b"".join(self._lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return  # edited since, or no Python at all: there are no names then, but still places
        for node in ast.walk(tree):
            self._note(node)

    def text(self, span: Span) -> str:
        """Return what stands there, on one line."""
        line, column, end, last = span
        rows = self._lines[line - 1 : end]
        if not rows:
            return ""
        rows[-1] = rows[-1][:last]
        rows[0] = rows[0][column:]
        return cleaned(b" ".join(row.strip() for row in rows).decode(errors="replace"))

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._name(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._name(node.target, node.value)
        elif isinstance(node, ast.Call):
            arguments = tuple(self.text(_span(a)) for a in node.args)
            self.parts[_span(node)] = (self.text(_span(node.func)), arguments)
        elif isinstance(node, ast.BinOp):
            operands = (self.text(_span(node.left)), self.text(_span(node.right)))
            self.parts[_span(node)] = ("", operands)

    def _name(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, part in zip(target.elts, value.elts, strict=False):
                self._name(one, part)
        elif isinstance(target, ast.Name | ast.Tuple):
            self.targets[_span(value)] = self.text(_span(target))
        elif isinstance(target, ast.Attribute):
            self.targets[_span(value)] = target.attr


def _span(node: ast.expr) -> Span:
    end, last = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    return node.lineno, node.col_offset, end, last


def cleaned(text: str) -> str:
    r"""Return text on one line, without what no font shows and no file may hold.

    Examples
    --------
    >>> cleaned("a\n  b\x00") == "a b\ufffd"
    True
    """
    words = " ".join(text.split())
    return "".join(c if c.isprintable() or c == " " else "\ufffd" for c in words)

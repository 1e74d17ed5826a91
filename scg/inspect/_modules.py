"""Which module of `scg.nn` a node belongs to, from the names of the parameters it uses.

Nothing is recorded when a module runs. But a parameter is named by its path, `encoder.0.weight`, so
the operation that uses it is the layer `encoder.0`; what the same call made besides, such as the
activations, is of `encoder`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from scg.inspect._expressions import Expressions
from scg.inspect._places import Point, StandIn
from scg.tape import DrawNode, Leaf, Node

__all__ = ["Home", "Path", "homes", "path_of_parameter"]

Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Home:
    """The module that a node belongs to, and the how manieth run of it."""

    path: Path
    run: int


def path_of_parameter(leaf: Leaf, expressions: Expressions) -> Path:
    """Return the module that owns a parameter; empty if it is a variable of its own.

    A network that is not part of a larger module has parameters named `0.weight` or `weight`, or
    nothing yet; then it is called as the variable that it was assigned to, or by its class.
    """
    path = tuple((leaf.label or "").split("."))[:-1]
    named = bool(path) and not path[0].isdigit()
    made = expressions.of(leaf)
    if named or made.last_name in ("", "parameter"):
        return path
    return (made.target or made.last_name, *path)


def homes(points: Sequence[Point], expressions: Expressions) -> dict[Point, Home]:
    """Return the homes of all nodes that have one; `points` are newest first."""
    paths = _owned(points, expressions)
    if not paths:
        return {}
    _adopt_by_call(points, paths, expressions)
    _adopt_between(points, paths)
    return _numbered(points, paths)


def _owned(points: Sequence[Point], expressions: Expressions) -> dict[Point, Path]:
    """Give each operation on parameters the common part of their paths."""
    known: dict[Leaf, Path] = {}
    found: dict[Point, Path] = {}
    for point in points:
        if not _is_op(point):
            continue
        leaves = [p for p in point.parents if isinstance(p, Leaf)]
        for leaf in leaves:
            if leaf not in known:
                known[leaf] = path_of_parameter(leaf, expressions)
        path = _shared([known[leaf] for leaf in leaves if known[leaf]])
        if path:
            found[point] = path
    return found


def _shared(paths: Sequence[Path]) -> Path:
    """Return the modules that all paths lead through."""
    common: list[str] = []
    for names in zip(*paths, strict=False):
        if len(set(names)) > 1:
            break
        common.append(names[0])
    return tuple(common)


def _is_op(point: Point) -> bool:
    return isinstance(point, Node) and point.op is not None and not isinstance(point, DrawNode)


def _adopt_by_call(
    points: Sequence[Point], paths: dict[Point, Path], expressions: Expressions
) -> None:
    """Take in what the call of a library module made besides its affine maps."""
    tops: dict[Hashable, set[str]] = {}
    for point, path in paths.items():
        if isinstance(point, Node):
            tops.setdefault(expressions.of(point).spot, set()).add(path[0])
    for point in points:
        if isinstance(point, StandIn) or point in paths or not _is_op(point):
            continue
        found = tops.get(expressions.of(point).spot, ())
        if len(found) == 1:
            paths[point] = tuple(found)


def _adopt_between(points: Sequence[Point], paths: dict[Point, Path]) -> None:
    """Take in what a user's module does between its parts: `self.fc2(scg.tanh(self.fc1(x)))`."""
    above: dict[Point, str] = {}  # the module that all consumers of a node are in
    for point in points:
        top = _top(point, paths, above)
        for parent in point.parents:
            if parent is not None:
                above[parent] = top if above.get(parent, top) == top else ""
    below: dict[Point, str] = {}
    for point in reversed(points):
        if point not in paths and _is_call_of_module(point):
            tops = {_top(p, paths, below) for p in point.parents if p is not None} - {""}
            below[point] = tops.pop() if len(tops) == 1 else ""
            if below[point] and below[point] == above.get(point):
                paths[point] = (below[point],)


def _top(point: Point, paths: dict[Point, Path], others: dict[Point, str]) -> str:
    path = paths.get(point)
    if path is not None:
        return path[0]
    return others.get(point, "") if _is_call_of_module(point) else ""


def _is_call_of_module(point: Point) -> bool:
    return (
        isinstance(point, Node) and point.code.co_name in ("__call__", "forward") and _is_op(point)
    )


def _numbered(points: Sequence[Point], paths: dict[Point, Path]) -> dict[Point, Home]:
    """Tell the runs of a module apart: a new one begins where a layer is applied again."""
    runs: dict[str, int] = {}
    used: dict[str, set[tuple[str, Leaf]]] = {}
    found: dict[Point, Home] = {}
    for point in reversed(points):
        path = paths.get(point)
        if path is None or isinstance(point, StandIn):
            continue
        top = path[0]
        steps = {(point.name, p) for p in point.parents if isinstance(p, Leaf)}
        if steps & used.setdefault(top, set()):
            runs[top], used[top] = runs.get(top, 0) + 1, set()
        used[top] |= steps
        found[point] = Home(path, runs.get(top, 0))
    return found

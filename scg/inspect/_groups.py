"""Which nodes are drawn as one: the parts of an expression, the run of a module, a loop's turns."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from scg.errors import OptionError
from scg.inspect._expressions import Expressions
from scg.inspect._modules import Home, Path, homes, path_of_parameter
from scg.inspect._places import Point, StandIn
from scg.inspect._scene import Scene
from scg.tape import DrawNode, Leaf, Node

__all__ = ["MOST", "PAGE", "Group", "Groups"]

PAGE = 40  # more items than this do not fit on one: then what a line makes is drawn once
MOST = 400  # items; more nobody can read, and dot takes minutes


@dataclass(slots=True, eq=False)
class Group:
    """Nodes that are drawn as one item.

    Attributes
    ----------
    kind : str
        As of an item.
    members : list of Point
        One for each time that it happened, newest first.
    path : tuple of str
        The module that it is, or is in.
    ops : Counter
        The operations in the newest member.
    """

    kind: str
    members: list[Point] = field(default_factory=list)
    path: Path = ()
    ops: Counter[str] = field(default_factory=Counter)
    _orders: list[int] = field(default_factory=list)

    @property
    def newest(self) -> Point:
        """The member whose shape and line are shown."""
        return self.members[0]

    @property
    def count(self) -> int:
        """How often it happened."""
        return len(self.members)

    def sort(self) -> None:
        """Note when the members were made."""
        self._orders = [member.order for member in reversed(self.members)]

    def hands_on(self, member: Point, other: Group, user: Point) -> bool:
        """Tell whether another group uses a member in a later turn of the loop they are in."""
        if self.count < 2 or other.count < 2:
            return False
        if self._orders[0] > other._orders[0]:
            return True
        latest = self._orders[bisect_left(self._orders, user.order) - 1]
        return self is other or member.order < latest


class Groups:
    """The groups of a scene.

    Parameters
    ----------
    depth : int or None
        How many levels of modules are opened; None draws every operation by itself.
    """

    def __init__(self, scene: Scene, expressions: Expressions, depth: int | None) -> None:
        self.scene, self.expressions, self.depth = scene, expressions, depth
        self._levels = None if depth is None else max(depth, 1)
        self._homes = homes(scene.points, expressions)
        self._firsts: dict[Hashable, Point] = {}
        self._roots: dict[Point, Point] = {}
        self._gather()
        roots = dict.fromkeys(self._roots.values())
        if depth is None and len(roots) > MOST:
            raise OptionError(
                f"with depth=None the picture would have {len(roots)} nodes, more than anybody can "
                "read; leave it out, and what a line makes again and again is drawn once"
            )
        self.folded = depth is not None and len(roots) > PAGE
        self.groups: dict[Hashable, Group] = {}
        self._of_root: dict[Point, Group] = {}
        for root in roots:
            self._of_root[root] = self._place(root)
        for group in self.groups.values():
            group.sort()
        self._count_ops()

    def __iter__(self) -> Iterator[Group]:
        """Yield the groups, newest first."""
        return iter(self.groups.values())

    def of(self, point: Point) -> Group:
        """Return the group of a point."""
        return self._of_root[self._roots[point]]

    def knows(self, point: Point) -> bool:
        """Tell whether a point is in the picture."""
        return point in self._roots

    def root_of(self, point: Point) -> Point:
        """Return the member of its group that a point is a part of."""
        return self._roots[point]

    def shown(self) -> Iterator[Point]:
        """Yield the points of the newest members, on which what is said of a group rests."""
        newest = {group.newest for group in self}
        return (point for point, root in self._roots.items() if root in newest)

    # --- the parts of one member ----------------------------------------------------------------

    def _gather(self) -> None:
        """Join each point to what it is a part of, newest first: its consumers are known by then.

        What is joined to a consumer has no other, so no cycle can arise.
        """
        claims: dict[Point, Point | None] = {}
        for point in self.scene.points:
            root = self._roots[point] = self._root(point, claims.get(point))
            for parent in self.scene.operands(point):
                claims[parent] = root if claims.get(parent, root) is root else None

    def _root(self, point: Point, claim: Point | None) -> Point:
        if isinstance(point, StandIn | DrawNode) or point in self.scene.costs:
            return point
        if isinstance(point, Leaf):
            return self._root_of_parameter(point)
        if point.name == "external":
            return self._root_of_answer(point)
        home = self._homes.get(point)
        if home is not None:
            closed = self._levels is not None and len(home.path) >= self._levels
            return self._first((home.path[: self._levels], home.run), point) if closed else point
        if claim is not None and self._is_part(point, claim):
            return claim
        return self._root_of_output(point)

    def _first(self, key: Hashable, point: Point) -> Point:
        return self._firsts.setdefault(key, point)

    def _root_of_parameter(self, leaf: Leaf) -> Point:
        """Draw the parameters of a closed module as one symbol."""
        path = path_of_parameter(leaf, self.expressions)
        closed = self._levels is not None and path
        return self._first(("parameters", path[: self._levels]), leaf) if closed else leaf

    def _root_of_output(self, point: Node) -> Point:
        """Draw a call with several results once, such as that of `scg.split`."""
        called = self.expressions.of(point)
        if self.depth is None or called.last_name in ("", point.name):
            return point
        return self._first((called.spot, point.name, point.parents), point)

    def _root_of_answer(self, point: Node) -> Point:
        """Draw a call of the outside world once, however many numbers it answers with."""
        if len(point.parents) == 1 and (state := point.parents[0]) is not None:
            same = self.expressions.of(state).spot == self.expressions.of(point).spot
            if same and state.name == "external":
                return state
        return point

    def _is_part(self, point: Node, root: Point) -> bool:
        """Tell whether a node computes a part of the expression that its only consumer stands in.

        The circle of a draw holds what its distribution does to the parameters, and nothing that
        the user wrote.
        """
        if self.depth is None or root in self._homes:
            return False
        inner = self.expressions.of(point)
        outer = self.expressions.of(root.node if isinstance(root, StandIn) else root)
        if isinstance(root, DrawNode):
            family = "" if root.site is None else type(root.site.distribution).__name__
            return inner.last_name in (family, "sample")
        if inner.spot == outer.spot:  # of one call with several steps; or of the next turn
            return inner.last_name not in ("", point.name)
        return outer.holds(inner)

    # --- members that are drawn as one ----------------------------------------------------------

    def _place(self, root: Point) -> Group:
        kind, path = self._kind(root)
        key = self._key(root, kind, path) if self.folded else root
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group(kind, path=path)
        group.members.append(root)
        return group

    def _kind(self, root: Point) -> tuple[str, Path]:
        """Return what a member is, and the module it is or is in."""
        if root in self.scene.costs:
            return "cost", ()
        if isinstance(root, DrawNode | StandIn):
            return "draw", ()
        if isinstance(root, Leaf):
            path = path_of_parameter(root, self.expressions)
            return "parameter", path[: self._levels]
        if root.name == "external":
            return "world", ()
        home: Home | None = self._homes.get(root)
        if home is None:
            return "op", ()
        closed = self._levels is not None and len(home.path) >= self._levels
        return ("module" if closed else "op"), home.path[: self._levels]

    def _key(self, root: Point, kind: str, path: Path) -> Hashable:
        """Return what members that are drawn as one have in common."""
        node = root.node if isinstance(root, StandIn) else root
        place = self.expressions.of(node).spot
        if kind == "module":
            return kind, path, place
        name = "" if isinstance(root, Leaf) else node.name
        return kind, path, place, name, self._decided(root)

    def _decided(self, root: Point) -> Hashable:
        """Return what was decided for a draw: others of that line may go other ways."""
        record = self.record(root)
        if record is None:
            return None
        return tuple(record.routes), record.cause, record.distribution

    def record(self, point: Point) -> Any:
        """Return what an audit says of a draw; None if it is none."""
        if isinstance(point, StandIn):
            return None if point.draw is None else self.scene.records.get(point.draw)
        if isinstance(point, DrawNode) and point.site is not None:
            return self.scene.records.get(point.site.draw)
        return None

    def _count_ops(self) -> None:
        for point in reversed(list(self.shown())):
            if isinstance(point, Node) and point.op is not None:
                self.of(point).ops[point.name] += 1

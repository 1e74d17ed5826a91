"""What a random program contains, found by walking its statements."""

from __future__ import annotations

from collections import defaultdict

from scg.testing._programs.syntax import (
    Append,
    Call,
    Cost,
    Episode,
    If,
    Let,
    Name,
    Repeat,
    Sample,
    Stop,
)

FEATURES = ("branch", "loop", "nested draws", "jump and smooth cost", "batch axis", "reduction")
JUMPS = {"where_above", "sign", "floor_sigmoid", "choose_larger", "above"}
REDUCTIONS = {"sum", "mean", "sum_axis", "mean_axis"}


def features(program):
    """Return which of `FEATURES` a program has."""
    walk = _Walk()
    walk.block(program.body, {})
    both = {"smooth", "jump"}
    if any(both <= walk.costs[draw] for draw in walk.continuous):
        walk.found.add("jump and smooth cost")
    return walk.found


class _Walk:
    """Follows which draws reach what, and whether by a jump: {draw: "smooth" or "jump"}."""

    def __init__(self):
        self.found = set()
        self.costs = defaultdict(set)  # of each draw, how costs depend on it
        self.continuous = set()
        self.known = {}

    def block(self, body, control):
        for s in body:
            self.statement(s, control)

    def statement(self, s, control):
        if isinstance(s, Sample):
            self._sample(s, control)
        elif isinstance(s, Let):
            self.known[s.name] = self.merged(self.reach(s.value), control)
        elif isinstance(s, Cost | Append):
            for draw, kind in self.merged(self.reach(s.value), control).items():
                self.costs[draw].add(kind)
        elif isinstance(s, Episode):
            self.block(s.body, control)
        else:
            self._control(s, control)

    def _sample(self, s, control):
        above = {}
        for _, e in s.arguments:
            above = self.merged(above, self.reach(e))
        if above:
            self.found.add("nested draws")
        if any(n >= 2 for n in s.full):
            self.found.add("batch axis")
        if s.family in ("Normal", "Uniform"):
            self.continuous.add(s.name)
        self.known[s.name] = {**self.merged(above, control), s.name: "smooth"}

    def _control(self, s, control):
        by = {draw: "jump" for draw in self.reach(s.count if isinstance(s, Repeat) else s.test)}
        inner = self.merged(control, by)
        if isinstance(s, If):
            self.found |= {"branch"} if by else set()
            self.block((*s.body, *s.orelse), inner)
        elif isinstance(s, Repeat):
            stops = any(isinstance(t, Stop) for t in s.body)
            self.found |= {"loop"} if by or stops else set()
            self.block(s.body, inner)

    def reach(self, e):
        if isinstance(e, Name):
            return self.known.get(e.name, {})
        if not isinstance(e, Call):
            return {}
        total = {}
        for a in e.args:
            total = self.merged(total, self.reach(a))
        if e.op in REDUCTIONS and total:
            self.found.add("reduction")
        if e.op in ("ternary", "pick") and self.reach(e.args[0]):
            self.found.add("branch")
        return dict.fromkeys(total, "jump") if e.op in JUMPS else total

    @staticmethod
    def merged(first, second):
        kinds = {**first}
        for draw, kind in second.items():
            kinds[draw] = "jump" if "jump" in (kind, kinds.get(draw)) else kind
        return kinds

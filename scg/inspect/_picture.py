"""What a picture consists of: items, edges between them, and boxes around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Box", "Drawing", "Edge", "Item", "Line"]


class Line(NamedTuple):
    """One line of a label.

    Attributes
    ----------
    text : str
        What it says, unescaped.
    tone : {"plain", "quiet", "good", "score", "bad"}
        How it looks.
    """

    text: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Box:
    """A frame around items.

    Attributes
    ----------
    kind : {"plate", "loop", "module"}
        What its items share: a batch axis, repetition, a module.
    title : str
        What it says.
    key : object
        Tells boxes with equal titles apart; of a loop, how often it turned.
    """

    kind: str
    title: str
    key: object = None


@dataclass(slots=True, eq=False)
class Item:
    """One node of the picture.

    Attributes
    ----------
    kind : str
        `parameter` and `input` are bare symbols, `op`, `module` and `world` squares, `draw` and
        `log_prob` circles, `cost` a diamond, `sum` the surrogate.
    title : str
        What it is called.
    family : str
        Of a draw: its distribution.
    index : str
        A subscript that tells it from others of that title.
    lines : list of Line
        What else is said of it.
    boxes : tuple of Box
        Around it, outermost first.
    """

    kind: str
    title: str
    family: str = ""
    index: str = ""
    lines: list[Line] = field(default_factory=list)
    boxes: tuple[Box, ...] = ()


@dataclass(slots=True, eq=False)
class Edge:
    """An arrow.

    Attributes
    ----------
    tail, head : Item
        From where to where.
    kind : {"data", "control", "next"}
        Through values, through what Python read, or into the next turn of a loop.
    forced : bool
        For this step a draw had to be scored.
    label : str
        What it says.
    """

    tail: Item
    head: Item
    kind: str = "data"
    forced: bool = False
    label: str = ""


@dataclass(slots=True)
class Drawing:
    """All of a picture.

    Attributes
    ----------
    items : list of Item
    edges : list of Edge
    notes : tuple of str
        Warnings below it.
    legend : str
        What holds where nothing is said.
    """

    items: list[Item] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    legend: str = ""

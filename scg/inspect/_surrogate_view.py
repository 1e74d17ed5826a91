"""The surrogate drawn: which cost meets which log-probability, and with what weight."""

from __future__ import annotations

from scg._surrogate.reach import identity_axes
from scg.inspect._contract import contracted
from scg.inspect._groups import Group, Groups
from scg.inspect._labels import TIMES, symbol_of, weight_of
from scg.inspect._meetings import Meeting, meetings
from scg.inspect._picture import Drawing, Edge, Item, Line
from scg.inspect._scene import Scene
from scg.inspect._words import axes_in_words

__all__ = ["costs_view", "surrogate_view"]

TERM = (f"the sum of weight{TIMES}cost", f"{TIMES}exp(log p - stop(log p))".strip())
_BETWEEN = frozenset({"op", "module", "world", "input", "parameter"})


def costs_view(drawing: Drawing, groups: Groups, items: dict[Group, Item]) -> Drawing:
    """Leave draws and costs, with an edge for each route between them."""
    edges = [
        Edge(items[m.draw], items[m.cost], label=f"{m.route}\n{m.words}".strip())
        for m in meetings(groups)
    ]
    control = {id(e.head) for e in drawing.edges if e.kind == "control"}
    met = {e.head for e in edges}
    rest = [e for e in drawing.edges if id(e.head) in control and e.head not in met]
    shown = [item for item in drawing.items if item.kind in ("draw", "cost")]
    return Drawing(shown, edges + rest, drawing.notes, drawing.legend)


def surrogate_view(drawing: Drawing, groups: Groups, items: dict[Group, Item]) -> Drawing:
    """Put the surrogate together: costs, the log-probabilities that they meet, and the sum."""
    found = list(meetings(groups))
    scored = {items[m.draw]: _log_prob(items[m.draw]) for m in found if m.route != "pathwise"}
    smooth = [(items[m.draw], items[m.cost]) for m in found if m.route == "pathwise"]
    opened = dict.fromkeys(draw for draw, _ in smooth)
    edges = [
        Edge(scored[items[m.draw]], items[m.cost], label=_label(m, groups.scene))
        for m in found
        if m.route != "pathwise"
    ]
    for edge in contracted(drawing, _BETWEEN).edges:
        if edge.tail in opened and edge.kind != "control":
            heads = [scored.get(edge.head), edge.head if edge.head in opened else None]
            heads += [edge.head] if (edge.tail, edge.head) in smooth else []
            edges += [Edge(edge.tail, head, edge.kind, label="pathwise") for head in heads if head]
    total = Item("sum", "surrogate", lines=[Line(words, "quiet") for words in TERM])
    costs = [item for item in drawing.items if item.kind == "cost"]
    edges += [Edge(item, total) for item in costs]
    shown = [*opened, *scored.values(), *costs, total]
    return Drawing(shown, edges, drawing.notes, drawing.legend)


def _log_prob(draw: Item) -> Item:
    """Return the item of a draw's log-probability."""
    kept = [line for line in draw.lines if line.text.startswith("baseline")]
    title = f"log p({draw.title})"
    return Item("log_prob", title, index=draw.index, lines=kept, boxes=draw.boxes)


def _label(meeting: Meeting, scene: Scene) -> str:
    """Say how a draw meets a cost: with what weight, which elements, and which of several."""
    weight, symbol = weight_of(meeting.cost, scene), symbol_of(meeting.cost, scene)
    how = f"weight {symbol}" if weight == "1" else f"weight {weight} times {symbol}"
    seldom = "by the probability of each outcome" if meeting.route == "enumerate" else ""
    return "\n".join(filter(None, (how, seldom, _elements(meeting), meeting.words)))


def _elements(meeting: Meeting) -> str:
    """Say which elements of a cost meet which elements of a draw."""
    if not meeting.axes:
        return ""
    same = meeting.axes == identity_axes(len(meeting.axes))
    return "element by element" if same else axes_in_words(meeting.axes)

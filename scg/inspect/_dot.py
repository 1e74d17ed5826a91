r"""From a drawing to the language of Graphviz.

Every text of the user goes through `escaped`. Labels are Graphviz's subset of HTML, in which a
backslash would begin an escape such as `\N` and is therefore written as an entity.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from scg.inspect._expressions import cleaned
from scg.inspect._picture import Box, Drawing, Edge, Item, Line

__all__ = ["escaped", "to_dot"]

FONT = "Helvetica"
WIDTH = 36  # characters in a line of a label
INK, QUIET, GOOD, SCORE, BAD = "#222222", "#777777", "#1b7837", "#9a5b00", "#c00000"
_COLOURS = {"plain": INK, "quiet": QUIET, "good": GOOD, "score": SCORE, "bad": BAD}
_SHAPES: dict[str, dict[str, str]] = {
    "parameter": {"shape": "plain", "margin": "0.03"},
    "input": {"shape": "plain", "margin": "0.03"},
    "op": {"shape": "box"},
    "module": {"shape": "box", "style": "filled", "fillcolor": "#eef2f7"},
    "world": {"shape": "box", "peripheries": "2"},
    "draw": {"shape": "ellipse", "style": "filled", "fillcolor": "#fffbe8"},
    "log_prob": {"shape": "ellipse", "style": "filled", "fillcolor": "#fffbe8"},
    "cost": {"shape": "diamond", "style": "filled", "fillcolor": "#f3eaf7"},
    "sum": {"shape": "plain"},
}
_BOXES = {
    "plate": {"style": "rounded", "color": "#8899aa", "labeljust": "r", "labelloc": "b"},
    "loop": {"style": "rounded,dashed", "color": "#aa8866", "labeljust": "l", "labelloc": "t"},
    "module": {
        "style": "filled",
        "color": "#d5dde8",
        "fillcolor": "#f7f9fc",
        "labeljust": "l",
        "labelloc": "t",
    },
}


def to_dot(drawing: Drawing) -> Any:
    """Return a drawing as a `graphviz.Digraph`."""
    import graphviz  # not above: only who draws has to wait for it

    dot = graphviz.Digraph(
        graph_attr={"fontname": FONT, "fontsize": "10", "nodesep": "0.25", "ranksep": "0.35"},
        node_attr={"fontname": FONT, "fontsize": "11", "color": INK, "margin": "0.08,0.05",
                   "height": "0.3"},
        edge_attr={"fontname": FONT, "fontsize": "9", "arrowsize": "0.6", "color": INK},
    )  # fmt: skip
    names = {item: f"n{number}" for number, item in enumerate(drawing.items)}
    _Clusters(names).add(dot, drawing.items, 0)
    for edge in drawing.edges:
        dot.edge(names[edge.tail], names[edge.head], **_edge_style(edge))
    notes = [Line(drawing.legend, "quiet"), *(Line(note, "bad") for note in drawing.notes)]
    dot.attr(label=_html(notes, width=90), labelloc="b")
    return dot


class _Clusters:
    """Writes items into nested subgraphs."""

    def __init__(self, names: dict[Item, str]) -> None:
        self._names = names
        self._count = 0

    def add(self, dot: Any, items: Sequence[Item], level: int) -> None:
        """Add items whose boxes up to a level are open."""
        inside: dict[Box, list[Item]] = {}
        for item in items:
            if len(item.boxes) > level:
                inside.setdefault(item.boxes[level], []).append(item)
            else:
                dot.node(self._names[item], **_node_style(item))
        for box, held in inside.items():
            self._count += 1
            with dot.subgraph(name=f"cluster{self._count}") as cluster:
                label = _html([Line(box.title, "quiet")])
                cluster.attr(label=label, **_BOXES[box.kind])
                self.add(cluster, held, level + 1)


def _node_style(item: Item) -> dict[str, str]:
    return {"label": _label(item), **_SHAPES[item.kind]}


def _label(item: Item) -> str:
    title = _rows(Line(item.title), WIDTH)
    if item.index:
        title = f'{title}<SUB><FONT POINT-SIZE="8">{escaped(item.index)}</FONT></SUB>'
    if item.kind in ("parameter", "input", "sum"):
        title = f"<I>{title}</I>"
    family = f" ~ {escaped(item.family)}" if item.family else ""
    return f"<{title}{family}" + "".join(f"<BR/>{_row(line)}" for line in item.lines) + ">"


def _edge_style(edge: Edge) -> dict[str, str]:
    style: dict[str, str] = {}
    colour = BAD if edge.forced else INK
    if edge.kind == "control":
        style |= {"style": "dashed"}
    if edge.kind == "next":
        style |= {"constraint": "false", "arrowhead": "empty"}
    if edge.forced:
        style |= {"color": BAD, "penwidth": "1.6"}
    lines = [line for line in edge.label.split("\n") if line]
    if edge.kind == "next":
        lines.append("next turn")
    if lines:
        rows = "<BR/>".join(f'<FONT COLOR="{colour}">{_rows(Line(x), WIDTH)}</FONT>' for x in lines)
        style["label"] = f"<{rows}>"
    return style


# --- text -----------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    r"""Return text that Graphviz shows as it is.

    Examples
    --------
    >>> escaped('<b>"a" & \\N')
    '&lt;b&gt;&quot;a&quot; &amp; &#92;N'
    """
    return html.escape(cleaned(text), quote=True).replace("\\", "&#92;")


def _html(lines: Sequence[Line], width: int = WIDTH) -> str:
    return "<" + "<BR/>".join(_row(line, width) for line in lines) + ">"


def _row(line: Line, width: int = WIDTH) -> str:
    colour = _COLOURS[line.tone]
    size = ' POINT-SIZE="9"' if line.tone == "quiet" else ""
    return f'<FONT COLOR="{colour}"{size}>{_rows(line, width)}</FONT>'


def _rows(line: Line, width: int) -> str:
    return "<BR/>".join(_wrapped(line.text, width)) or " "


def _wrapped(text: str, width: int) -> Iterator[str]:
    rows = textwrap.wrap(cleaned(text), width, break_on_hyphens=False)
    yield from (escaped(row) for row in rows)

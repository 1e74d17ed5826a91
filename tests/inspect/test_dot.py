r"""The language of Graphviz: nothing that a user wrote is taken for a command."""

import re
import shutil
from xml.etree import ElementTree

import graphviz
import pytest

import scg
from scg.inspect._dot import escaped, to_dot
from scg.inspect._picture import Box, Drawing, Edge, Item, Line

HOSTILE = [
    '<b>bold</b>', '"quoted"', r"\N \G \L \E", "a\\", ">", "<", "-->", "]; evil -> evil [",
    "line\nbreak", "&amp;&#65;", "</TABLE>", '<IMG SRC="/etc/passwd"/>', "\x00\x1b[31m", "\ud800",
    "ℵ₀ · 名前 · 🎲", "\u202eright to left", "{a|b}", "",
]  # fmt: skip


def labels(source):
    return re.findall(r"label=<(.*)>(?: [a-z]+=.*)?\]?$", source, flags=re.MULTILINE)


@pytest.mark.parametrize("text", HOSTILE, ids=repr)
def test_hostile_text_stays_text_wherever_it_stands(text):
    box = Box("plate", text)
    first, second = Item("draw", text, text, text, [Line(text)], (box,)), Item("cost", text)
    edge = Edge(first, second, label=f"{text}\n{text}")
    drawing = Drawing([first, second], [edge], notes=(text,), legend=text)
    source = to_dot(drawing).source
    assert source.count("->") == 1
    found = [line.strip() for line in source.splitlines()]
    assert sum(line.startswith("n") and "->" not in line.split("[")[0] for line in found) == 3
    for label in labels(source):
        root = ElementTree.fromstring(f"<x>{label}</x>")  # well-formed
        assert {e.tag for e in root.iter()} <= {"x", "I", "SUB", "FONT", "BR"}
        assert "\\" not in label
    source.encode()


def test_hostile_text_comes_out_as_it_was_put_in():
    text = """<b> & "q" 'a' \\N"""
    assert ElementTree.fromstring(f"<x>{escaped(text)}</x>").text == text


def test_hostile_names_of_a_program_reach_the_picture():
    name = '"]; n9 -> n9; <b>\\N'
    p = scg.parameter(0.3, name=name)
    b = scg.Bernoulli(p).sample(name=name)
    source = scg.to_graphviz((b - 0.45) ** 2).source
    assert "n9 -> n9" not in source
    assert source.count(escaped(name)) == 2


def test_boxes_are_nested_clusters():
    plate, loop = Box("plate", "plate of 8"), Box("loop", "3 times")
    items = [Item("op", "a", boxes=(plate, loop)), Item("op", "b", boxes=(plate,)), Item("op", "c")]
    source = to_dot(Drawing(items)).source
    assert source.count("subgraph cluster") == 2
    depth = [line.count("\t") for line in source.splitlines() if re.match(r"\s*n\d", line)]
    assert sorted(depth) == [1, 2, 3]


def test_kinds_look_as_in_the_paper():
    kinds = ["parameter", "input", "op", "module", "world", "draw", "cost"]
    source = to_dot(Drawing([Item(kind, kind) for kind in kinds])).source
    shapes = dict(re.findall(r"n(\d) \[.*shape=(\w+)", source))
    assert [shapes[str(n)] for n in range(7)] == [
        "plain", "plain", "box", "box", "box", "ellipse", "diamond",
    ]  # fmt: skip


def test_edges_look_as_in_the_paper():
    a, b = Item("op", "a"), Item("op", "b")
    edges = [Edge(a, b), Edge(a, b, "control"), Edge(a, b, forced=True), Edge(a, a, "next")]
    plain, dashed, red, back = re.findall(r"n\d -> n\d.*", to_dot(Drawing([a, b], edges)).source)
    assert "[" not in plain
    assert "dashed" in dashed
    assert '"#c00000"' in red
    assert "next turn" in back and "constraint=false" in back


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_dot_reads_what_was_written():
    items = [Item("draw", text or " ", text, "1", [Line(text, "bad")]) for text in HOSTILE]
    dot = to_dot(Drawing(items, [Edge(items[0], item, label=item.title) for item in items]))
    assert isinstance(dot, graphviz.Digraph)
    drawn = dot.pipe(format="svg", quiet=True).decode()
    nodes = re.findall('class="node"', drawn)
    assert len(nodes) == len(HOSTILE)
    assert "<image" not in drawn and "<script" not in drawn

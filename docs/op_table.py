"""The directive `op-table`: one row per public op, read from the registry at build time."""

from __future__ import annotations

import csv
import io
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

import scg
from scg._op import OPS, UNLIMITED, Op
from scg.tape import NONNEGATIVE, POSITIVE

HEADER = (
    "op",
    "what it computes",
    "smoothness in each input",
    "output",
    "derivatives",
    "checked against",
)


def smoothness(record: Op) -> str:
    """Name the class of each input; statics without a default leave it to the call."""
    if callable(record.smooth) and set(record.static_names) - set(record.defaults):
        return "depends on the arguments"
    classes = record.smoothness(len(record.inputs), record.defaults)
    names = [smooth.name.lower() for smooth in classes]
    if len(set(names)) == 1:
        return names[0]
    return ", ".join(f"{x}: {name}" for x, name in zip(record.inputs, names, strict=True))


def sign(record: Op) -> str:
    """Say what is known of the output whatever the inputs are."""
    if callable(record.sign):
        return "from the inputs"
    if record.sign & POSITIVE:
        return "> 0"
    return ">= 0" if record.sign & NONNEGATIVE else ""


def order(record: Op) -> str:
    """Say how often the op can be differentiated."""
    if record.vjp is None:
        return "none"
    return "any order" if record.max_order == UNLIMITED else f"up to order {record.max_order}"


def reference(record: Op) -> str:
    """Name the public function that the tests compare with."""
    for function in record.numpy or (record.reference,):
        module = (getattr(function, "__module__", "") or "numpy").partition(".")[0]
        name = getattr(function, "__name__", "")
        if name.isidentifier() and module in ("numpy", "scipy"):
            return f"``{module}: {name}``"
    return ""


def row(record: Op) -> tuple[str, ...]:
    """Describe one op."""
    summary = record.doc.partition("\n")[0].replace("`", "``")
    link = f":func:`{record.name} <scg.{record.name}>`"
    return link, summary, smoothness(record), sign(record), order(record), reference(record)


class OpTable(Directive):
    """Write the registry as a table."""

    def run(self) -> list[nodes.Node]:
        """Render the rows through a csv-table, so that their links resolve."""
        text = io.StringIO()
        csv.writer(text).writerows(
            [HEADER, *(row(OPS[name]) for name in sorted(OPS) if name in scg.__all__)]
        )
        lines = [".. csv-table::", "   :header-rows: 1", ""]
        lines += [f"   {line}" for line in text.getvalue().splitlines()]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source=__file__), self.content_offset, container)
        return container.children


def setup(app: Any) -> dict[str, bool]:
    """Register the directive; importing scg has filled the registry."""
    app.add_directive("op-table", OpTable)
    return {"parallel_read_safe": True}

"""The user's own words for a node."""

import scg
from scg.inspect._expressions import Expressions, cleaned


def expression(x):
    return Expressions().of(x._node)


def test_an_operator_is_shown_as_it_was_written():
    w = scg.parameter(2.0)
    found = expression((w - 0.5)   **   2)  # fmt: skip
    assert found.text == "(w - 0.5) ** 2"
    assert found.arguments == ("(w - 0.5)"[1:-1], "2")
    assert found.line.startswith("test_expressions.py:")


def test_an_expression_on_several_lines_becomes_one():
    w = scg.parameter([2.0, 1.0])
    found = expression(
        scg.maximum(
            w,
            1.5,
        )
    )
    assert found.text == "scg.maximum( w, 1.5, )"
    assert (found.called, found.last_name, found.arguments) == ("scg.maximum", "maximum",
                                                                ("w", "1.5"))  # fmt: skip


def test_names_come_from_assignments():
    a, b = scg.parameter(1.0), scg.parameter(2.0)
    first, second = scg.split(scg.tanh(scg.parameter([1.0, 2.0])), 2)
    box = type("Box", (), {})()
    box.size = scg.parameter(3.0)
    assert expression(a).target == "a"
    assert expression(b).target == "b"
    assert expression(box.size).target == "size"
    assert expression(first).target == expression(second).target == "first, second"
    if (walrus := a * 3.0) is not None:
        assert expression(walrus).target == "walrus"
    annotated: scg.Tensor = a * 4.0
    assert expression(annotated).target == "annotated"
    assert expression(a * 5.0).target == ""


def test_a_part_lies_within_the_whole():
    w = scg.parameter(2.0)
    looked = Expressions()
    whole = (w - 0.5) * 3.0 + 1.0
    product = whole._node.parents[0]
    assert looked.of(whole._node).holds(looked.of(product))
    assert not looked.of(product).holds(looked.of(whole._node))


def test_without_source_there_is_a_line_and_no_text():
    names = {"scg": scg}
    exec(compile("x = scg.parameter(1.0)\n\ny = x * 2.0", "<typed>", "exec"), names)
    found = expression(names["y"])
    assert (found.line, found.text, found.target) == ("<typed>:3", "", "")


def test_source_that_was_edited_since_does_no_harm(tmp_path):
    path = tmp_path / "program.py"
    code = compile("\n\ny = scg.parameter(1.0) * 2.0", str(path), "exec")
    path.write_text("no python at all (\n")
    names = {"scg": scg}
    exec(code, names)
    assert expression(names["y"]).text == ""


def test_what_no_font_shows_is_replaced():
    assert cleaned("a\tb\n\x00\u202e\ud800") == "a b \ufffd\ufffd\ufffd"

"""Test the tester: faults planted in the text of the real op files must fail the checks."""

import ast
import inspect
import math
import sys

import numpy as np
import pytest
from harness import (
    FLOATS,
    cases,
    check_axes,
    check_complex_step,
    check_float32_vjp,
    check_fresh,
    check_shape,
    check_value,
    check_vjp,
    has_gradient,
)
from smoothness import check_smoothness

from scg._axes import Along
from scg._elementwise import ElementwiseOp
from scg._op import KINK, OPS, POLE, SMOOTH, Op
from scg._partial import Partial

FAULTS = {"sign": -1.0, "factor": 1.01}
SLIGHT = 1 + 1e-9  # too little for differences to see
SLIGHT_IN = {FLOATS[0]: 1e-5, FLOATS[1]: 1e-13}
LOSS = 1024  # added and subtracted again it costs up to 6e-5 in float32, and 1e-13 in float64

FIELDS = ("vjp", "axes", "shape", "smooth", "reference", "rules", "_kept")


def differentiable(op):
    """Whether some case of the op has a gradient that is not zero everywhere."""
    return any(has_gradient(op, len(x), s) and len(x) for x, s in cases(op))


ELEMENTWISE = sorted(n for n, o in OPS.items() if isinstance(o, ElementwiseOp) and any(o.rules))
GENERAL = sorted(
    n for n, o in OPS.items()
    if not isinstance(o, ElementwiseOp) and o.vjp is not None and differentiable(o)
)  # fmt: skip


@pytest.fixture
def restore():
    """Undo whatever a test plants in an op."""
    saved = []

    def remember(op):
        saved.append((op, {n: getattr(op, n) for n in FIELDS}))
        return op

    yield remember
    for op, fields in saved:
        for name, value in fields.items():
            setattr(op, name, value)


def plant_in_derivative(op, x, factor):
    """Multiply one derivative of an elementwise op; its text, with `g` in it, is a declaration."""
    texts = {i: r.text for i, r in zip(op.inputs, op.rules, strict=True) if r is not None}
    op.set_derivatives({**texts, x: f"{factor} * ({texts[x]})"})


def with_derivative(op):
    return [i for i, r in zip(op.inputs, op.rules, strict=True) if r is not None]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_wrong_derivative_of_an_elementwise_op_is_caught(name, fault, restore):
    op = restore(OPS[name])
    for x in with_derivative(op):
        plant_in_derivative(op, x, FAULTS[fault])
        with pytest.raises(AssertionError):
            check_vjp(op, order=1)
        plant_in_derivative(op, x, 1 / FAULTS[fault])


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if OPS[n].samples.complex_step])
def test_a_slightly_wrong_derivative_is_caught_by_the_complex_step(name, restore):
    op = restore(OPS[name])
    for x in with_derivative(op):
        plant_in_derivative(op, x, SLIGHT)
        with pytest.raises(AssertionError):
            check_complex_step(op)
        plant_in_derivative(op, x, 1 / SLIGHT)


class _Returns(ast.NodeTransformer):
    """Send what is returned through `_plant` first."""

    def visit_Return(self, node):
        return ast.Return(ast.Call(ast.Name("_plant", ast.Load()), [node.value], []))


def _planted(value, factor, which):
    """Multiply the cotangent of one input."""
    if not isinstance(value, tuple):
        value = (value,)
    return tuple(times(v, factor) if i == which else v for i, v in enumerate(value))


def times(cotangent, factor):
    if not isinstance(cotangent, Partial):
        return None if cotangent is None else cotangent * factor
    values = cotangent.values * factor
    return Partial(values, cotangent.index, cotangent.shape, repeats=cotangent.repeats)


def mutated_vjp(rule, factor, which):
    """Recompile a vjp from its source with the cotangent of one input made wrong."""
    tree = ast.parse(inspect.cleandoc(inspect.getsource(rule)))
    function = tree.body[0]
    function.decorator_list = []
    function.returns = None
    _Returns().visit(function)
    ast.fix_missing_locations(tree)
    scope = {
        **sys.modules[rule.__module__].__dict__,
        "_plant": lambda value: _planted(value, factor, which),
    }
    exec(compile(tree, inspect.getfile(rule), "exec"), scope)
    return scope[function.name]


def inputs_with_cotangent(op):
    return sorted(
        {
            i
            for x, statics in cases(op)
            for i, smooth in enumerate(op.smoothness(len(x), statics))
            if op._passes(smooth) and x[i].dtype.kind == "f"
        }
    )


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", GENERAL)
def test_a_wrong_vjp_of_a_general_op_is_caught(name, fault, restore):
    op = restore(OPS[name])
    right = op.vjp
    for which in inputs_with_cotangent(op):
        op.set_vjp(mutated_vjp(right, FAULTS[fault], which))
        with pytest.raises(AssertionError):
            check_vjp(op, order=1)


@pytest.mark.parametrize("name", [n for n in GENERAL if OPS[n].samples.complex_step])
def test_a_slightly_wrong_vjp_is_caught_by_the_complex_step(name, restore):
    op = restore(OPS[name])
    right = op.vjp
    for which in inputs_with_cotangent(op):
        op.set_vjp(mutated_vjp(right, SLIGHT, which))
        with pytest.raises(AssertionError):
            check_complex_step(op)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_an_elementwise_slope_that_loses_digits_in_float32_is_caught(name, restore):
    op = restore(OPS[name])
    texts = {i: r.text for i, r in zip(op.inputs, op.rules, strict=True) if r is not None}
    for x, text in texts.items():
        op.set_derivatives({**texts, x: f"(({text}) + {LOSS}) - {LOSS}"})
        with pytest.raises(AssertionError, match="ulp off"):
            check_float32_vjp(op)


@pytest.mark.parametrize("name", GENERAL)
def test_a_fault_of_float32_cotangents_alone_is_caught(name, monkeypatch):
    op = OPS[name]
    right = Op.raw_vjp
    for which in inputs_with_cotangent(op):

        def faulty(self, node, g, needs, which=which):
            pulled = right(self, node, g, needs)
            single = [p is not None and p.dtype == np.float32 for p in node.parents]
            if self is not op or not any(single[which : which + 1]):
                return pulled
            return _planted(pulled, np.float32(1 + SLIGHT_IN[FLOATS[0]]), which)

        monkeypatch.setattr(Op, "raw_vjp", faulty)
        with pytest.raises(AssertionError, match="ulp off"):
            check_float32_vjp(op)


@pytest.mark.parametrize("name", ["reshape", "transpose", "where", "getitem", "maximum"])
def test_cotangents_wrongly_said_to_be_new_are_caught(name, monkeypatch):
    op = OPS[name]

    def handed_on(self, node, g, needs):
        return [g if need else None for need in needs]

    monkeypatch.setattr(op, "fresh", True)
    monkeypatch.setattr(Op, "raw_vjp", handed_on)
    monkeypatch.setattr(ElementwiseOp, "raw_vjp", handed_on)
    with pytest.raises(AssertionError, match=name):
        check_fresh(op)


def wrong(value, fault):
    """Return another value, of the same shape and kind."""
    value = np.asarray(value)
    if value.dtype.kind == "b":
        return ~value
    return value * (1 + fault) if value.dtype.kind == "f" else value + 1


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", sorted(OPS))
def test_a_value_that_is_not_the_references_is_caught(name, dtype, restore):
    op = restore(OPS[name])
    right, fault = op.reference, SLIGHT_IN[dtype]
    op.reference = lambda *xs, **statics: wrong(right(*xs, **statics), fault)
    with pytest.raises(AssertionError):
        check_value(op, dtype)


@pytest.mark.parametrize("name", sorted(OPS))
def test_a_shape_rule_with_an_axis_too_many_is_caught(name, restore):
    op = restore(OPS[name])
    right = op.shape
    op.shape = lambda *shapes, **statics: (*right(*shapes, **statics), 1)
    with pytest.raises(AssertionError):
        check_shape(op)


def shape_of_the_largest(*shapes, **_):
    return max(shapes, key=math.prod)


@pytest.mark.parametrize(
    "name", [n for n in sorted(OPS) if isinstance(OPS[n], ElementwiseOp) and len(OPS[n].inputs) > 1]
)
def test_a_shape_rule_that_forgets_broadcasting_is_caught(name, restore):
    op = restore(OPS[name])
    op.shape = shape_of_the_largest
    with pytest.raises(AssertionError):
        check_shape(op)


def everything_preserved(shapes, out, **_):
    """Claim that every input axis goes straight to an output axis of the same size."""
    return [
        tuple(
            Along(i) if i < len(out) and out[i] == n else Along(0) if out else None
            for i, n in enumerate(shape)
        )
        for shape in shapes
    ]


def claims_more(op):
    """Whether the false claim differs from the declared rule on some case that can show it."""
    for inputs, statics in cases(op):
        shapes = [np.shape(x) for x in inputs]
        out = op.shape(*shapes, **statics)
        if 0 in out or not out:
            continue
        declared = op.axes(shapes, out, **statics)
        for shape, d, c in zip(shapes, declared, everything_preserved(shapes, out), strict=True):
            if 0 not in shape and any(
                x is None and y is not None and n > 1 and out[y.axis] > 1
                for x, y, n in zip(d, c, shape, strict=True)
            ):
                return True
    return False


@pytest.mark.parametrize("name", sorted(n for n, o in OPS.items() if claims_more(o)))
def test_a_wrong_axis_rule_is_caught(name, restore):
    op = restore(OPS[name])
    op.axes = everything_preserved
    with pytest.raises(AssertionError):
        check_axes(op)


@pytest.mark.parametrize(
    "name", sorted(n for n, o in OPS.items() if len(o.inputs) == 1 and o.smooth in (KINK, POLE))
)
def test_a_wrong_smoothness_class_is_caught(name, restore):
    op = restore(OPS[name])
    op.smooth = SMOOTH
    with pytest.raises(AssertionError):
        check_smoothness(op)

"""Test the tester: faults planted in the text of the real op files must fail the checks."""

import ast
import inspect
import sys

import numpy as np
import pytest
from harness import cases, check_axes, check_smoothness, check_vjp, has_gradient

from scg._axes import Along
from scg._elementwise import ElementwiseOp
from scg._op import KINK, OPS, POLE, SMOOTH

FAULTS = {
    "sign": lambda e: ast.UnaryOp(ast.USub(), e),
    "factor": lambda e: ast.BinOp(ast.Constant(1.01), ast.Mult(), e),
}


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
        saved.append((op, {n: getattr(op, n) for n in ("vjp", "axes", "smooth", "rules", "_kept")}))
        return op

    yield remember
    for op, fields in saved:
        for name, value in fields.items():
            setattr(op, name, value)


def without_g(text):
    """Return what was declared: the derivative, or an expression that names `g` itself."""
    if text.startswith("g * (") and text.endswith(")"):
        return text.removeprefix("g * (").removesuffix(")")
    return {"g": "1", "-g": "-1"}.get(text, text)


def mutated_text(text, fault):
    return ast.unparse(FAULTS[fault](ast.parse(text, mode="eval").body))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_wrong_derivative_of_an_elementwise_op_is_caught(name, fault, restore):
    op = restore(OPS[name])
    whole = {x: without_g(r.text) for x, r in zip(op.inputs, op.rules, strict=True) if r}
    for x in whole:
        op.set_derivatives({**whole, x: mutated_text(whole[x], fault)})
        with pytest.raises(AssertionError):
            check_vjp(op, order=1)


class _Returns(ast.NodeTransformer):
    """Plant a fault in the one return statement with the given number."""

    def __init__(self, target, fault):
        self.target, self.fault, self.count = target, fault, -1

    def visit_Return(self, node):
        self.count += 1
        if self.count == self.target and node.value is not None:
            value = node.value
            if isinstance(value, ast.Tuple):
                value = ast.Tuple([_guarded(self.fault, e) for e in value.elts], ast.Load())
            else:
                value = _guarded(self.fault, value)
            return ast.Return(value)
        return node


def _guarded(fault, expression):
    """Apply the fault unless the expression is None at run time."""
    call = ast.Call(ast.Name("_plant", ast.Load()), [expression], [])
    return call if not isinstance(expression, ast.Constant) else expression


def _planted(value, fault):
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(_planted(v, fault) for v in value)
    return -value if fault == "sign" else value * 1.01


def mutated_vjp(rule, fault):
    """Recompile a vjp from its source with every returned cotangent made wrong."""
    tree = ast.parse(inspect.cleandoc(inspect.getsource(rule)))
    function = tree.body[0]
    function.decorator_list = []
    function.returns = None
    for target in range(sum(isinstance(n, ast.Return) for n in ast.walk(function))):
        function = _Returns(target, fault).visit(function)
    ast.fix_missing_locations(tree)
    scope = {**sys.modules[rule.__module__].__dict__, "_plant": lambda v: _planted(v, fault)}
    exec(compile(tree, inspect.getfile(rule), "exec"), scope)
    return scope[function.name]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", GENERAL)
def test_a_wrong_vjp_of_a_general_op_is_caught(name, fault, restore):
    op = restore(OPS[name])
    op.set_vjp(mutated_vjp(op.vjp, fault))
    with pytest.raises(AssertionError):
        check_vjp(op, order=1)


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

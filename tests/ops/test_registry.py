"""Every registered op against its own record: value, derivatives, shape, axes, smoothness."""

import numpy as np
import pytest
from harness import (
    FLOATS,
    check_axes,
    check_complex_step,
    check_edges,
    check_fan_out,
    check_float32_vjp,
    check_fresh,
    check_shape,
    check_value,
    check_vjp,
)  # fmt: skip
from smoothness import check_smoothness

import scg
from scg._op import OPS

NAMES = sorted(OPS)
every_op = pytest.mark.parametrize("name", NAMES)
every_dtype = pytest.mark.parametrize("dtype", FLOATS, ids=str)


@every_op
@every_dtype
def test_value_equals_reference(name, dtype):
    check_value(OPS[name], dtype)


@every_op
@every_dtype
def test_special_values_equal_reference(name, dtype):
    check_edges(OPS[name], dtype)


@every_op
def test_shape_rule_predicts_the_shape(name):
    check_shape(OPS[name])


@every_op
def test_vjp_equals_differences(name):
    check_vjp(OPS[name], order=1)


@pytest.mark.parametrize("name", [n for n in NAMES if OPS[n].samples.complex_step])
def test_vjp_equals_the_complex_step(name):
    check_complex_step(OPS[name])


@every_op
def test_second_order_equals_differences(name):
    check_vjp(OPS[name], order=2)


@every_op
def test_float32_vjp(name):
    check_float32_vjp(OPS[name])


@every_op
def test_fan_out_adds_cotangents(name):
    check_fan_out(OPS[name])


@every_op
def test_new_cotangents_belong_to_nobody_else(name):
    check_fresh(OPS[name])


@every_op
def test_axis_rule(name):
    check_axes(OPS[name])


@every_op
def test_smoothness_class(name):
    check_smoothness(OPS[name])


@every_op
def test_record_is_complete(name):
    op = OPS[name]
    assert op.reference is not None
    assert op.shape is not None
    assert op.samples is not None
    assert op.doc.splitlines()[0].endswith(".")


@every_op
def test_a_once_differentiable_op_refuses_twice(name):
    op = OPS[name]
    if op.max_order != 1 or op.vjp is None:
        return
    inputs, statics = next(iter(op.samples.cases(np.random.default_rng(0), FLOATS[1])))
    params = [scg.parameter(x) if np.asarray(x).dtype.kind == "f" else x for x in inputs]
    tracked = [p for p in params if isinstance(p, scg.Tensor)]
    with pytest.raises(scg.GradientError, match=name):
        scg.grad(op.public(*params, **statics).sum(), tracked, create_graph=True)

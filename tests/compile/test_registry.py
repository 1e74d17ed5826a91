"""Every op of the registry, compiled: values and gradients, and nothing taken for a constant."""

from functools import partial

import numpy as np
import pytest
from alike import check
from twice import differences

import scg
from scg._op import OPS

SEED = 20140
NAMES = sorted(OPS)
every_op = pytest.mark.parametrize("name", NAMES)


def cases(name, dtype, seed):
    return list(OPS[name].samples.cases(np.random.default_rng(seed), np.dtype(dtype)))


def is_float(x):
    return np.asarray(x).dtype.kind == "f"


def has_gradient(op, count, statics):
    return op.vjp is not None and any(op._passes(s) for s in op.smoothness(count, statics))


def program(op, inputs, statics):
    """Return a function of the inputs that are no floats, and the parameters for those that are."""
    parameters = {i: scg.parameter(x) for i, x in enumerate(inputs) if is_float(x)}
    differentiable = bool(parameters) and has_gradient(op, len(inputs), statics)

    def run(*others):
        left = iter(others)
        tensors = [parameters[i] if i in parameters else next(left) for i in range(len(inputs))]
        y = op.public(*tensors, **statics)
        for p in parameters.values():
            p.zero_grad()
        if differentiable and y.requires_grad:
            weights = scg.tensor(np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype))
            (y * weights).sum().backward(of="value")
        return y

    return run, list(parameters.values())


def shapes(inputs):
    return [np.shape(x) for x in inputs]


def others(inputs):
    return tuple(np.asarray(x) for x in inputs if not is_float(x))


def assigning(versions):
    """Return what gives parameters the values of a call."""

    def before(number, parameters):
        values = [x for x in versions[number] if is_float(x)]
        for p, value in zip(parameters, values, strict=True):
            p.assign(value)

    return before


@every_op
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_equals_eager(name, dtype):
    op = OPS[name]
    versions = [cases(name, dtype, seed) for seed in (SEED, SEED + 1, SEED + 2)]
    for case in zip(*versions, strict=True):
        statics, inputs = case[0][1], [c[0] for c in case]
        if all(shapes(x) == shapes(inputs[0]) for x in inputs):
            build = partial(program, op, inputs[0], statics)
            check(build, [others(x) for x in inputs], before=assigning(inputs))


@every_op
def test_nothing_is_taken_for_a_constant(name):
    op = OPS[name]
    versions = [cases(name, "float64", seed) for seed in (SEED, SEED + 1)]
    for (one, statics), (other, _) in zip(*versions, strict=True):
        run, parameters = program(op, one, statics)
        assign = partial(assigning([one, other]), parameters=parameters)
        found = differences(run, others(one), others(other), before=assign)
        assert not found, (statics, found[:3])

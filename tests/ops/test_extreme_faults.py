"""Test the tester: an op that is wrong at an extreme, or samples that leave one out, must fail."""

from dataclasses import replace

import numpy as np
import pytest
from accuracy import is_float
from extremes import check_edges_are_complete, check_empty, check_nonfinite, check_rank_0
from harness import FLOATS, cases, check_inputs, check_strided_vjp, has_gradient

import scg
from scg._elementwise import ElementwiseOp
from scg._op import OPS, Op

# An outright failure, a refusal that does not come, and one that should not.
FAILURE = (AssertionError, pytest.fail.Exception, scg.SupportError)


def where(condition):
    return sorted(n for n, op in OPS.items() if condition(op))


def some_case(op, condition):
    return any(condition(np.asarray(x)) for inputs, _ in cases(op) for x in inputs)


def general(op):
    return not isinstance(op, ElementwiseOp)


def is_number(x):
    return x.ndim == 0


def is_wide(x):
    return x.ndim > 1 and min(x.shape) > 1


def plant(monkeypatch, op, change):
    """Let the op see its inputs changed."""
    right = op.forward
    changed = lambda *xs, **statics: right(*map(change, xs), **statics)  # noqa: E731
    monkeypatch.setattr(op, "forward", changed)


def read_as_it_lies(x):
    return np.ravel(x, "K").reshape(x.shape)


@pytest.mark.parametrize("name", where(lambda op: general(op) and some_case(op, is_float)))
def test_an_op_that_swallows_nan_is_caught(name, monkeypatch):
    number = 9.0 if name == "argmin" else 0.0  # 0 is the smallest, where NaN is found too

    def swallow(x):
        return np.where(np.isnan(x), x.dtype.type(number), x) if is_float(x) else x

    plant(monkeypatch, OPS[name], swallow)
    with pytest.raises(FAILURE):
        check_nonfinite(OPS[name], FLOATS[1])


@pytest.mark.parametrize("name", where(lambda op: general(op) and some_case(op, is_wide)))
def test_an_op_that_ignores_the_layout_is_caught(name, monkeypatch):
    plant(monkeypatch, OPS[name], read_as_it_lies)
    with pytest.raises(FAILURE):
        check_inputs(OPS[name])


WITH_WIDE_COTANGENT = where(
    lambda op: general(op) and any(
        has_gradient(op, len(x), s) and is_wide(np.empty(op.shape(*map(np.shape, x), **s)))
        for x, s in cases(op)
    )
)  # fmt: skip


@pytest.mark.parametrize("name", WITH_WIDE_COTANGENT)
def test_a_vjp_that_ignores_the_layout_of_its_cotangent_is_caught(name, monkeypatch):
    op, right = OPS[name], Op.raw_vjp

    def faulty(self, node, g, needs):
        if self is op and not g.flags.c_contiguous:
            g = np.array(g).reshape(-1)[::-1].reshape(g.shape)
        return right(self, node, g, needs)

    monkeypatch.setattr(Op, "raw_vjp", faulty)
    with pytest.raises(FAILURE):
        check_strided_vjp(op)


def without(monkeypatch, op, condition):
    """Take the cases out of which some input fulfils the condition."""
    samples = op.samples

    def fewer(rng, dtype):
        for inputs, statics in samples.cases(rng, dtype):
            if not any(condition(np.asarray(x)) for x in inputs):
                yield inputs, statics

    monkeypatch.setattr(op, "samples", replace(samples, cases=fewer))


# Of those that say how many axes there are elsewhere: in subscripts, an index, widths.
RANKED = {"einsum", "getitem", "index_set", "scatter", "last_writer", "pad"}


@pytest.mark.parametrize(
    "name", where(lambda op: op.name not in RANKED and some_case(op, is_number))
)  # fmt: skip
def test_a_missing_number_is_noticed(name, monkeypatch):
    without(monkeypatch, OPS[name], is_number)
    with pytest.raises(FAILURE):
        check_rank_0(OPS[name])


@pytest.mark.parametrize("name", sorted(OPS))
def test_a_missing_empty_array_is_noticed(name, monkeypatch):
    without(monkeypatch, OPS[name], lambda x: x.size == 0)
    with pytest.raises(FAILURE):
        check_empty(OPS[name])


def test_missing_special_values_are_noticed(monkeypatch):
    op = OPS["add"]
    plain = [((np.array([1.0, np.nan, np.inf]), np.array([1.0, np.nan, -np.inf])), {})]
    monkeypatch.setattr(op, "samples", replace(op.samples, edges=lambda dtype: plain))
    with pytest.raises(AssertionError, match="input 0 lack"):
        check_edges_are_complete(op)

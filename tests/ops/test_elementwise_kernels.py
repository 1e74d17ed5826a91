"""Every generated kernel gives what its expression gives by ufuncs, special values included."""

import numpy as np
import pytest

import scg
from scg._elementwise import ElementwiseOp
from scg._op import OPS

SINGLE = pytest.param(np.float32, id="float32", marks=pytest.mark.slow)
DOUBLE = pytest.param(np.float64, id="float64")
PACKED = sorted(
    name for name, op in OPS.items()
    if isinstance(op, ElementwiseOp)
    and any(r is not None and r.packed for r in (op.value, *op.rules))
)  # fmt: skip


# SciPy's gammaln overflows for subnormal arguments; at the largest ones neither means anything.
LIMITED = {"gammaln": (1e-30, 1e30), "betaln": (1e-30, 1e30), "digamma": (1e-30, 1e30)}


def points(op, dtype):
    """Yield sample values and special ones, as one flat array per input."""
    cases = [*op.samples.cases(np.random.default_rng(11), np.dtype(dtype))]
    cases += op.samples.edges(np.dtype(dtype))
    for statics in {str(s): s for _, s in cases}.values():
        rows = [np.broadcast_arrays(*inputs) for inputs, s in cases if s == statics]
        columns = [np.concatenate([x.ravel() for x in c]) for c in zip(*rows, strict=True)]
        low, high = LIMITED.get(op.name, (0.0, np.inf))
        inside = [(x == 0) | (abs(x) >= low) & (abs(x) <= high) | np.isnan(x) for x in columns]
        keep = np.logical_and.reduce(inside)
        yield {**op.defaults, **statics}, [x[keep] for x in columns]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_kernel_equals_ufuncs(name, dtype):
    op = OPS[name]
    eps = np.finfo(dtype).eps
    with np.errstate(all="ignore"):
        for statics, inputs in points(op, dtype):
            if any(x.dtype != dtype for x in inputs):
                continue  # a condition: such operands are never alike
            y = np.asarray(op.forward(*inputs, **statics), dtype)
            g = np.cos(np.arange(y.size)).astype(dtype)
            for rule, values in [(op.value, inputs), *((r, [g, y, *inputs]) for r in op.rules)]:
                if rule is None or not rule.packed:
                    continue
                by_ufuncs = rule.by_ufuncs(*values, **statics)
                if np.asarray(by_ufuncs).dtype == np.bool_:
                    continue  # the forward pass of a comparison is NumPy's
                in_one_pass = rule.in_one_pass([values[i] for i in rule.used], statics)
                assert in_one_pass.dtype == dtype
                np.testing.assert_allclose(
                    in_one_pass, by_ufuncs, rtol=16 * eps, atol=4 * eps, err_msg=rule.text
                )


def test_large_small_strided_and_broadcast_operands_agree():
    rng = np.random.default_rng(5)
    big = rng.standard_normal((60, 400))
    for name in ("sigmoid", "softplus", "exp", "relu", "gelu", "erf"):
        fn = getattr(scg, name)
        whole = scg.peek(fn(big))
        np.testing.assert_allclose(scg.peek(fn(big[:, :2])), whole[:, :2], rtol=1e-14)
        np.testing.assert_allclose(scg.peek(fn(np.asfortranarray(big))), whole, rtol=1e-14)
        np.testing.assert_allclose(scg.peek(fn(big[::2])), whole[::2], rtol=1e-14)


def test_a_kernel_neither_warns_nor_writes_to_its_input():
    x = np.full(20_000, -1.0)
    x.flags.writeable = False
    y = scg.sqrt(scg.tensor(x, copy=False))
    assert np.isnan(scg.peek(y)).all()
    assert (x == -1.0).all()


@pytest.mark.parametrize("name", ["exp", "sigmoid", "deg2rad", "logaddexp", "xlogy"])
@pytest.mark.parametrize("dtype", ["?", "i1", "i4", "f2", "f4", "f8", ">f4", ">f8"])
def test_the_choice_by_size_changes_no_dtype_and_rounds_alike(name, dtype):
    """Small arrays of native floats go straight to the ufunc, all others the longer road."""
    function = getattr(scg, name)
    inputs = [np.ones(20_000, dtype)] * len(function.op.inputs)
    large, small = function(*inputs).numpy(), function(*[x[:3] for x in inputs]).numpy()
    assert small.dtype == large.dtype
    np.testing.assert_allclose(small, large[:3], rtol=4 * np.finfo(large.dtype).eps)

"""Reductions, extrema, softmax, scans: the conventions and extremes that sample inputs miss."""

import numpy as np
import pytest
import scipy.special as sp
from numpy.testing import assert_allclose, assert_array_equal

import scg


def gradient(fn, x):
    """Return the gradient of the sum of `fn` at `x`."""
    p = scg.parameter(np.asarray(x, float))
    (g,) = scg.grad(fn(p).sum(), [p])
    return np.asarray(g)


def second(fn, x, direction):
    """Return the Hessian of the sum of `fn` times a direction."""
    return np.asarray(scg.hvp(lambda p: fn(p).sum(), [x], [direction])[0])


# --- equal elements share, norms have slope 0 at 0 ---------------------------------------------


@pytest.mark.parametrize("fn", [scg.max, scg.min, lambda x: scg.norm(x, ord=np.inf)])
def test_equal_extrema_share(fn):
    assert_array_equal(gradient(fn, [2.0, 2.0]), [0.5, 0.5])
    assert_array_equal(gradient(fn, [[2.0] * 4] * 2), np.full((2, 4), 1 / 8))


def test_shares_are_counted_along_the_axis():
    x = [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]
    assert_allclose(gradient(lambda p: p.max(axis=1), x), [[0, 0.5, 0.5], [1 / 3] * 3])
    assert_allclose(gradient(lambda p: p.max(axis=0), x), [[0, 1, 1], [1, 0, 0]])


@pytest.mark.parametrize("ord", [1, 2, np.inf])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_the_slope_of_a_norm_at_zero_is_zero(ord, shape):
    assert_array_equal(gradient(lambda p: scg.norm(p, ord=ord), np.zeros(shape)), np.zeros(shape))


def test_a_zero_row_does_not_spoil_the_others():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert_allclose(gradient(lambda p: scg.norm(p, axis=1), x), [[0, 0], [0.6, 0.8]])
    assert np.isfinite(second(lambda p: scg.norm(p, axis=1), x, np.ones((2, 2)))).all()


def test_the_slope_of_std_is_zero_where_all_are_equal():
    assert_array_equal(gradient(scg.std, [2.0, 2.0]), [0, 0])


def test_norm_refuses_other_orders():
    with pytest.raises(scg.OptionError, match=r"scg\.norm: ord=3"):
        scg.norm([1.0], ord=3)


def test_numpy_norm_serves_vectors_and_refuses_matrix_norms():
    v, m = scg.parameter([3.0, -4.0]), scg.parameter([[3.0, 0.0], [0.0, 4.0]])
    assert [float(np.linalg.norm(v, o)) for o in (None, 1, 2, np.inf)] == [5, 7, 5, 4]
    assert float(np.linalg.norm(m)) == 5
    assert_array_equal(np.linalg.norm(m, 1, axis=0).numpy(), [3, 4])
    with pytest.raises(scg.OptionError, match="matrix norm"):
        np.linalg.norm(m, 2)


# --- products through zeros --------------------------------------------------------------------


@pytest.mark.parametrize("x", [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [2.0, 3.0, 4.0]])
def test_every_derivative_of_a_product(x):
    """Of x0 x1 x2 each derivative is the product of what is left."""
    a, b, c = x
    p = scg.parameter(np.array(x))
    (first,) = scg.grad(scg.prod(p), [p], create_graph=True)
    assert_array_equal(first._data, [b * c, a * c, a * b])
    (second,) = scg.grad(first[0], [p], create_graph=True)
    assert_array_equal(second._data, [0, c, b])
    (third,) = scg.grad(second[1], [p])
    assert_array_equal(np.asarray(third), [0, 0, 1])


def test_the_gradient_of_a_product_survives_where_the_product_underflows():
    assert_allclose(gradient(scg.prod, [1e-200, 1e-200, 1e300]), [1e100, 1e100, 0])


def test_the_gradient_of_a_product_is_not_spoilt_by_what_is_rounded_on_the_way():
    """The product passes through 1e-320, which has four digits left, and comes back."""
    x = [1e-160, 1e-160, 1e20]
    assert_allclose(gradient(scg.prod, x)[:2], [1e-140, 1e-140], rtol=1e-15)


@pytest.mark.parametrize("shape", [(4, 3, 2), (5, 4, 1), (2, 1, 5), (3, 0, 2)])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1), (2, 1), (0, 2), ()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_others_of_a_product_along_any_axes(shape, axis, dtype, rng):
    """The fast way back is that which is differentiable itself."""
    x = scg.parameter(rng.uniform(0.5, 2, shape).astype(dtype))
    (fast,) = scg.grad(scg.prod(x, axis=axis).sum(), [x])
    (traced,) = scg.grad(scg.prod(x, axis=axis).sum(), [x], create_graph=True)
    assert np.asarray(fast).dtype == dtype
    assert_allclose(np.asarray(fast), traced._data, rtol=32 * np.finfo(dtype).eps)


@pytest.mark.parametrize("zeros", [[], [0], [1, 3], [0, 1, 2, 3]])
def test_cumprod_through_zeros(zeros):
    x = np.array([2.0, -3.0, 0.5, 4.0])
    x[zeros] = 0
    expected = [sum(np.prod(np.delete(x[: i + 1], k)) for i in range(k, 4)) for k in range(4)]
    assert_allclose(gradient(scg.cumprod, x), expected, atol=1e-15)


# --- logarithms of zero, and far from zero -----------------------------------------------------


def test_logsumexp_of_nothing_but_zeros_passes_no_gradient():
    x = [[-np.inf, -np.inf], [0.0, -np.inf]]
    fn = lambda p: scg.logsumexp(p, axis=1)  # noqa: E731
    assert_array_equal(fn(scg.tensor(x)).numpy(), [-np.inf, 0])
    assert_array_equal(gradient(fn, x), [[0, 0], [1, 0]])
    traced = scg.parameter(np.array(x))
    (g,) = scg.grad(fn(traced)[1:].sum(), [traced], create_graph=True)
    assert_array_equal(np.asarray(g._data), [[0, 0], [1, 0]])


@pytest.mark.parametrize("shift", [-1e4, 0.0, 1e4])
def test_logcumsumexp_far_from_zero(shift):
    x = np.array([0.3, -1.2, 2.0, 0.1])
    assert_allclose(scg.logcumsumexp(x + shift).numpy(), np.log(np.cumsum(np.exp(x))) + shift)
    weights = np.exp(x)[:, None] / np.cumsum(np.exp(x))
    assert_allclose(gradient(scg.logcumsumexp, x + shift), np.triu(weights).sum(1), rtol=1e-9)


def test_logcumsumexp_over_a_huge_range():
    x = [-np.inf, -1000.0, 1000.0, -1000.0]
    assert_array_equal(scg.logcumsumexp(x).numpy(), [-np.inf, -1000, 1000, 1000])
    assert_array_equal(gradient(scg.logcumsumexp, x), [0, 1, 2, 0])
    assert_array_equal(gradient(scg.logcumsumexp, [-np.inf, -np.inf]), [0, 0])


def test_softmax_at_the_extremes():
    x = np.array([1000.0, 0.0, -np.inf])
    assert_array_equal(scg.softmax(x).numpy(), [1, 0, 0])
    assert_array_equal(scg.log_softmax(x[:2]).numpy(), [0, -1000])
    assert_array_equal(gradient(lambda p: scg.log_softmax(p)[1], x[:2]), [-1, 1])
    assert_array_equal(gradient(lambda p: scg.softmax(p)[0], x), [0, 0, 0])


@pytest.mark.parametrize("shape", [(7,), (3, 200), (300, 5)])
@pytest.mark.parametrize("op", [scg.logsumexp, scg.softmax, scg.log_softmax])
def test_the_fused_vjp_is_the_traced_one(op, shape, rng):
    """Backward runs kernels, higher orders run ops: two texts of one formula."""
    p = scg.parameter(rng.normal(size=shape))
    weights = rng.normal(size=op(p, axis=-1).shape)
    (fused,) = scg.grad((op(p, axis=-1) * weights).sum(), [p])
    (traced,) = scg.grad((op(p, axis=-1) * weights).sum(), [p], create_graph=True)
    assert_allclose(np.asarray(fused), traced._data, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_many_rows(dtype, rng):
    x = rng.normal(size=(64, 300)).astype(dtype)
    y = scg.softmax(scg.tensor(x)).numpy()
    assert y.dtype == dtype
    assert_allclose(y, sp.softmax(x.astype(float), axis=-1), rtol=64 * np.finfo(dtype).eps)


# --- arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["sum", "mean", "prod", "var", "std", "max", "min", "any", "all", "norm"]
)
def test_axes_may_come_as_a_list(name):
    x = scg.parameter(np.arange(1.0, 13.0).reshape(2, 3, 2))
    y = getattr(scg, name)(x, axis=[0, -1])
    assert_array_equal(y.numpy(), getattr(scg, name)(x, axis=(0, 2)).numpy())
    if y.requires_grad:
        y.sum().backward(of="value")
        assert x.grad.shape == x.shape


@pytest.mark.parametrize(
    "name", ["sum", "mean", "prod", "var", "std", "max", "min", "any", "all", "norm", "logsumexp"]
)
def test_an_axis_may_be_a_numpy_integer(name):
    x = scg.parameter(np.arange(1.0, 13.0).reshape(2, 3, 2))
    y = getattr(scg, name)(x, axis=np.int64(1))
    assert_array_equal(y.numpy(), getattr(scg, name)(x, axis=1).numpy())
    if y.requires_grad:
        y.sum().backward(of="value")
        assert x.grad.shape == x.shape


@pytest.mark.parametrize(
    "name",
    ["sum", "mean", "prod", "var", "std", "max", "min", "any", "all", "norm", "argmax", "argmin",
     "logsumexp", "softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp", "sort", "argsort"],
)  # fmt: skip
def test_a_missing_axis_is_named(name):
    with pytest.raises(scg.ShapeError, match=rf"scg\.{name}: axis 2 .*shape \(3, 4\)"):
        getattr(scg, name)(np.ones((3, 4)), axis=2)


def test_the_largest_of_nothing_is_refused():
    with pytest.raises(scg.ShapeError, match=r"scg\.max"):
        scg.max(np.zeros((0, 3)), axis=0)


def test_integers_are_averaged_as_floats_and_summed_as_integers():
    assert scg.mean([1, 2]).dtype == np.float64
    assert scg.sum([True, True]).dtype.kind == "i"
    assert scg.norm([3, 4]).dtype == np.float64


@pytest.mark.parametrize("method", ["sum", "mean", "max", "prod", "std", "cumsum", "argmax", "any"])
def test_methods_are_the_functions(method):
    x = scg.tensor([[1.0, 2.0], [4.0, 3.0]])
    assert_array_equal(getattr(x, method)(axis=1).numpy(), getattr(np, method)(x.numpy(), axis=1))

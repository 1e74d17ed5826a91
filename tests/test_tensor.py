"""The Tensor: construction, protocols, reading, and what it refuses."""

import copy
import math
import pickle

import numpy as np
import pytest

import scg
from scg.errors import DTypeError, GradientError, OptionError, ShapeError


def test_foreign_arrays_are_copied_unless_promised():
    a = np.zeros(3)
    mine, shared = scg.tensor(a), scg.tensor(a, copy=False)
    a[0] = 1.0
    assert scg.peek(mine)[0] == 0.0
    assert scg.peek(shared)[0] == 1.0


def test_numpy_is_a_read_only_view():
    t = scg.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        t.numpy()[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        scg.peek(t)[0] = 5.0


@pytest.mark.parametrize(
    ("left", "right"),
    [("f4", "f4"), ("f4", "f8"), ("i4", "f4"), ("i1", "i8")],
)  # fmt: skip
def test_promotion_is_numpys(left, right):
    a, b = np.ones(2, left), np.ones(2, right)
    assert (scg.tensor(a) * scg.tensor(b)).dtype == (a * b).dtype


@pytest.mark.parametrize("number", [2, 2.0, True])
def test_python_numbers_are_weak(number):
    assert (scg.tensor(np.ones(2, np.float32)) * number).dtype == np.float32


def test_parameters_are_floating_point():
    assert scg.parameter([1, 2]).dtype == np.float64
    assert scg.parameter(np.ones(2, np.float32)).dtype == np.float32
    with pytest.raises(DTypeError, match="float32 or float64"):
        scg.parameter([1.0], dtype=int)


@pytest.mark.parametrize("value", ["text", [1 + 2j], [None], np.array(["a"]), object()])
def test_what_is_not_a_real_number_is_refused(value):
    with pytest.raises(DTypeError):
        scg.tensor(value)


@pytest.mark.parametrize(
    ("value", "sizes"),
    [([[1, 2], [3]], "1 and 2;"), ([1, [2]], "1 and a number;"), ([[[1]], [[2, 3]]], "1 and 2;"),
     ([np.ones(2), np.ones(3)], "2 and 3;")],
)  # fmt: skip
def test_rows_of_different_sizes_are_named(value, sizes):
    for function in (scg.tensor, scg.parameter, scg.exp):
        with pytest.raises(ShapeError, match=f"{function.__name__}: rows of different.*{sizes}"):
            function(value)


def test_a_list_of_tensors_is_refused_with_the_remedy():
    with pytest.raises(DTypeError, match=r"scg\.stack"):
        scg.exp([scg.parameter(1.0), scg.parameter(2.0)])


def test_numpy_functions_are_differentiable():
    x = scg.parameter([0.5, 1.0])
    np.sum(np.exp(x) * 2.0).backward()
    np.testing.assert_allclose(x.grad, 2 * np.exp([0.5, 1.0]))


def test_an_array_on_the_left_does_not_swallow_the_tensor():
    x = scg.parameter([1.0, 2.0])
    y = np.array([3.0, 4.0]) * x
    assert isinstance(y, scg.Tensor)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [3.0, 4.0])


def test_a_numpy_function_without_gradient_raises_on_a_tracked_tensor():
    x = scg.parameter([1.0, 2.0])
    with pytest.raises(GradientError, match="median"):
        np.median(x)
    with pytest.raises(GradientError, match=r"add\.reduce"):
        np.add.reduce(x)
    with pytest.raises(GradientError, match=r"numpy\.add with where= has no gradient"):
        np.add(x, 1.0, where=np.array([True, False]))
    assert np.median(scg.tensor([1.0, 2.0, 4.0])) == 2.0


def test_what_needs_a_gradient_is_not_written_into_an_array():
    x, out = scg.parameter([1.0, 2.0]), np.zeros(2)
    with pytest.raises(GradientError, match=r"`a = a \+ x` for `a \+= x`"):
        out += x
    for write in (lambda: np.exp(x, out=out), lambda: np.cumsum(x, out=out)):
        with pytest.raises(GradientError, match="`out=`"):
            write()
    np.testing.assert_array_equal(out, 0)
    out += scg.tensor([1.0, 2.0])  # a constant has nothing to lose
    np.cumsum(scg.tensor(out.copy()), out=out)
    np.testing.assert_array_equal(out, [1, 3])


def test_tensors_are_not_written_to():
    x = scg.tensor([1.0, 2.0])
    with pytest.raises(DTypeError, match=r"x\.at\[index\]\.set"):
        x[0] = 3.0
    with pytest.raises(DTypeError, match=r"numpy\.exp: out= is a tensor"):
        np.exp([1.0, 2.0], out=x)


@pytest.mark.parametrize(
    ("options", "remedy"),
    [({"dim": 0}, "write axis=0"), ({"keepdim": True}, "write keepdims=True"),
     ({"dtype": float}, "astype"), ({"ax": 0}, "it has axis, keepdims")],
)  # fmt: skip
def test_an_option_of_another_library_is_translated(options, remedy):
    with pytest.raises(OptionError, match=rf"scg\.sum has no option .*{remedy}"):
        scg.sum([[1.0]], **options)


@pytest.mark.parametrize("axis", ["0", 0.0, (0, 1.0)])
def test_an_axis_is_an_integer(axis):
    with pytest.raises(OptionError, match=r"scg\.sum: axis=.* must be an integer"):
        scg.sum([[1.0]], axis=axis)


def test_comparison_hash_and_truth():
    t = scg.tensor([1.0, 2.0])
    assert (t == t).tolist() == [True, True]
    assert len({t, t}) == 1
    with pytest.raises(ShapeError, match="one element"):
        bool(t)
    assert bool(scg.tensor([2.0]))


def test_scalars_convert_and_others_say_why_not():
    assert int(scg.tensor(3.7)) == 3
    assert float(scg.tensor([[2.5]])) == 2.5
    assert [10, 20, 30][scg.tensor(1)] == 20
    x = scg.tensor(-2.567)
    assert (round(x), round(x, 1), math.floor(x), math.ceil(x), math.trunc(x)) == (
        -3,
        -2.6,
        -3,
        -2,
        -2,
    )
    with pytest.raises(ShapeError, match="item"):
        scg.tensor([1.0, 2.0]).item()
    with pytest.raises(DTypeError, match="index"):
        [10, 20][scg.tensor(1.0)]
    with pytest.raises(ShapeError, match="float"):
        float(scg.tensor([1.0, 2.0]))


def test_iteration_and_length():
    rows = list(scg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert [r.tolist() for r in rows] == [[1.0, 2.0], [3.0, 4.0]]
    for broken in (len, iter):
        with pytest.raises(TypeError):
            broken(scg.tensor(1.0))


def test_copies_and_pickles_keep_parameters():
    p = scg.parameter([1.0, 2.0], name="w")
    for q in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert q.is_parameter
        assert q.name == "w"
        assert q.tolist() == [1.0, 2.0]
        assert q is not p


def test_dlpack_exports_a_copy():
    t = scg.tensor([1.0, 2.0])
    out = np.from_dlpack(t)
    assert out.tolist() == [1.0, 2.0]
    assert not np.shares_memory(out, scg.peek(t))


def test_format_and_repr():
    assert f"{scg.tensor(0.123456):.2f}" == "0.12"
    assert repr(scg.tensor(np.float32(1))) == "Tensor(1., dtype=float32)"
    assert "parameter" in repr(scg.parameter(1.0))


def test_assign_checks_the_shape_and_counts_the_version():
    p = scg.parameter([1.0, 2.0])
    p.assign([3.0, 4.0])
    assert p.version == 1
    assert p.tolist() == [3.0, 4.0]
    with pytest.raises(ShapeError, match="assign"):
        p.assign([1.0])
    with pytest.raises(GradientError):
        (p * 2).assign([1.0, 2.0])


def test_grad_can_be_set_and_is_checked():
    p = scg.parameter([1.0, 2.0])
    p.grad = [1, 2]
    assert p.grad.dtype == np.float64
    with pytest.raises(ShapeError):
        p.grad = [1.0]
    with pytest.raises(GradientError):
        scg.tensor(1.0).grad = 1.0


def test_shape_errors_name_op_and_shapes():
    with pytest.raises(ShapeError, match=r"scg\.add.*\(2,\).*\(3,\)"):
        scg.tensor([1.0, 2.0]) + scg.tensor([1.0, 2.0, 3.0])


def test_numpy_looks_at_the_form_of_a_value_without_reading_it():
    a = scg.parameter(0.0)
    coins = scg.Bernoulli(logits=a).sample((2, 3), rng=0)
    assert (np.shape(coins), np.ndim(coins), np.size(coins), np.isrealobj(a)) == (
        (2, 3),
        2,
        6,
        True,
    )
    coins.sum().backward()  # a read would be an escape, with a warning


def test_divmod_is_the_quotient_rounded_down_and_the_remainder():
    for a, b in ((scg.parameter([3.5, -3.5]), 1.5), (7.5, scg.parameter([2.0, -2.0]))):
        for function in (divmod, np.divmod):
            quotient, remainder = function(a, b)
            raw = [scg.peek(x) if isinstance(x, scg.Tensor) else x for x in (a, b)]
            for found, true in zip((quotient, remainder), divmod(*raw), strict=True):
                np.testing.assert_array_equal(scg.peek(found), true)
            leaf = a if isinstance(a, scg.Tensor) else b
            slope = scg.grad(remainder.sum(), leaf)
            np.testing.assert_array_equal(slope, 1.0 if leaf is a else -scg.peek(quotient))


def test_divmod_of_a_draw_is_scored():
    def program(mu):
        quotient, remainder = divmod(scg.Normal(mu, 0.5).sample(), 1.5)
        return quotient + remainder * remainder

    scg.testing.check_unbiased(program, 0.4)


@pytest.mark.parametrize("size", [3, 4096, 5000])
def test_large_parameters_begin_at_a_cache_line(size):
    x = np.arange(size + 1.0)[1:]  # at another place of a line than its neighbour
    p = scg.parameter(x)
    assert p.numpy().flags.c_contiguous and (p.numpy() == x).all()
    assert x.nbytes < 1 << 14 or p.numpy().ctypes.data % 64 == 0

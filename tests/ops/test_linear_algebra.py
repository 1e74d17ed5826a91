"""Products and parts of matrices: every pattern of labels, batches, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scg
from scg.ops import _einsum
from scg.testing import check_grads

SIZES = {"i": 2, "j": 3, "k": 4, "l": 1}
terms = st.text("ijkl", max_size=3)


@given(st.lists(terms, min_size=1, max_size=3), st.data(), st.sampled_from([1, 10**9]))
def test_einsum_is_numpys_for_any_labels(labels, data, plan_from):
    """Both ways of computing, with and without a plan; the size at which they part is moved."""
    known = sorted(set("".join(labels)))
    out = "".join(data.draw(st.permutations(known)))[: data.draw(st.integers(0, len(known)))]
    subscripts = f"{','.join(labels)}->{out}"
    rng = np.random.default_rng(0)
    operands = [rng.uniform(0.5, 1.5, [SIZES[c] for c in term]) for term in labels]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_einsum, "PLAN_FROM", plan_from)
        y = scg.einsum(subscripts, *operands)
        assert_allclose(y.numpy(), np.einsum(subscripts, *operands), rtol=1e-12)
        check_grads(lambda *p: scg.einsum(subscripts, *p), *operands, order=2, rtol=1e-5)


@given(st.lists(terms, min_size=1, max_size=3))
def test_the_implicit_output_is_numpys(labels):
    subscripts = ",".join(labels)
    operands = [np.ones([SIZES[c] for c in term]) for term in labels]
    assert scg.einsum(subscripts, *operands).shape == np.einsum(subscripts, *operands).shape


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (2, 3)]), ("ij->ijk", [(2, 3)]), ("i->i", [(2, 3)]),
        ("ij,ij", [(2, 3)]), ("i$->i", [(2, 3)]), ("...->", [(2, 3)]), ("ij->ii", [(2, 3)]),
        ("ijk", [(2, 3)]), ("ii", [(2, 3)]),
    ],
)  # fmt: skip
def test_labels_that_do_not_fit_are_refused(subscripts, shapes):
    with pytest.raises(scg.ShapeError, match=r"scg\.einsum"):
        scg.einsum(subscripts, *[np.ones(s) for s in shapes])


def test_operands_before_labels_are_refused():
    with pytest.raises(scg.DTypeError, match="string like"):
        scg.einsum(np.ones(3), [0])


def test_numpy_einsum_is_served():
    x = scg.parameter(np.ones((2, 3)))
    assert np.einsum("ij->j", x, optimize=True).requires_grad


@pytest.mark.parametrize("batch", [(), (5,), (2, 1, 3)])
@pytest.mark.parametrize("vector", [False, True])
def test_the_gradient_of_a_shared_matrix_sums_over_the_batch(batch, vector, rng):
    x, w = rng.normal(size=(*batch, 4, 3)), rng.normal(size=(3,) if vector else (3, 2))
    p = scg.parameter(w)
    y = scg.matmul(x, p)
    weights = rng.normal(size=y.shape)
    (g,) = scg.grad((y * weights).sum(), [p])
    flat = weights.reshape(-1) if vector else weights.reshape(-1, 2)
    assert_allclose(np.asarray(g), x.reshape(-1, 3).T @ flat, rtol=1e-12)


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (2, 3)), ((), (3,)), ((3,), (4,)), ((2, 3, 4), (3, 4, 5)), ((3, 4), ())]
)
def test_products_that_do_not_fit_name_op_and_shapes(a, b):
    with pytest.raises(scg.ShapeError, match=r"scg\.matmul: ") as error:
        scg.matmul(np.ones(a), np.ones(b))
    assert str(a) in str(error.value)
    assert str(b) in str(error.value)


@pytest.mark.parametrize("axes", [3, (0, 5), ((0, 0), (0, 1)), ((0,), (0, 1)), -1])
def test_axes_that_do_not_pair_are_refused(axes):
    with pytest.raises(scg.ShapeError, match=r"scg\.tensordot: axes"):
        scg.tensordot(np.ones((2, 2)), np.ones((2, 2)), axes=axes)


def test_the_operator_works_with_an_array_on_either_side():
    x = scg.parameter(np.eye(2))
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert_array_equal((a @ x).numpy(), a)
    assert_array_equal((x @ a).numpy(), a)


def test_integer_products_stay_integers():
    assert scg.matmul([[1, 2]], [[3], [4]]).dtype.kind == "i"
    assert scg.dot([1, 2], [3, 4]).dtype.kind == "i"


@pytest.mark.parametrize(
    ("name", "shape"), [("tril", (3,)), ("triu", ()), ("diag", (2, 2, 2)), ("trace", (3,))]
)
def test_what_has_no_matrix_is_refused(name, shape):
    with pytest.raises(scg.ShapeError, match=rf"scg\.{name}"):
        getattr(scg, name)(np.ones(shape))


# --- the affine map ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtypes", [("f4", "f4", "f4"), ("f8", "f8", "f8"), ("f4", "f8", "f4"),
                                    ("f4", "f4", "f8"), ("i8", "f4", "f4")])  # fmt: skip
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (0, 4)])
def test_the_affine_map_is_a_product_and_a_sum_to_the_bit(shape, dtypes, rng):
    x, weight, bias = (
        rng.uniform(1, 9, size).astype(dtype)
        for size, dtype in zip((shape, (4, 5), (5,)), dtypes, strict=True)
    )
    y, expected = scg.linear(x, weight, bias), scg.matmul(x, weight) + bias
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y.numpy(), expected.numpy())


@pytest.mark.parametrize("shapes", [((3, 4), (5, 2), (2,)), ((3, 4), (4, 2), (3,)),
                                    ((3, 4), (4, 2), ()), ((), (4, 2), (2,)),
                                    ((3, 4), (4,), (1,))])  # fmt: skip
def test_shapes_that_make_no_affine_map_are_named(shapes):
    with pytest.raises(scg.ShapeError, match=r"scg\.linear: shapes .* must be \(\.\.\., k\)"):
        scg.linear(*[np.ones(shape) for shape in shapes])

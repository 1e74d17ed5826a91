"""Many slices of one tensor: their cotangents share one buffer, and cost what they hold."""

from itertools import pairwise
from time import process_time

import numpy as np
import pytest

import scg
from scg._partial import Partial
from scg.testing import check_grads


def seconds_back(count, width=250):
    """Measure backward through `count` rows read one by one, at its best of three."""
    x = scg.parameter(np.ones((count, width)))
    times = []
    for _ in range(3):
        total = scg.concatenate([row[:1] for row in x]).sum()
        start = process_time()
        total.backward()
        times.append(process_time() - start)
    assert x.grad is not None
    assert x.grad.sum() == 3 * count
    return min(times)


def test_slices_cost_what_they_hold():
    """Linear growth is a factor of 4, and zeros of the whole tensor for every row one of 16."""
    assert seconds_back(4000) < 8 * seconds_back(1000)


def counted(shape, *indices):
    """Count by hand how often each element is read."""
    z = np.zeros(shape)
    for index in indices:
        np.add.at(z, index, 1.0)
    return z


INDICES = (
    (slice(0, 3),), (slice(2, 5), slice(None, None, -2)), (4,), (..., 1), (np.array([0, 0, 4]),),
    (slice(None), np.array([3, 3])), (slice(5, 5),), (),
)  # fmt: skip


@pytest.mark.parametrize("whole", [None, "first", "last"])
def test_overlapping_places_add_up_with_uses_of_the_whole(whole):
    x = scg.parameter(np.zeros((5, 4)))
    uses = [x * 1.0] if whole == "first" else []
    uses += [x[index] for index in INDICES]
    uses += [x * 1.0] if whole == "last" else []
    sum((use.sum() for use in uses), scg.tensor(0.0)).backward()
    np.testing.assert_array_equal(x.grad, counted((5, 4), *INDICES) + (whole is not None))


def test_a_cotangent_that_is_handed_on_is_not_written_to():
    """`x + 0` hands the cotangent of `y` to `x`; the slice of `x` must not change that of `z`."""
    x, z = scg.parameter(np.ones(3)), scg.parameter(np.ones(3))
    sliced = x[1:]  # older than the sum, so its cotangent comes second
    ((x + z).sum() + (2.0 * sliced).sum()).backward()
    np.testing.assert_array_equal(z.grad, [1, 1, 1])
    np.testing.assert_array_equal(x.grad, [1, 3, 3])


def test_two_gradients_do_not_share_a_buffer():
    x = scg.parameter(np.arange(3.0))
    y = x[:2].sum() + x[1:].sum()
    (first,) = scg.grad(y, [x], retain=True)
    (second,) = scg.grad(y, [x])
    assert not np.shares_memory(scg.peek(first), scg.peek(second))
    np.testing.assert_array_equal(scg.peek(second), [1, 2, 1])


def test_slices_of_numbers_and_of_slices():
    x = scg.parameter(2.0)
    (x[None] * x[...] * x[()]).sum().backward()
    assert x.grad == 12.0
    v = scg.parameter(np.arange(6.0), dtype=np.float32)
    (v[1:][1:][::2] ** 2).sum().backward()
    np.testing.assert_array_equal(v.grad, np.array([0, 0, 4, 0, 8, 0], np.float32))
    assert v.grad.dtype == np.float32


def test_slices_at_every_order():
    def f(x):
        return scg.stack([a * b for a, b in pairwise(x)]).sum() + (x**3).sum()

    check_grads(f, np.array([0.5, -1.0, 2.0]), order=2)
    np.testing.assert_allclose(
        scg.peek(scg.hessian(f)(np.array([1.0, 2.0, 3.0]))), [[6, 1, 0], [1, 12, 1], [0, 1, 18]]
    )


def test_a_partial_cotangent_takes_another_dtype():
    part = Partial(np.ones(2), (slice(0, 2),), (3,), repeats=False).astype(np.dtype(np.float32))
    total = part.added_to(None, in_place=False)
    assert total.dtype == np.float32
    np.testing.assert_array_equal(total, [1, 1, 0])

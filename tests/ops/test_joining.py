"""Joining, cutting, repeating and padding: lists of tensors, NumPy's spellings, errors."""

import numpy as np
import pytest

import scg
from scg._axes import Along
from scg._run import end_run
from scg.testing import check_grads

A = np.arange(6.0).reshape(2, 3)
B = -np.arange(4.0).reshape(2, 2)


def test_concatenate_follows_numpy():
    t = scg.parameter(A)
    for axis in (1, -1):
        np.testing.assert_array_equal(
            np.concatenate([t, B], axis=axis)._data, np.concatenate([A, B], axis)
        )
    np.testing.assert_array_equal(scg.concatenate([t, B], None)._data, np.concatenate([A, B], None))
    np.testing.assert_array_equal(scg.concatenate(t)._data, A.ravel())
    assert scg.concatenate([np.ones(1, np.float32), np.ones(1)]).dtype == np.float64


def test_the_joined_axis_keeps_an_exact_map():
    y = scg.concatenate([scg.parameter(A), scg.parameter(B)], axis=1)
    first, second = y._node.op.axes([A.shape, B.shape], y.shape, axis=1)
    assert first == (Along(0), Along(1))
    assert second == (Along(0), Along(1, -3))


def test_a_constant_among_the_joined_gets_no_cotangent():
    t = scg.parameter(A)
    (scg.concatenate([B, t], axis=1) * np.arange(5.0)).sum().backward()
    np.testing.assert_array_equal(t.grad, [[2.0, 3.0, 4.0]] * 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: scg.concatenate([]), "concatenate.*nothing"),
        (lambda: scg.concatenate([1.0, 2.0]), "concatenate.*nothing with axes"),
        (lambda: scg.concatenate([A, B]), r"concatenate.*\(2, 3\), \(2, 2\).*axis 0"),
        (lambda: scg.concatenate([A, B[0]]), r"concatenate.*\(2,\)"),
        (lambda: scg.concatenate([A, A], 2), "concatenate: axis 2"),
        (lambda: scg.stack([]), "stack"),
        (lambda: scg.stack([A, B]), "stack.*scg.concatenate"),
        (lambda: scg.stack([A, A], 3), "stack: axis 3"),
        (lambda: scg.split(A, 2, axis=1), "split: axis 1.*no 2 equal"),
        (lambda: scg.split(A, 0), "no 0 equal"),
        (lambda: scg.split(A, 2, 4), "split: axis 4"),
        (lambda: scg.repeat(A, [1, 2], 1), r"repeat: \(2,\) repeats.*size 3"),
        (lambda: scg.repeat(A, -1), "repeat: -1"),
        (lambda: scg.pad(A, -1), "pad: pad_width -1"),
        (lambda: scg.pad(A, [[1, 1]] * 3), "pad: pad_width.*2 axes"),
        (lambda: scg.pad(A, 0.5), "pad: pad_width 0.5"),
    ],
)
def test_what_does_not_fit_is_named(call, words):
    with pytest.raises(scg.ShapeError, match=words):
        call()


@pytest.mark.parametrize("sections", [3, [1], [1, 1, 5], [2, 1], np.int64(1)])
def test_split_follows_numpy(sections):
    x = scg.parameter(np.arange(6.0).reshape(2, 3))
    pieces = np.split(x, sections, axis=1)
    expected = np.split(x._data, sections, axis=1)
    assert len(pieces) == len(expected)
    for piece, wanted in zip(pieces, expected, strict=True):
        np.testing.assert_array_equal(piece._data, wanted)


def test_stack_and_split_undo_each_other():
    def fn(a, b):
        one, two = scg.split(scg.stack([a, b], axis=1), 2, axis=1)
        return (one * two.T[0, 0] ** 2).sum()

    check_grads(fn, np.array([0.5, 1.5]), np.array([2.0, -1.0]), order=2)


@pytest.mark.parametrize("reps", [2, (2,), (2, 1), (1, 2), (3, 2, 2), (0, 1), ()])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_tile_follows_numpy(shape, reps):
    x = np.arange(6.0)[: int(np.prod(shape))].reshape(shape)
    np.testing.assert_array_equal(np.tile(scg.tensor(x), reps)._data, np.tile(x, reps))


def test_tile_and_repeat_sum_the_copies():
    x = scg.parameter([1.0, 2.0])
    (scg.tile(x, 2) * [1.0, 2.0, 3.0, 4.0]).sum().backward()
    np.testing.assert_array_equal(x.grad, [4.0, 6.0])
    x.zero_grad()
    (x.repeat(2) * [1.0, 2.0, 3.0, 4.0]).sum().backward()
    np.testing.assert_array_equal(x.grad, [3.0, 7.0])


@pytest.mark.parametrize(
    ("repeats", "axis"), [(2, None), (0, 0), ([2], 1), ([2, 0, 1], 1), ([1, 3], 0), ([2] * 6, None)]
)
def test_repeat_follows_numpy(repeats, axis):
    np.testing.assert_array_equal(
        np.repeat(scg.tensor(A), repeats, axis=axis)._data, np.repeat(A, repeats, axis)
    )


def test_random_repeats_escape():
    loc = scg.parameter(np.zeros(3))
    z = scg.Normal(loc, 1.0).sample(rng=np.random.default_rng(0))
    run = z._node.draw.run
    counts = (z > 0).astype(np.intp)
    before = len(run.escapes)
    y = scg.repeat(np.arange(3.0), counts)
    end_run(updated=False)
    assert [e.kind for e in run.escapes[before:]] == ["repeat counts"]
    assert y._node.draw is z._node.draw
    np.testing.assert_array_equal(y._data, np.repeat(np.arange(3.0), counts._data))


def test_repeats_that_are_no_integers():
    with pytest.raises(scg.DTypeError, match="repeat"):
        scg.repeat(A, 0.5)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("width", [0, 1, (1, 2), [(0, 0), (2, 1)], [(1, 0), (0, 0)], [[1], [2]]])
def test_pad_follows_numpy(mode, width):
    np.testing.assert_array_equal(
        np.pad(scg.tensor(A), width, mode=mode)._data, np.pad(A, width, mode=mode)
    )
    weights = np.cos(np.arange(np.pad(A, width).size)).reshape(np.pad(A, width).shape)
    check_grads(lambda x: (scg.pad(x, width, mode) ** 2 * weights).sum(), A, order=2)


def test_pad_keeps_the_dtype_and_the_constant():
    y = scg.pad(np.ones(1, np.float32), 1, constant_values=2)
    assert y.dtype == np.float32 and y._data.tolist() == [2.0, 1.0, 2.0]
    assert scg.pad(1.0, 3)._data == 1


def test_pad_refuses_what_it_cannot_differentiate():
    with pytest.raises(scg.OptionError, match=r"'mean'.*'reflect'"):
        scg.pad(A, 1, mode="mean")
    with pytest.raises(scg.OptionError, match="constant_values is a Tensor"):
        scg.pad(A, 1, constant_values=scg.parameter(1.0))


def test_flip_and_roll_follow_numpy():
    t = scg.tensor(A)
    np.testing.assert_array_equal(np.flip(t, axis=(0, 1))._data, A[::-1, ::-1])
    np.testing.assert_array_equal(np.roll(t, np.int64(2), axis=1)._data, np.roll(A, 2, 1))

"""Indices of every kind against NumPy, and updates at an index: what the registry cannot see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import scg
from scg._run import Run, end_run
from scg._smoothness import Passage
from scg.testing import check_grads

SHAPE = (3, 4, 2)


@pytest.fixture(autouse=True)
def _own_run():
    """Leave no escape behind for the next test's backward to refuse."""
    yield
    end_run(updated=False)


def entries(size):
    """One index entry for an axis of this size."""
    return st.one_of(
        st.integers(-size, size - 1),
        st.slices(size),
        st.just(slice(None)),
        hnp.arrays(np.intp, (1,), elements=st.integers(-size, size - 1)),
        st.lists(st.integers(-size, size - 1), min_size=2, max_size=2),
        st.lists(st.booleans(), min_size=size, max_size=size).filter(lambda m: sum(m) == 2),
    )  # fmt: skip


@st.composite
def indices(draw):
    """Draw an index of `SHAPE` that mixes every kind of entry, with `None` and `...` anywhere."""
    count = draw(st.integers(0, len(SHAPE)))
    missing = len(SHAPE) - count
    where = draw(st.integers(0, count))
    sizes = [*SHAPE[:where], *SHAPE[where + missing :]]
    found = [draw(entries(size)) for size in sizes]
    dots = [Ellipsis] if where < count or draw(st.booleans()) else []
    found[where:where] = dots
    for _ in range(draw(st.integers(0, 2))):
        found.insert(draw(st.integers(0, len(found))), None)
    return tuple(found)


@given(indices())
@settings(max_examples=300, deadline=None)
def test_any_index_reads_what_numpy_reads(index):
    x = np.arange(24.0).reshape(SHAPE)
    np.testing.assert_array_equal(scg.tensor(x)[index]._data, x[index])


@given(indices())
@settings(max_examples=200, deadline=None)
def test_the_axis_map_of_any_index_is_right(index):
    """An input element's own label must appear only where the map allows it."""
    x = np.arange(24.0).reshape(SHAPE)
    y = scg.parameter(x)[index]
    node = y._node
    shapes = [SHAPE, *[np.shape(a) for a in node.saved[2:]]]
    maps = node.op.axes(shapes, y.shape, **node.statics)
    assert [len(m) for m in maps] == [len(s) for s in shapes]
    for place in np.ndindex(y.shape):
        source = np.unravel_index(int(y._data[place]), SHAPE)
        for axis, entry in enumerate(maps[0]):
            if entry is not None:
                assert source[axis] == entry.start + entry.step * place[entry.axis]


@given(indices())
@settings(max_examples=50, deadline=None)
def test_the_gradient_of_any_index_counts_the_reads(index):
    x = scg.parameter(np.zeros(SHAPE))
    y = x[index]
    if not y.size:
        return
    y.backward(of="value")
    expected = np.bincount(np.arange(24).reshape(SHAPE)[index].ravel(), minlength=24)
    np.testing.assert_array_equal(x.grad, expected.reshape(SHAPE))


@given(indices(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_set_and_add_at_any_index(index, scalar):
    x = np.arange(24.0).reshape(SHAPE)
    region = x[index].shape
    value = -1.0 if scalar else -1.0 - np.arange(np.prod(region)).reshape(region)
    expected = x.copy()
    expected[index] = value
    np.testing.assert_array_equal(scg.tensor(x).at[index].set(value)._data, expected)
    expected = x.copy()
    np.add.at(expected, index, value)
    np.testing.assert_array_equal(scg.tensor(x).at[index].add(value)._data, expected)


def test_set_with_duplicates_sends_the_gradient_to_the_last_writer():
    x, v = scg.parameter([1.0, 2.0, 3.0]), scg.parameter([4.0, 5.0, 6.0])
    y = x.at[[2, 0, 2]].set(v)
    np.testing.assert_array_equal(y._data, [5.0, 2.0, 6.0])
    (y * np.array([10.0, 20.0, 30.0])).sum().backward()
    np.testing.assert_array_equal(x.grad, [0.0, 20.0, 0.0])
    np.testing.assert_array_equal(v.grad, [0.0, 10.0, 30.0])


def test_set_of_one_value_at_two_places_adds_their_gradients():
    v = scg.parameter(7.0)
    scg.tensor([1.0, 2.0, 3.0]).at[[0, 0, 2]].set(v).sum().backward()
    assert v.grad == 2


def test_add_with_duplicates_gives_every_value_its_gradient():
    v = scg.parameter([4.0, 5.0, 6.0])
    y = scg.tensor([1.0, 2.0, 3.0]).at[[2, 0, 2]].add(v)
    np.testing.assert_array_equal(y._data, [6.0, 2.0, 13.0])
    (y * np.array([10.0, 20.0, 30.0])).sum().backward()
    np.testing.assert_array_equal(v.grad, [30.0, 10.0, 30.0])


def test_updates_do_not_change_their_source():
    x = scg.tensor([1.0, 2.0])
    x.at[0].set(5.0), x.at[0].add(5.0)
    np.testing.assert_array_equal(x._data, [1.0, 2.0])


def test_updates_promote_like_numpy():
    ones = scg.tensor(np.ones(2, np.float32))
    assert ones.at[0].set(2.0).dtype == np.float32
    assert ones.at[0].add(2.0).dtype == np.float32
    assert ones.at[:1].set(np.ones(1)).dtype == np.float64
    assert scg.tensor([1, 2]).at[0].set(0.5)._data.tolist() == [0.5, 2.0]


def test_second_order_through_gather_and_update():
    def fn(x, v):
        return (x[[1, 1, 0]] ** 2 * x.at[[0, 2]].set(v).at[1:].add(v) ** 2).sum()

    check_grads(fn, np.array([0.5, 1.5, -1.0]), np.array([2.0, 0.3]), order=3)


def test_tensors_index():
    x = scg.tensor(np.arange(12.0).reshape(3, 4))
    i = scg.tensor([2, 0])
    np.testing.assert_array_equal(x[i]._data, x._data[[2, 0]])
    np.testing.assert_array_equal(x[i, scg.tensor([1, 1])]._data, [9.0, 1.0])
    np.testing.assert_array_equal(x[scg.tensor(1) :, 0]._data, [4.0, 8.0])
    np.testing.assert_array_equal(x[scg.tensor(2)]._data, x._data[2])


def noisy(shape=()):
    """Return a pathwise draw with a trainable location, and the run it belongs to."""
    loc = scg.parameter(np.zeros(shape))
    z = scg.Normal(loc, 1.0).sample(rng=np.random.default_rng(0))
    run = z._node.draw.run
    assert isinstance(run, Run)
    return z, run


@pytest.mark.parametrize(
    "read",
    [lambda x, m: x[m], lambda x, m: x.at[m].set(0.0), lambda x, m: x[m & (x > -1)]],
)
def test_a_random_mask_escapes(read):
    z, run = noisy((4,))
    before = len(run.escapes)
    read(scg.tensor(np.zeros(4)), z > 0)
    assert [e.kind for e in run.escapes[before:]] == ["boolean mask"]


def test_a_random_slice_bound_escapes():
    z, run = noisy()
    before = len(run.escapes)
    scg.tensor([1.0, 2.0])[: (z > 0).astype(np.intp)]
    assert [e.kind for e in run.escapes[before:]] == ["index"]


def test_a_random_integer_index_does_not_escape_but_is_cut():
    z, run = noisy((4,))
    before = len(run.escapes)
    y = scg.tensor([1.0, 2.0])[(z > 0).astype(np.intp)]
    assert len(run.escapes) == before
    assert Passage.JUMP in y._node.more.classes


def test_a_mask_keeps_what_is_known_of_it():
    z, _ = noisy((4,))
    y = scg.parameter(np.zeros(4))[z > 0]
    assert y._node.draw is z._node.draw


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (5, r"getitem.*out of bounds.*\(3, 2\)"),
        ((0, 0, 0), r"getitem.*too many indices.*\(3, 2\)"),
        ((..., 0, ...), r"getitem.*single ellipsis"),
        (np.array([True, False]), r"mask of shape \(2,\) does not fit axis 0 of shape \(3, 2\)"),
        (True, r"mask of shape \(\)"),
        (([0, 1], [0, 1, 1]), r"getitem.*broadcast"),
        ([0, 3], r"getitem.*out of bounds"),
    ],
)
def test_an_index_that_does_not_fit(index, words):
    with pytest.raises(scg.ShapeError, match=words):
        scg.tensor(np.zeros((3, 2)))[index]


@pytest.mark.parametrize("index", [0.5, np.array([0.0]), "a", scg.tensor([1.0])])
def test_an_index_of_the_wrong_type(index):
    with pytest.raises(scg.DTypeError, match=r"index|getitem"):
        scg.tensor(np.zeros(3))[index]


def test_a_value_that_does_not_fit_its_place():
    x = scg.tensor(np.zeros((3, 2)))
    with pytest.raises(scg.ShapeError, match=r"index_set.*\(3,\)"):
        x.at[0].set(np.zeros(3))
    with pytest.raises(scg.ShapeError, match=r"broadcast_to.*\(1, 2\)"):
        x.at[0].add(np.zeros((1, 2)))


def test_take_follows_numpy():
    x = np.arange(12.0).reshape(3, 4)
    for args in [([1, 5],), ([[1, 0], [2, 2]], 0), ([-1], -1), (2, 1), ([], 0)]:
        np.testing.assert_array_equal(
            scg.take(x, *args)._data, np.take(x, np.array(args[0], np.intp), *args[1:])
        )
    np.testing.assert_array_equal(np.take(scg.tensor(x), [1], axis=1)._data, x[:, [1]])
    np.testing.assert_array_equal(scg.tensor(x).take([5])._data, [5.0])
    with pytest.raises(scg.DTypeError, match="take"):
        scg.take(x, [True, False, True], 0)
    with pytest.raises(scg.ShapeError, match="take: axis 2"):
        scg.take(x, [0], 2)


def test_take_along_axis_follows_numpy():
    x = scg.parameter(np.arange(12.0).reshape(3, 4))
    order = np.argsort(-x._data, axis=1)
    y = np.take_along_axis(x, order, axis=1)
    np.testing.assert_array_equal(y._data, -np.sort(-x._data, axis=1))
    flat = scg.take_along_axis(x, np.array([3, 3]), axis=None)
    flat.sum().backward()
    assert x.grad[0, 3] == 2
    with pytest.raises(scg.ShapeError, match=r"take_along_axis.*\(2,\)"):
        scg.take_along_axis(x, np.array([0, 1]))


def test_one_hot_refuses_what_is_no_class():
    with pytest.raises(scg.ShapeError, match=r"one_hot.*between 0 and 2"):
        scg.one_hot([0, 3], 3)
    with pytest.raises(scg.ShapeError, match=r"one_hot.*-1"):
        scg.one_hot([-1], 3)
    with pytest.raises(scg.DTypeError, match="one_hot"):
        scg.one_hot([0.5], 3)

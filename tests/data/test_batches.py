"""Minibatches: every example once per epoch, aligned, and resumed bitwise; binarisation."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scg.data import Minibatches, binarize, minibatches
from scg.errors import CheckpointError, OptionError, ShapeError, SupportError

SIZES = st.integers(1, 30)


def new(
    size: int = 10, batch_size: int = 3, seed: int = 0, **options: bool
) -> Minibatches[np.ndarray]:
    return minibatches(np.arange(size), batch_size, rng=np.random.default_rng(seed), **options)


def forever(batches: Minibatches[np.ndarray]) -> list[list[int]]:
    """Return the next forty batches, over as many epochs as they take."""
    return list(islice((batch.tolist() for _ in iter(int, 1) for batch in batches), 40))


@given(SIZES, SIZES, st.booleans())
def test_an_epoch_holds_every_example_once(size: int, batch_size: int, shuffle: bool) -> None:
    batches = new(size, batch_size, shuffle=shuffle)
    epoch = list(batches)
    assert sorted(np.concatenate(epoch)) == list(range(size))
    assert len(epoch) == len(batches)
    assert all(len(batch) == batch_size for batch in epoch[:-1])


@given(SIZES, SIZES, st.booleans())
def test_drop_last_leaves_whole_batches(size: int, batch_size: int, shuffle: bool) -> None:
    size = max(size, batch_size)
    batches = new(size, batch_size, shuffle=shuffle, drop_last=True)
    epoch = list(batches)
    assert len(epoch) == len(batches) == size // batch_size
    assert all(len(batch) == batch_size for batch in epoch)
    assert len(np.unique(np.concatenate(epoch))) == len(epoch) * batch_size


def test_several_arrays_stay_aligned(rng: np.random.Generator) -> None:
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    for a, b in minibatches([x, y], 4, rng=rng):
        np.testing.assert_array_equal(a, x[b])


def test_a_sequence_of_one_gives_tuples(rng: np.random.Generator) -> None:
    (batch,) = next(iter(minibatches((np.arange(3),), 3, rng=rng)))
    assert sorted(batch) == [0, 1, 2]


def test_each_epoch_and_each_seed_has_its_own_order() -> None:
    batches = new(1000, 1000)
    first, second = next(iter(batches)), next(iter(batches))
    assert first.tolist() != second.tolist()
    assert next(iter(new(1000, 1000, seed=1))).tolist() != first.tolist()
    assert next(iter(new(1000, 1000))).tolist() == first.tolist()


def test_the_order_does_not_depend_on_noise_drawn_meanwhile() -> None:
    def order(draws: int) -> list[list[int]]:
        rng = np.random.default_rng(5)
        batches = minibatches(np.arange(10), 3, rng=rng)
        return [[*batch.tolist()] for _ in range(2) for batch in batches if rng.random(draws).size]

    assert order(1) == order(7)


def test_the_generator_advances_so_that_two_iterators_differ() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(1000)
    one, two = (next(iter(minibatches(x, 1000, rng=rng))) for _ in range(2))
    assert one.tolist() != two.tolist()


def test_without_shuffling_the_batches_are_views_in_order(rng: np.random.Generator) -> None:
    x = np.arange(7)
    batches = list(minibatches(x, 3, rng=rng, shuffle=False))
    assert [batch.tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert all(np.shares_memory(batch, x) for batch in batches)


@given(SIZES, SIZES, st.integers(0, 25), st.booleans(), st.booleans())
def test_resuming_is_bitwise(
    size: int, batch_size: int, taken: int, shuffle: bool, drop_last: bool
) -> None:
    options = {"shuffle": shuffle, "drop_last": drop_last and batch_size <= size}
    through = new(size, batch_size, seed=1, **options)
    for _ in range(taken):
        next(iter(through))
    saved = json.loads(json.dumps(through.state()))
    resumed = new(size, batch_size, seed=2, **options)
    next(iter(resumed))  # an order of its own is already in memory
    resumed.restore(saved)
    assert resumed.state() == through.state()
    assert forever(resumed) == forever(through)


def test_the_state_within_a_loop_counts_the_batch_in_use() -> None:
    batches = new(10, 4)
    places = [(batches.epoch, batches.position) for _ in range(2) for _ in batches]
    assert places == [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]


def test_a_loop_that_was_left_goes_on() -> None:
    whole = [batch.tolist() for batch in new()]
    batches = new()
    for batch in batches:
        assert batch.tolist() == whole[0]
        break
    assert [batch.tolist() for batch in batches] == whole[1:]
    assert (batches.epoch, batches.position) == (1, 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"size": 11}, "size=11 then, 10 now"),
        ({"batch_size": 5}, "batch_size=5 then, 3 now"),
        ({"shuffle": False}, "shuffle=False then, True now"),
        ({"drop_last": True}, "drop_last=True then, False now"),
        ({"position": 4}, "position=4 with 4 batches"),
        ({"position": -1}, "position=-1"),
        ({"epoch": 1.5}, "epoch=1.5"),
        ({"epoch": True}, "epoch=True"),
        ({"seed": "7"}, "seed='7'"),
    ],
)
def test_a_state_that_does_not_fit(change: dict[str, object], why: str) -> None:
    batches = new()
    before = batches.state()
    with pytest.raises(CheckpointError, match=why) as caught:
        batches.restore({**before, **change})
    assert "resume" in str(caught.value)
    assert batches.state() == before


@pytest.mark.parametrize("name", sorted(new().state()))
def test_an_incomplete_state(name: str) -> None:
    batches = new()
    state = batches.state()
    del state[name]
    with pytest.raises(CheckpointError, match=f"{name}=None"):
        batches.restore(state)


@pytest.mark.parametrize(
    "shapes", [[], [()], [(0,)], [(3,), (4,)], [(3,), ()], [(0, 2), (0,)]], ids=str
)
def test_arrays_that_cannot_be_split(
    shapes: list[tuple[int, ...]], rng: np.random.Generator
) -> None:
    with pytest.raises(ShapeError, match="give at least one array"):
        minibatches([np.zeros(shape) for shape in shapes], 2, rng=rng)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True, "3", None])
def test_batch_sizes_that_make_no_sense(batch_size: int, rng: np.random.Generator) -> None:
    with pytest.raises(OptionError, match=r"batch_size is .* at least 1"):
        minibatches(np.zeros(3), batch_size, rng=rng)


def test_dropping_the_only_batch_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(OptionError, match="drop_last leaves no batch"):
        minibatches(np.zeros(3), 4, rng=rng, drop_last=True)


def test_binarize_keeps_black_and_white(rng: np.random.Generator) -> None:
    x = np.tile(np.array([0.0, 1.0], np.float32), (100_000, 1))
    bits = binarize(x, rng)
    assert bits.dtype == np.float32
    np.testing.assert_array_equal(bits, x)


def test_the_smallest_uniform_leaves_black_black() -> None:
    class Zeros(np.random.Generator):
        def random(self, shape: tuple[int, ...], **_: object) -> np.ndarray:  # type: ignore[override]
            return np.zeros(shape)

    bits = binarize(np.array([0.0, 1e-30, 1.0]), Zeros(np.random.PCG64(0)))
    assert bits.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binarize_has_the_brightness_as_its_mean(dtype: type, rng: np.random.Generator) -> None:
    n, p = 1_000_000, 0.3
    bits = binarize(np.full(n, p, dtype), rng)
    assert set(np.unique(bits)) == {0, 1}
    # Six standard deviations: false alarm 2e-9.
    assert abs(bits.mean(dtype=np.float64) - p) < 6 * np.sqrt(p * (1 - p) / n)


def test_binarize_is_a_function_of_the_generator_and_leaves_its_input() -> None:
    x = np.random.default_rng(1).random((5, 4, 3), np.float32)
    before = x.copy()
    one, two = (binarize(x, np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(x, before)
    assert one.shape == x.shape and binarize(x[:0], np.random.default_rng(2)).shape == (0, 4, 3)


@pytest.mark.parametrize("value", [-0.1, 1.1, 255.0, np.nan, np.inf])
def test_binarize_refuses_what_is_no_probability(value: float, rng: np.random.Generator) -> None:
    with pytest.raises(SupportError, match=r"scale the images to \[0, 1\]"):
        binarize(np.array([0.5, value]), rng)


def test_a_number_seeds_and_lists_are_arrays() -> None:
    x, y = [0.0, 1.0, 2.0], ["a", "b", "c"]
    a = [batch[0].tolist() for batch in minibatches([x, y], 2, rng=7)]
    b = [batch[0].tolist() for batch in minibatches([x, y], 2, rng=np.random.default_rng(7))]
    assert a == b
    assert sorted(value for batch in a for value in batch) == x

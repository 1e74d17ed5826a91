"""Trees come back as they were, or are refused."""

from __future__ import annotations

import enum
import json
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scg.checkpoint import flatten, unflatten
from scg.errors import CheckpointError

KEYS = st.text(alphabet="ab/~0", max_size=3)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, min_side=0, max_side=2))
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


def count(tree: Any) -> int:
    if isinstance(tree, dict):
        return sum(map(count, tree.values()))
    return sum(map(count, tree)) if isinstance(tree, list | tuple) else isinstance(tree, np.ndarray)


@given(TREES)
def test_every_tree_comes_back(tree: Any) -> None:
    arrays, skeleton = flatten(tree)
    assert len(arrays) == count(tree)  # no two share a name
    assert same(unflatten(arrays, json.loads(json.dumps(skeleton))), tree)


def test_names_say_where_an_array_belongs() -> None:
    x = np.ones(1)
    arrays, _ = flatten({"layers": [{"weight": x}, {"weight": x}], "a/b": (x,), "a": {"b": x}})
    assert list(arrays) == ["layers/0/weight", "layers/1/weight", "a~1b/0", "a/b"]
    assert all(array is x for array in arrays.values())


def test_names_stay_apart_whatever_the_keys_hold() -> None:
    x = np.ones(1)
    arrays, _ = flatten({"a/b": x, "a~1b": x, "a~b": x, "a~0b": x, "": {"": x}, "/": x})
    assert len(arrays) == 6


def test_numpy_scalars_come_back_as_arrays_of_their_dtype() -> None:
    tree = unflatten(*flatten({"count": np.int64(3), "rate": np.float64(0.1)}))
    assert tree["count"].shape == () and tree["count"].dtype == np.int64
    assert tree["rate"].dtype == np.float64 and tree["rate"] == 0.1


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("leaf", "name"),
    [
        (object(), "object"),
        ({1}, "set"),
        (b"x", "bytes"),
        (1j, "complex"),
        (Colour.RED, "Colour"),
        (namedtuple("Pair", "a b")(1, 2), "Pair"),
    ],
)
def test_leaves_that_would_come_back_changed(leaf: object, name: str) -> None:
    with pytest.raises(CheckpointError, match=f"a {name} at 'x/1'; use dicts"):
        flatten({"x": [0, leaf]})


@pytest.mark.parametrize("key", [1, None, ("a",), "__array__", "__tuple__"])
def test_keys_that_would_come_back_changed(key: Any) -> None:
    with pytest.raises(CheckpointError, match=r"the key .* at 'x'; use another text"):
        flatten({"x": {key: 1}})


def test_a_skeleton_without_its_array() -> None:
    arrays, skeleton = flatten({"a": np.ones(2), "b": np.ones(3)})
    del arrays["b"]
    with pytest.raises(CheckpointError, match="lacks the array 'b'"):
        unflatten(arrays, skeleton)

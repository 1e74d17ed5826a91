"""Products in a plan: what they read where it lies, and what is taken into them."""

from __future__ import annotations

import numpy as np
import pytest

from scg._compile._fuse import Region
from scg._compile._work import Product
from tests.compile.writer import Writer, compare, numbers


def test_a_product_reads_transposes_and_slices_where_they_are():
    w = Writer()
    x, y, c = w.argument(0, (30, 20)), w.argument(1, (25, 60)), w.argument(2, (25,))
    part = w.getitem(y, index=(slice(None), slice(0, 60, 2)))
    w.program.results = [w.matmul(w.transpose(x), w.transpose(part)), w.linear(w.transpose(x),
                         w.transpose(part), c)]  # fmt: skip
    plan = compare(w.program, [numbers(30, 20), numbers(25, 60), numbers(25)])
    assert {type(step) for step in plan.steps} == {Product}


BATCHES = [
    ((3, 4, 5), (5, 6)), ((3, 4, 5), (3, 5, 6)), ((4, 5), (3, 5, 6)), ((2, 3, 4, 5), (5, 2)),
    ((2, 3, 4, 5), (3, 5, 2)), ((3, 1, 5), (5, 1)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", BATCHES)
def test_matrices_in_a_batch(shapes):
    w = Writer()
    a, b = (w.argument(i, shape) for i, shape in enumerate(shapes))
    w.program.results = [w.exp(w.matmul(a, b))]
    if len(shapes[1]) == 2:
        c = w.constant(numbers(shapes[1][1], seed=5))
        w.program.results.append(w.linear(w.flip(a, axis=0), b, c))
    compare(w.program, [numbers(*shape, seed=i) for i, shape in enumerate(shapes)])


@pytest.mark.parametrize(
    "shapes", [((7,), (7,)), ((1, 9), (9, 50)), ((40, 9), (9, 1)), ((9,), (9, 4))]
)
def test_a_product_with_a_vector_is_a_loop(shapes):
    w = Writer()
    a, b = (w.argument(i, shape) for i, shape in enumerate(shapes))
    w.program.results = [w.relu(w.matmul(a, b))]
    plan = compare(w.program, [numbers(*shape, seed=i) for i, shape in enumerate(shapes)])
    assert {type(step) for step in plan.steps} == {Region}


def test_a_layer_is_a_product_and_its_derivative_one_region():
    w = Writer()
    x, v, b = w.argument(0, (30, 20)), w.argument(1, (20, 40)), w.argument(2, (40,))
    y = w.relu(w.linear(x, v, b))
    zero = w.constant(np.float32(0))
    g = w.where(w.greater(y, zero), w.multiply(y, y), zero)
    w.program.results = [g, w.sum(g, axis=0)]
    plan = compare(w.program, [numbers(30, 20), numbers(20, 40), numbers(40)])
    assert [type(step) for step in plan.steps] == [Product, Region]


def test_a_relu_whose_argument_is_read_too_is_not_taken_into_the_product():
    w = Writer()
    x = w.argument(0, (30, 20))
    y = w.matmul(x, w.transpose(x))
    w.program.results = [w.relu(y), y]
    compare(w.program, [numbers(30, 20)])


# --- calls -----------------------------------------------------------------------------------

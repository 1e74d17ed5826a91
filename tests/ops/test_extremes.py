"""Every registered op at the ends: numbers, empty arrays, NaN and infinities, strided memory."""

import pytest
from extremes import check_edges_are_complete, check_empty, check_nonfinite, check_rank_0
from harness import FLOATS, check_inputs, check_strided_vjp

from scg._elementwise import ElementwiseOp
from scg._op import OPS

NAMES = sorted(OPS)
ELEMENTWISE = [n for n in NAMES if isinstance(OPS[n], ElementwiseOp)]
GENERAL = [n for n in NAMES if n not in ELEMENTWISE]
every_op = pytest.mark.parametrize("name", NAMES)


@every_op
def test_numbers_are_among_the_samples_or_refused(name):
    check_rank_0(OPS[name])


@every_op
def test_an_empty_array_is_among_the_samples(name):
    check_empty(OPS[name])


@every_op
def test_values_of_read_only_inputs_in_any_layout(name):
    check_inputs(OPS[name])


@every_op
def test_cotangents_where_residuals_are_strided(name):
    check_strided_vjp(OPS[name])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_edges_include_nan_and_infinities(name):
    check_edges_are_complete(OPS[name])


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", GENERAL)
def test_nan_and_infinities_go_where_the_reference_says(name, dtype):
    check_nonfinite(OPS[name], dtype)

"""Zeros have the signs that they have in eager mode: 1 / x tells."""

from __future__ import annotations

import numpy as np
import pytest

import scg

VALUES = [-0.0, 0.0, -2.0, 3.0, np.nan, np.inf, -np.inf]
FUNCTIONS = {
    "sign": scg.sign,
    "negative": lambda x: -x,
    "multiply": lambda x: x * 0.0,
    "subtract": lambda x: x - 0.0,
    "from zero": lambda x: 0.0 - x,
    "maximum": lambda x: scg.maximum(x, 0.0),
    "minimum": lambda x: scg.minimum(x, 0.0),
    "floor": scg.floor,
    "round": scg.round,
    "trunc": scg.trunc,
    "cumsum": lambda x: scg.cumsum(x[:2], axis=0),
    "where": lambda x: scg.where(x > 0, x, -0.0),
    "tanh": scg.tanh,
    "expm1": scg.expm1,
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_zeros_have_the_signs_of_eager_mode(name, dtype):
    x = np.array(VALUES, dtype)
    eager, f = FUNCTIONS[name](scg.tensor(x))._data, scg.jit(FUNCTIONS[name])
    for _ in range(3):
        compiled = f(x)._data
        zero = eager == 0
        np.testing.assert_array_equal(compiled == 0, zero)
        np.testing.assert_array_equal(np.signbit(compiled)[zero], np.signbit(eager)[zero])

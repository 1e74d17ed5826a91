"""What optimisers refuse, in one sentence, before anything is changed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import scg
from scg import nn, optim
from scg.errors import GradientError, NonFiniteError, OptionError


def one():
    return [scg.parameter([1.0])]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(one(), lr=-0.1), "SGD: lr=-0.1 must not be negative"),
        (lambda: optim.SGD(one(), lr=math.nan), "lr=nan must be a finite number"),
        (lambda: optim.SGD(one(), lr="fast"), "lr='fast' must be a finite number"),
        (lambda: optim.SGD(one(), 0.1, weight_decay=-1), "weight_decay=-1.0 must not be negative"),
        (lambda: optim.Momentum(one(), 0.1, beta=1.0), r"beta=1.0 must lie in \[0, 1\)"),
        (lambda: optim.RMSProp(one(), alpha=-0.1), r"alpha=-0.1 must lie in \[0, 1\)"),
        (lambda: optim.RMSProp(one(), eps=0.0), "eps=0.0 must be positive"),
        (lambda: optim.AdaGrad(one(), eps=math.inf), "eps=inf must be a finite number"),
        (lambda: optim.Adam(one(), beta1=1.0), r"Adam: beta1=1.0 must lie in \[0, 1\)"),
        (lambda: optim.AdamW(one(), beta2=-0.1), r"AdamW: beta2=-0.1 must lie in \[0, 1\)"),
        (lambda: optim.Adam([]), "there are no parameters"),
        (lambda: optim.Adam(nn.Sequential()), "there are no parameters"),
        (lambda: optim.Adam(one() * 2), "'0' and '1' are the same parameter"),
        (lambda: optim.Adam(one()[0]), "params is a Tensor"),
        (lambda: optim.Adam(set(one())), "params is a set"),
        (lambda: optim.Adam(3), "params is a int"),
        (lambda: optim.clip_grad_norm(one(), 0.0), "max_norm=0.0 must be positive"),
        (lambda: optim.clip_grad_value(one(), -1.0), "limit=-1.0 must not be negative"),
    ],
)
def test_wrong_options_get_one_sentence(make, message):
    with pytest.raises(OptionError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", [scg.tensor([1.0]), np.ones(1), 1.0])
def test_only_parameters_can_be_trained(entry):
    with pytest.raises(GradientError, match="entry 'b'"):
        optim.SGD({"a": one()[0], "b": entry}, lr=0.1)


def test_what_is_computed_from_a_parameter_is_none():
    with pytest.raises(GradientError, match="entry '0'"):
        optim.SGD([one()[0] * 2.0], lr=0.1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_check_finite_names_the_parameter_before_anything_changes(value):
    model = nn.Sequential(nn.Linear(2, 1, rng=0, dtype=np.float64))
    weight, bias = model.parameters()
    optimizer = optim.Momentum(model, 0.1, check_finite=True)
    weight.grad, bias.grad = [[1.0], [1.0]], [value]
    before = model.state()
    with pytest.raises(NonFiniteError, match=r"1 of 1 gradient elements of parameter '0\.bias'"):
        optimizer.step()
    assert all(np.array_equal(before[k], v) for k, v in model.state().items())
    assert optimizer.steps == weight.version == 0
    assert not optimizer.state()[0]["0.weight.velocity"].any()


def test_without_check_finite_a_nan_goes_through():
    p = scg.parameter([1.0, 1.0])
    p.grad = [math.nan, 1.0]
    optim.SGD([p], lr=0.5).step()
    np.testing.assert_array_equal(scg.peek(p), [math.nan, 0.5])

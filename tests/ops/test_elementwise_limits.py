"""Slopes at the ends of domains and far out, against multiple precision."""

import mpmath as mp
import numpy as np
import pytest

import scg
from scg._op import OPS
from scg.tape import NONNEGATIVE, POSITIVE

CASES = [
    # op, points, exact slope
    ("sigmoid", (-700.0, -40.0, 40.0), lambda x: 1 / (2 + mp.exp(x) + mp.exp(-x))),
    ("log_sigmoid", (-1e4, -40.0, 700.0), lambda x: 1 / (1 + mp.exp(x))),
    ("softplus", (-700.0, 1e4), lambda x: 1 / (1 + mp.exp(-x))),
    ("log_ndtr", (-1e6, -50.0, 5.0, 40.0), lambda x: mp.npdf(x) / mp.ncdf(x)),
    ("expm1", (-40.0, -1e-9, 1e-9), mp.exp),
    ("log1p", (1e-300, -0.5, 1e300), lambda x: 1 / (1 + x)),
    ("tanh", (-8.0, 1e-9, 8.0), lambda x: mp.sech(x) ** 2),
    ("erfc", (-5.0, 26.0), lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    ("erfinv", (0.999999, -1e-12), lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(mp.erfinv(x) ** 2)),
    ("ndtri", (0.5, 1 - 1e-9), lambda x: mp.diff(lambda t: mp.sqrt(2) * mp.erfinv(2 * t - 1), x)),
    ("arcsin", (0.999999, -0.999999), lambda x: 1 / mp.sqrt(1 - mp.mpf(x) ** 2)),
    ("arctanh", (0.999999,), lambda x: 1 / (1 - mp.mpf(x) ** 2)),
    ("i0e", (1e-6, 800.0), lambda x: mp.diff(lambda t: mp.exp(-t) * mp.besseli(0, t), x)),
    ("i1e", (1e-6, 50.0), lambda x: mp.diff(lambda t: mp.exp(-t) * mp.besseli(1, t), x)),
    ("digamma", (1e-3, 1e5), lambda x: mp.polygamma(1, x)),
    ("gelu", (-5.0, 0.0, 30.0), lambda x: mp.ncdf(x) + x * mp.npdf(x)),
    ("silu", (-40.0, 40.0), lambda x: mp.diff(lambda t: t / (1 + mp.exp(-t)), x)),
    ("cosh", (1e-9, 700.0), mp.sinh),
    ("arccosh", (1 + 1e-9, 1e9), lambda x: 1 / mp.sqrt(mp.mpf(x) ** 2 - 1)),
]  # fmt: skip


def slope(name, x):
    p = scg.parameter(x)
    OPS[name].public(p).backward()
    return float(p.grad)


@pytest.mark.parametrize(("name", "x", "exact"), [(n, x, f) for n, xs, f in CASES for x in xs])
def test_slope(name, x, exact):
    with mp.workdps(60):
        wanted = float(exact(mp.mpf(x)))
    # These are written in y, which rounds to 1 far out: an absolute error of one unit of 1.
    absolute = 2e-16 if name in ("sigmoid", "tanh") else 1e-320
    assert slope(name, x) == pytest.approx(wanted, rel=1e-9, abs=absolute)


@pytest.mark.parametrize(
    ("name", "point", "wanted"),
    [
        ("xlogy", (0.0, 2.0), (np.log(2.0), 0.0)), ("xlogy", (0.0, 0.0), (-np.inf, 0.0)),
        ("xlogy", (2.0, 0.0), (-np.inf, np.inf)), ("xlog1py", (0.0, -1.0), (-np.inf, 0.0)),
        ("hypot", (0.0, 0.0), (0.0, 0.0)), ("hypot", (3e200, 4e200), (0.6, 0.8)),
        ("logaddexp", (1000.0, 0.0), (1.0, 0.0)), ("logaddexp", (-np.inf, 0.0), (0.0, 1.0)),
        ("arctan2", (1e-200, -1e-200), (-5e199, -5e199)), ("arctan2", (-2.0, -2.0), (-0.25, 0.25)),
        ("power", (0.0, 3.0), (0.0, 0.0)),
    ],
)  # fmt: skip
def test_slopes_of_two_inputs(name, point, wanted):
    a, b = (scg.parameter(v) for v in point)
    with np.errstate(all="ignore"):
        getattr(scg, name)(a, b).backward()
    np.testing.assert_allclose([float(a.grad), float(b.grad)], wanted, rtol=1e-12)


@pytest.mark.parametrize("certain", [np.inf, 1e300, 800.0])
def test_log_probabilities_of_certain_outcomes(certain):
    """What is certain costs nothing and what is excluded everything; neither is NaN."""
    logits = scg.parameter([certain, certain, -certain, -certain])
    y = OPS["bernoulli_log_prob"].public([1.0, 0.0, 1.0, 0.0], logits)
    y.backward()
    np.testing.assert_array_equal(scg.peek(y), [0.0, -certain, -certain, 0.0])
    np.testing.assert_array_equal(logits.grad, [0.0, -1.0, 1.0, 0.0])


@pytest.mark.parametrize("name", ["elu", "selu", "gelu", "silu", "softplus", "log_sigmoid", "relu"])
def test_second_derivative_far_out_is_zero_not_nan(name):
    x = scg.parameter([-700.0, 800.0])
    (g,) = scg.grad(getattr(scg, name)(x).sum(), [x], create_graph=True)
    if g.requires_grad:
        (h,) = scg.grad(g.sum(), [x])
        np.testing.assert_allclose(scg.peek(h), 0.0, atol=1e-290)


SIGNED = sorted(name for name, op in OPS.items() if op.sign and op.rules is not None)
FACTS = {0: (-4, 4), NONNEGATIVE: (0, 4), NONNEGATIVE | POSITIVE: (0.01, 4)}


@pytest.mark.parametrize("name", SIGNED)
def test_facts_about_signs_hold(name):
    op = OPS[name]
    rng = np.random.default_rng(3)
    statics = next(iter(op.samples.cases(rng, np.dtype(float))))[1]
    for facts in np.ndindex(*[3] * len(op.inputs)):
        chosen = [list(FACTS)[i] for i in facts]
        inputs = [rng.uniform(*FACTS[f], 400) for f in chosen]
        for x, f in zip(inputs, chosen, strict=True):
            if not f & POSITIVE:
                x[::7] = 0.0
        claimed = op.sign if isinstance(op.sign, int) else op.sign(False, *chosen)
        with np.errstate(all="ignore"):
            y = op.forward(*inputs, **{**op.defaults, **statics})
        y = y[~np.isnan(y)]
        if claimed & POSITIVE:
            assert claimed & NONNEGATIVE, f"{name}: positive without non-negative"
            assert (y > 0).all(), f"{name} of {chosen}"
        if claimed & NONNEGATIVE:
            assert (y >= 0).all(), f"{name} of {chosen}"


@pytest.mark.parametrize("name", sorted(OPS))
def test_numpy_functions_reach_their_op(name):
    op = OPS[name]
    for function in op.numpy:
        assert scg.Tensor._functions[function].op is op


@pytest.mark.parametrize("name", ["xlogy", "betaln", "logaddexp", "gammainc", "power", "arctan2"])
def test_a_number_does_not_widen_float32(name):
    x = scg.parameter(np.array([0.5, 2.0], np.float32))
    for y in (getattr(scg, name)(x, 2.0), getattr(scg, name)(2.0, x)):
        assert y.dtype == np.float32
        y.sum().backward()
    assert x.grad.dtype == np.float32


def test_polygamma_refuses_a_bad_order():
    for n in (-1, 1.5, "1"):
        with pytest.raises(scg.OptionError, match="polygamma"):
            scg.polygamma(n, 1.0)
    assert float(scg.peek(scg.polygamma(0, 1.0))) == pytest.approx(-float(mp.euler))

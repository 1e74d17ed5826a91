"""Values and gradients against JAX, where it is installed: ties and kinks included."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)

from harness import SEED, cases, has_gradient  # noqa: E402
from jax_counterparts import JAX, NOT_IN_JAX  # noqa: E402
from special_points import DIFFERENT, SAME  # noqa: E402

import scg  # noqa: E402
from scg._elementwise import ElementwiseOp  # noqa: E402
from scg._op import OPS  # noqa: E402

RTOL = 1e-12


def varying(op, inputs, statics):
    """Return which inputs receive a cotangent."""
    if not has_gradient(op, len(inputs), statics):
        return []
    classes = op.smoothness(len(inputs), statics)
    return [i for i, s in enumerate(classes) if op._passes(s) and inputs[i].dtype.kind == "f"]


def ours(op, inputs, statics, which, cotangent):
    def fn(*given):
        full = list(inputs)
        for i, t in zip(which, given, strict=True):
            full[i] = t
        return op.public(*full, **statics)

    if not which:
        return fn()._data, []
    out, pull = scg.vjp(fn, *[inputs[i] for i in which])
    return out._data, [s._data for s in pull(cotangent)]


def theirs(op, inputs, statics, which, cotangent):
    def fn(*given):
        full = [jax.numpy.asarray(x) for x in inputs]
        for i, t in zip(which, given, strict=True):
            full[i] = t
        return JAX[op.name](*full, **statics)

    if not which:
        return np.asarray(fn()), []
    out, pull = jax.vjp(fn, *[inputs[i] for i in which])
    return np.asarray(out), [np.asarray(s) for s in pull(jax.numpy.asarray(cotangent))]


def compare(op, inputs, statics):
    """Return the largest relative difference of values, and of cotangents."""
    inputs = [np.asarray(x) for x in inputs]
    which = varying(op, inputs, statics)
    shape = op.shape(*[x.shape for x in inputs], **statics)
    cotangent = np.random.default_rng(SEED).uniform(0.5, 2, shape)
    (y, slopes), (z, wanted) = (f(op, inputs, statics, which, cotangent) for f in (ours, theirs))
    assert y.shape == z.shape
    return _difference([y], [z]), _difference(slopes, wanted)


def _difference(actual, wanted):
    worst = 0.0
    for a, b in zip(actual, wanted, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return np.inf
        finite = np.isfinite(a)
        scale = np.max(np.abs(b[finite]), initial=1e-300)
        worst = max(worst, np.max(np.abs(a[finite] - b[finite]), initial=0.0) / scale)
    return worst


def few(op):
    """Yield cases; of an elementwise op only matrices, as JAX compiles each shape anew."""
    for inputs, statics in cases(op):
        if not isinstance(op, ElementwiseOp) or np.ndim(inputs[0]) == 2:
            yield inputs, statics


def test_every_op_has_a_counterpart_or_is_known_to_have_none():
    assert JAX.keys() | NOT_IN_JAX == OPS.keys()
    assert not JAX.keys() & NOT_IN_JAX


@pytest.mark.parametrize("name", sorted(JAX))
def test_values_and_cotangents_are_those_of_jax(name):
    compared = 0
    for inputs, statics in few(OPS[name]):
        assert max(compare(OPS[name], inputs, statics)) <= RTOL, statics
        compared += 1
    assert compared


def _ids(cases):
    return [f"{name}-{number}" for number, (name, *_) in enumerate(cases)]


@pytest.mark.parametrize(("name", "inputs", "statics"), SAME, ids=_ids(SAME))
def test_ties_and_kinks_are_treated_as_in_jax(name, inputs, statics):
    with np.errstate(all="ignore"):
        assert max(compare(OPS[name], inputs, statics)) <= RTOL


@pytest.mark.parametrize(
    ("name", "inputs", "statics", "wanted"), DIFFERENT, ids=_ids(DIFFERENT)
)  # fmt: skip
def test_where_conventions_differ_on_purpose(name, inputs, statics, wanted):
    """Pin ours, and see that JAX's is still another, or the exception can go."""
    op, given = OPS[name], [np.asarray(x) for x in inputs]
    which = varying(op, given, statics)
    ones = np.ones(op.shape(*[x.shape for x in given], **statics))
    with np.errstate(all="ignore"):
        slopes = [f(op, given, statics, which, ones)[1] for f in (ours, theirs)]
    np.testing.assert_allclose(np.ravel(slopes[0]), wanted, rtol=RTOL)
    assert not np.allclose(np.ravel(slopes[1]), wanted)

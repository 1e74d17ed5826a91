"""Programs written by hand or at random, and what they mean."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from scg._compile._native import native
from scg._compile._program import (
    Apply,
    Argument,
    Constant,
    Gradient,
    Host,
    Noise,
    Parameter,
    Program,
    Update,
    Value,
)
from scg._op import OPS

DRAWS = {"normal": "standard_normal", "uniform": "random", "exponential": "standard_exponential"}


class Writer:
    """Writes a program: `w.exp(x)` applies the op of that name to values."""

    def __init__(self):
        self.program = Program()
        self._examples = {}  # an array for each value, from which the next one's shape is found

    def _made(self, instruction, shape, dtype, example=None):
        value = Value(tuple(shape), np.dtype(dtype), instruction)
        instruction.outputs.append(value)
        self._examples[value] = np.ones(shape, dtype) if example is None else example
        self.program.instructions.append(instruction)
        return value

    def argument(self, index, shape, dtype=np.float32):
        return self._made(Argument(index=index), shape, dtype)

    def constant(self, array):
        array = np.asarray(array)
        return self._made(Constant(array=array), array.shape, array.dtype, array)

    def parameter(self, tensor):
        return self._made(Parameter(tensor=tensor), tensor.shape, tensor.dtype)

    def gradient(self, tensor):
        return self._made(Gradient(tensor=tensor), tensor.shape, tensor.dtype)

    def noise(self, kind, shape, dtype, generator):
        return self._made(Noise(kind=kind, generator=generator), shape, dtype)

    def host(self, call, inputs, shape, dtype):
        return self._made(Host(inputs=tuple(inputs), call=call, name="host"), shape, dtype)

    def update(self, optimizer, tensors, gradients):
        self.program.instructions.append(
            Update(inputs=tuple(gradients), optimizer=optimizer, tensors=tuple(tensors))
        )

    def __getattr__(self, name):
        op = OPS[name]

        def apply(*inputs, **statics):
            statics = {**op.defaults, **statics}
            with np.errstate(all="ignore"):
                y = np.asarray(op.forward(*[self._examples[v] for v in inputs], **statics))
            step = Apply(inputs=inputs, op=op, statics=statics)
            return self._made(step, y.shape, y.dtype, y)

        return apply


def meaning(program, arguments, noise=None):
    """Return the results of a program without updates, by the ops themselves.

    With `noise`, a generator, every number is a rounding wrong wherever an op reads or makes it:
    what an op of several steps (a softmax, say) rounds on its way is of that size.
    """
    known = {}
    for step in program.instructions:
        made = _made_by(step, known, arguments, noise)
        if noise is not None and isinstance(step, Apply):
            near_one = step.op.name in ("log_softmax", "logsumexp")  # they round what they log
            made = [_rounded(array, noise, float(near_one)) for array in made]
        known.update(zip(step.outputs, made, strict=True))
    return [known[v] for v in program.results]


def _rounded(array, noise, more=0.0):
    if array.dtype.kind != "f":
        return array
    signs = noise.choice([-1, 0, 1], array.shape)
    with np.errstate(all="ignore"):
        eps = np.finfo(array.dtype).eps
        return np.asarray(array * (1 + signs * eps) + signs * eps * more, array.dtype)


def _made_by(step, known, arguments, noise):
    if isinstance(step, Constant):
        return [step.array]
    if isinstance(step, Argument):
        return [arguments[step.index]]
    if isinstance(step, Parameter):
        return [np.array(step.tensor._data)]
    operands = [known[v] for v in step.inputs]
    if isinstance(step, Host):
        return step.call(*operands)
    if noise is not None:
        operands = [_rounded(array, noise) for array in operands]
    with np.errstate(all="ignore"):
        return [np.asarray(step.op.forward(*operands, **step.statics))]


def assert_means(program, arguments, results, runs=6, slack=8):
    """Compare results with those of the ops, as far apart as roundings alone may bring them.

    What the results of `runs` evaluations with a rounding wrong everywhere differ by, times
    `slack`, is what an element may differ by. Where a comparison or an overflow hangs on a
    rounding, anything may come.
    """
    noise = np.random.default_rng(0)
    exact = meaning(program, arguments)
    others = [meaning(program, arguments, noise) for _ in range(runs)]
    for place, (ours, theirs) in enumerate(zip(results, exact, strict=True)):
        assert ours.shape == theirs.shape, (place, ours.shape, theirs.shape)
        assert ours.dtype == theirs.dtype, (place, ours.dtype, theirs.dtype)
        _assert_near(ours, theirs, np.stack([theirs, *(run[place] for run in others)]), slack)


def _assert_near(ours, theirs, runs, slack):
    certain = np.all((runs == runs[0]) | (np.isnan(runs) & np.isnan(runs[0])), axis=0)
    np.testing.assert_array_equal(ours[certain & ~np.isfinite(theirs)],
                                  theirs[certain & ~np.isfinite(theirs)])  # fmt: skip
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours[certain], theirs[certain])
        return
    finite = np.all(np.isfinite(runs), axis=0)
    spread = np.ptp(np.where(finite, runs, 0), axis=0) + np.finfo(ours.dtype).eps * abs(theirs)
    off = abs(ours - theirs)[finite] > slack * spread[finite] + np.finfo(ours.dtype).tiny
    assert not np.any(off), (ours[finite][off], theirs[finite][off], spread[finite][off])


# --- random programs -------------------------------------------------------------------------

UNARY = (
    "negative", "exp", "tanh", "sigmoid", "relu", "square", "abs", "softplus", "log_sigmoid", "sin",
    "expm1", "sqrt", "log1p",
)  # fmt: skip
BINARY = ("add", "subtract", "multiply", "maximum", "minimum", "divide", "logaddexp")
COMPARING = ("greater", "less_equal", "equal", "logical_and", "not_equal")
REDUCING = ("sum", "mean", "max", "min", "var", "logsumexp", "any", "all", "prod")
ALONG = ("softmax", "log_softmax")
SIZES = st.sampled_from([1, 2, 3, 7, 8, 17, 33, 64])
LARGE = 1 << 16


@st.composite
def programs(draw, most=24):
    """Draw a program over the registry and arguments for it."""
    w, arguments, values = Writer(), [], []
    sizes = [draw(SIZES) for _ in range(3)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for index in range(draw(st.integers(1, 3))):
        shape = tuple(draw(st.sampled_from([n, 1])) for n in sizes[draw(st.integers(0, 3)) :])
        dtype = draw(st.sampled_from([np.float32, np.float64]))
        arguments.append(np.asarray(rng.standard_normal(shape), dtype))
        values.append(w.argument(index, shape, dtype))
    for _ in range(draw(st.integers(1, most))):
        made = draw(st.sampled_from(STEPS))(draw, w, values)
        if made is not None and np.prod(made.shape) <= LARGE:
            values.append(made)
    count = draw(st.integers(1, min(4, len(values))))
    w.program.results = [draw(st.sampled_from(values)) for _ in range(count)]
    return w.program, arguments


def _floats(draw, values):
    return draw(st.sampled_from([v for v in values if v.dtype.kind == "f"]))


def _unary(draw, w, values):
    return getattr(w, draw(st.sampled_from(UNARY)))(_floats(draw, values))


def _binary(draw, w, values):
    a, b = _floats(draw, values), _floats(draw, values)
    name = draw(st.sampled_from(BINARY + COMPARING))
    return getattr(w, name)(a, b) if _fit(a, b) else None


def _fit(*values):
    try:
        np.broadcast_shapes(*[v.shape for v in values])
    except ValueError:
        return False
    return True


def _where(draw, w, values):
    a, b = _floats(draw, values), _floats(draw, values)
    c = draw(st.sampled_from(values))
    return w.where(c, a, b) if _fit(a, b, c) else None


def _axis(draw, v, several=True):
    axes = list(range(-len(v.shape), len(v.shape)))
    if several and len(v.shape) > 1 and draw(st.booleans()):
        return tuple(sorted(draw(st.sets(st.integers(0, len(v.shape) - 1), min_size=1))))
    return draw(st.sampled_from(axes))


def _reduce(draw, w, values):
    v, name = _floats(draw, values), draw(st.sampled_from(REDUCING))
    axis = None if not v.shape or draw(st.booleans()) else _axis(draw, v)
    return getattr(w, name)(v, axis=axis, keepdims=draw(st.booleans()))


def _along(draw, w, values):
    v = _floats(draw, values)
    return getattr(w, draw(st.sampled_from(ALONG)))(v, axis=_axis(draw, v)) if v.shape else None


def _running(draw, w, values):
    v = _floats(draw, values)
    return w.cumsum(v, axis=_axis(draw, v, several=False)) if v.shape else None


def _view(draw, w, values):
    v = draw(st.sampled_from(values))
    kind = draw(st.sampled_from(["reshape", "transpose", "wider", "item", "flip", "repeat"]))
    if kind == "reshape":
        return w.reshape(v, shape=draw(st.sampled_from([-1, (1, -1), v.shape[::-1]])))
    if kind == "transpose":
        return w.transpose(v)
    if kind == "wider":
        return w.expand_dims(v, axis=draw(st.integers(0, len(v.shape))))
    if kind == "repeat":
        return w.broadcast_to(v, shape=(2, *v.shape))
    if kind == "flip":
        return w.flip(v, axis=None)
    index = draw(st.sampled_from([(0,), (slice(None, None, 2),), (..., slice(0, 1)), (None,),
                                  (-1,), (slice(None, None, -1),)]))  # fmt: skip
    return w.getitem(v, index=index) if v.shape else None


def _cast(draw, w, values):
    v = draw(st.sampled_from(values))
    return w.astype(v, dtype=draw(st.sampled_from(["float32", "float64", "bool"])))


def _join(draw, w, values):
    v = _floats(draw, values)
    return w.concatenate(v, v, axis=_axis(draw, v, several=False)) if v.shape else None


def _product(draw, w, values):
    v = _floats(draw, values)
    if len(v.shape) != 2:
        return None
    kind = draw(st.sampled_from(["matrix", "vector", "row"]))
    if kind == "matrix":
        return w.matmul(v, w.transpose(v))
    if kind == "vector":
        return w.matmul(v, w.getitem(v, index=(0,)))
    return w.matmul(w.getitem(v, index=(slice(0, 1),)), w.transpose(v))


STEPS = (
    _unary, _unary, _binary, _binary, _binary, _where, _reduce, _reduce, _along, _running, _view,
    _view, _cast, _join, _product,
)  # fmt: skip


def numbers(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def compare(program, arguments):
    """Compile, call twice (the second call finds what the first left), and compare."""
    plan = native(program)
    plan(arguments)
    with np.errstate(all="ignore"):
        assert_means(program, arguments, plan(arguments))
    return plan

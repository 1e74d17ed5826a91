"""What JAX has for each op of the registry, called as `f(*inputs, **statics)`."""

import math

import jax
import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np

from scg.ops._gather import fill


def _at(method, x, value, arrays, index):
    return getattr(x.at[fill(index, arrays)], method)(value)


def _pair(value):
    return tuple(int(v) for v in np.broadcast_to(value, 2))


def _margins(padding):
    return [(p, p) for p in _pair(padding)]


def _conv(x, w, stride=1, padding=0, dilation=1):
    return jax.lax.conv_general_dilated(
        x, w, _pair(stride), _margins(padding), rhs_dilation=_pair(dilation)
    )


def _conv_transpose(x, w, output_padding=0, stride=1, padding=0, dilation=1):
    """Pull back through the convolution that gives the shape of `x`."""
    sizes = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1 + extra
        for n, s, p, d, k, extra in zip(
            x.shape[2:], _pair(stride), _pair(padding), _pair(dilation), w.shape[2:],
            _pair(output_padding), strict=True,
        )
    ]  # fmt: skip
    image = jnp.zeros((x.shape[0], w.shape[1], *sizes))
    return jax.vjp(lambda i: _conv(i, w, stride, padding, dilation), image)[1](x)[0]


def _conv_filters(g, x, size, **options):
    filters = jnp.zeros((g.shape[1], x.shape[1], *size))
    return jax.vjp(lambda w: _conv(x, w, **options), filters)[1](g)[0]


def _pool(x, initial, combine, size, stride=None, padding=0):
    window = _pair(size)
    step = window if stride is None else _pair(stride)
    edges = [(0, 0), (0, 0), *_margins(padding)]
    return jax.lax.reduce_window(x, initial, combine, (1, 1, *window), (1, 1, *step), edges)


def _max_pool(x, **options):
    return _pool(x, -jnp.inf, jax.lax.max, **options)


def _avg_pool(x, size, **options):
    return _pool(x, 0.0, jax.lax.add, size, **options) / np.prod(_pair(size))


def _avg_unpool(g, shape, **options):
    return jax.vjp(lambda x: _avg_pool(x, **options), jnp.zeros(shape))[1](g)[0]


def _topk(which):
    def f(x, k, axis=-1):
        return jnp.moveaxis(jax.lax.top_k(jnp.moveaxis(x, axis, -1), k)[which], -1, axis)

    return f


def _recurrence(a, b, axis=-1):
    """Scan `h = a * h + b` from zero."""

    def step(h, ab):
        h = ab[0] * h + ab[1]
        return h, h

    lines = [jnp.moveaxis(jnp.asarray(v), axis, 0) for v in (a, b)]
    return jnp.moveaxis(jax.lax.scan(step, jnp.zeros(lines[0].shape[1:]), tuple(lines))[1], 0, axis)


def _solve_triangular(a, b, lower=False, trans=False, unit_diagonal=False):
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = jnp.broadcast_to(a, (*batch, *a.shape[-2:]))
    b = jnp.broadcast_to(b, (*batch, *b.shape[-2:])) if b.ndim > 1 else b
    return jsp.linalg.solve_triangular(
        a, b, lower=lower, trans=int(trans), unit_diagonal=unit_diagonal
    )


def _flat(scan):
    """Scan a flattened array where the axis is None, and a number as a row, as NumPy does."""

    def f(x, axis):
        return scan(x.ravel(), 0) if axis is None or x.ndim == 0 else scan(x, axis)

    return f


def _bernoulli(x, logits):
    return x * jax.nn.log_sigmoid(logits) + (1 - x) * jax.nn.log_sigmoid(-logits)


def _pad(x, widths, value):
    return jnp.pad(x, widths, constant_values=value) if widths else x


def _power_of(x, exponent):
    return x**exponent


def _norm(x, ord=2, axis=None, keepdims=False):
    """Take the norm of vectors, where JAX would take two axes for a matrix."""
    kept = jnp.sum(x, axis=axis, keepdims=keepdims).shape
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis)
    last = jnp.moveaxis(x, list(axes), range(-len(axes), 0))
    split = x.ndim - len(axes)
    rows = last.reshape(*last.shape[:split], math.prod(last.shape[split:]))
    return jnp.linalg.norm(rows, ord=ord, axis=-1).reshape(kept)


def _std(x, **options):
    """Let a number have slope 0, where JAX divides 0 by 0: a convention, see `DIFFERENT`."""
    return jnp.std(x, **options) if x.ndim else 0 * x


def _set(x, value, *arrays, index):
    return _at("set", x, value, arrays, index)


def _scatter(g, *arrays, shape, index):
    return _at("add", jnp.zeros(shape), g, arrays, index)


def _scatter_along(g, index, shape, axis):
    """Pull back through `take_along_axis`, whose transpose this is."""
    read = jax.vjp(lambda x: jnp.take_along_axis(x, index, axis), jnp.zeros(shape))[1]
    return read(g)[0]


# Same name, same meaning of every static.
SAME_NAME = {
    jnp: """
        abs add subtract multiply divide negative square reciprocal sign floor ceil trunc round mod
        floor_divide maximum minimum where exp exp2 expm1 log log1p log2 log10 sqrt cbrt logaddexp
        sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh hypot
        deg2rad rad2deg equal not_equal less less_equal greater greater_equal logical_and
        logical_or logical_xor logical_not isnan isinf isfinite sum mean prod var max min
        argmax argmin any all argsort sort matmul dot outer tensordot tril triu diag trace
        reshape transpose moveaxis swapaxes expand_dims squeeze broadcast_to flip roll power clip
        """,
    jax.nn: "sigmoid softplus relu silu leaky_relu elu selu softmax log_softmax log_sigmoid",
    jsp.special: """
        erf erfc erfinv logit ndtri gammaln digamma betaln gammainc gammaincc i0e i1e xlogy xlog1py
        logsumexp log_ndtr ndtr
        """,
    jnp.linalg: "cholesky inv",
}  # fmt: skip

JAX = {
    **{name: getattr(m, name) for m, names in SAME_NAME.items() for name in names.split()},
    "astype": lambda x, dtype: x.astype(dtype),
    "avg_pool2d": _avg_pool,
    "avg_unpool2d": _avg_unpool,
    "bernoulli_log_prob": _bernoulli,
    "concatenate": lambda *xs, axis: jnp.concatenate(xs, axis),
    "constant_power": _power_of,
    "conv2d": _conv,
    "conv2d_filters": _conv_filters,
    "conv_transpose2d": _conv_transpose,
    "cumprod": _flat(jnp.cumprod),
    "cumsum": _flat(jnp.cumsum),
    "detach": jax.lax.stop_gradient,
    "eigvalsh": jnp.linalg.eigvalsh,
    "einsum": lambda *xs, subscripts: jnp.einsum(subscripts, *xs),
    "erfcx": lambda x: jnp.exp(x * x) * jsp.special.erfc(x),
    "exponential_log_prob": lambda x, rate: jsp.stats.expon.logpdf(x, scale=1 / rate),
    "gamma_log_prob": lambda x, a, rate: jsp.stats.gamma.logpdf(x, a, scale=1 / rate),
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_by_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "getitem": lambda x, *arrays, index: x[fill(index, arrays)],
    "identity": lambda x: x,
    "index_set": _set,
    "linear": lambda x, w, b: x @ w + b,
    "linear_recurrence": _recurrence,
    "logcumsumexp": _flat(jax.lax.cumlogsumexp),
    "max_pool2d": _max_pool,
    "norm": _norm,
    "normal_log_prob": jsp.stats.norm.logpdf,
    "one_hot": jax.nn.one_hot,
    "pad": _pad,
    # JAX's own says -inf between whole numbers.
    "poisson_log_prob": lambda x, m: jsp.special.xlogy(x, m) - m - jsp.special.gammaln(x + 1),
    "polygamma_of_order": lambda x, n: jsp.special.polygamma(n, x),
    "ratio": jnp.divide,
    "ratio_to_rest": lambda x, p: x / (1 - p),
    "scatter": _scatter,
    "scatter_along_axis": _scatter_along,
    "slogdet": lambda a: jnp.linalg.slogdet(a)[1],
    "slogdet_sign": lambda a: jnp.linalg.slogdet(a)[0],
    "solve": jnp.linalg.solve,
    "solve_triangular": _solve_triangular,
    "std": _std,
    "stack": lambda *xs, axis: jnp.stack(xs, axis),
    "svdvals": lambda a: jnp.linalg.svd(a, compute_uv=False),
    "take_along_axis": lambda x, index, axis: jnp.take_along_axis(x, index, axis),
    "topk": _topk(0),
    "topk_indices": _topk(1),
    "xlog1my": lambda x, p: jsp.special.xlog1py(x, -p),
    "uniform_log_prob": lambda x, low, high: jsp.stats.uniform.logpdf(x, low, high - low),
}

# Parts of other ops' vjps, or a choice of representation that JAX does not make.
NOT_IN_JAX = {
    "divide_or_zero", "eigh", "finite_part", "last_writer", "max_pool2d_index", "positions",
    "shift", "tie_mean", "unpool2d",
}  # fmt: skip

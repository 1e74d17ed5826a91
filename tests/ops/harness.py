"""What every registered op must satisfy, as functions of its record.

Planted faults are fed to the same checks in `test_mutations.py`.
"""

from __future__ import annotations

import numpy as np
from accuracy import assert_close, is_float, sensitivities

import scg
from scg._axes import Along
from scg._op import Op
from scg.tape import REQUIRES
from scg.testing import check_grads

SEED = 20140
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def cases(op: Op, dtype=FLOATS[1]):
    """Yield the sample cases of an op."""
    assert op.samples is not None, f"{op.name} has no samples"
    yield from op.samples.cases(np.random.default_rng(SEED), np.dtype(dtype))


def raw(op: Op, inputs, statics):
    tensors = [x if isinstance(x, scg.Tensor) else scg.tensor(x) for x in inputs]
    return np.asarray(op.public(*tensors, **statics)._data)


def doubles(inputs):
    return [np.asarray(x, np.float64) if is_float(x) else x for x in inputs]


def has_gradient(op: Op, count: int, statics) -> bool:
    return op.vjp is not None and any(op._passes(s) for s in op.smoothness(count, statics))


def expected(op: Op, inputs, statics, dtype):
    """Return the reference's value, computed in double and rounded to `dtype` once."""
    with np.errstate(all="ignore"):
        value = np.asarray(op.reference(*doubles(inputs), **statics))
        return value.astype(dtype) if value.dtype.kind == "f" else value


def judge_value(op: Op, inputs, statics, dtype, label, tensors=None) -> None:
    """Require the value to be the reference's, to within the accuracy that the record promises."""
    wanted = expected(op, inputs, statics, dtype)
    with np.errstate(all="ignore"):
        actual = raw(op, inputs if tensors is None else tensors, statics)
    sensitivity = _sensitivity(op, inputs, statics) if op.samples.conditioned else 0.0
    where = f"{op.name} {label} {[np.shape(x) for x in inputs]} {statics}"
    assert_close(actual, wanted, op.samples.ulps, where, sensitivity)


def _sensitivity(op: Op, inputs, statics):
    def reference(*xs):
        return (np.asarray(op.reference(*xs, **statics)),)

    with np.errstate(all="ignore"):
        return sensitivities(reference, doubles(inputs))[0]


def check_value(op: Op, dtype) -> None:
    for number, (inputs, statics) in enumerate(cases(op, dtype)):
        judge_value(op, inputs, statics, dtype, f"case {number}")


def check_edges(op: Op, dtype) -> None:
    for inputs, statics in op.samples.edges(np.dtype(dtype)):
        listing = [np.asarray(x).tolist() for x in inputs]
        judge_value(op, inputs, statics, dtype, f"at {listing}")


def check_shape(op: Op) -> None:
    for inputs, statics in cases(op):
        rule = op.shape(*[np.shape(x) for x in inputs], **statics)
        assert tuple(rule) == raw(op, inputs, statics).shape, f"{op.name} {statics}"


LAYOUTS = {
    "every second": lambda x: _within(x, 2),
    "backwards": lambda x: _within(x, -1),
    "by columns": lambda x: np.array(x, order="F"),
}


def check_inputs(op: Op) -> None:
    """Read-only inputs in any layout give the same values, and none is written to."""
    for inputs, statics in cases(op):
        for layout, arranged in LAYOUTS.items():
            given = [arranged(np.array(x)) for x in inputs]
            for x in given:
                x.flags.writeable = False
            copies = [x.copy() for x in given]
            tensors = [scg.tensor(x, copy=False) for x in given]
            judge_value(op, inputs, statics, FLOATS[1], layout, tensors)
            for before, after in zip(copies, given, strict=True):
                np.testing.assert_array_equal(before, after, err_msg=f"{op.name}: input changed")


def _within(x, step):
    """Return the same values as a view that steps through a larger array, or backwards."""
    big = np.zeros([abs(step) * n for n in x.shape], x.dtype)
    view = big[(..., *(slice(None, None, step) for _ in x.shape))]
    view[...] = x
    return view


def check_strided_vjp(op: Op) -> None:
    """Residuals and a cotangent that step through memory give the same cotangents."""
    for inputs, statics in cases(op):
        if not has_gradient(op, len(inputs), statics):
            continue
        plain = gradients(op, inputs, statics, np.float64)
        given = [scg.parameter(_doubled(x)) if is_float(x) else scg.tensor(x) for x in inputs]
        out = op.public(*[_every_second(p) if p.is_parameter else p for p in given], **statics)
        if not out.requires_grad:
            continue
        out.backward(_within(weights_for(out.shape), 2), of="value")
        for p, wanted in zip(given, plain, strict=True):
            if wanted is not None:
                actual = np.asarray(_every_second(p.grad))
                size = np.max(np.abs(wanted), initial=0.0)
                np.testing.assert_allclose(actual, wanted, 1e-13, 1e-13 * size, err_msg=op.name)


def _doubled(x):
    big = np.zeros([2 * n for n in x.shape], x.dtype)
    _every_second(big)[...] = x
    return big


def _every_second(x):
    return x[(..., *(slice(None, None, 2) for _ in x.shape))]


def check_vjp(op: Op, order: int) -> None:
    for number, (inputs, statics) in enumerate(cases(op)):
        if not has_gradient(op, len(inputs), statics):
            continue
        keep = op.smoothness(len(inputs), statics)
        varying = [i for i, s in enumerate(keep) if op._passes(s) and is_float(inputs[i])]

        def fn(*tensors, inputs=inputs, statics=statics, varying=varying):
            full = list(inputs)
            for i, t in zip(varying, tensors, strict=True):
                full[i] = t
            return op.public(*full, **statics)

        try:
            check_grads(fn, *[inputs[i] for i in varying], order=min(order, op.max_order))
        except scg.GradientError as error:
            raise AssertionError(f"{op.name} case {number} {statics}: {error}") from error


def check_complex_step(op: Op) -> None:
    """Require the vjp to be the slope of the reference, had by a step off the real axis.

    One input moves at a time, so that slopes of several cannot cancel.
    """
    rng = np.random.default_rng(SEED)
    compared = 0
    for inputs, statics in cases(op):
        classes = op.smoothness(len(inputs), statics)
        for which, (x, smooth) in enumerate(zip(inputs, classes, strict=True)):
            if not (op._passes(smooth) and is_float(x)):
                continue
            direction = rng.standard_normal(np.shape(x))
            off_axis = [x + 1e-30j * direction if i == which else a for i, a in enumerate(inputs)]
            slope = np.asarray(op.reference(*off_axis, **statics)).imag / 1e-30
            cotangent = rng.standard_normal(slope.shape)
            pulled = _pulled(op, inputs, which, statics, cotangent)
            terms = cotangent * slope
            error = abs(np.sum(pulled * direction) - np.sum(terms))
            assert error <= 1e-12 * np.sum(np.abs(terms)), (
                f"{op.name} {statics}: the vjp of input {which} is off by {error:.3g} from the "
                f"complex step, {np.sum(terms):.6g}"
            )
            compared += x.size > 0
    assert compared, f"{op.name} has no case to step from"


def _pulled(op: Op, inputs, which, statics, cotangent):
    def fn(x):
        return op.public(*inputs[:which], x, *inputs[which + 1 :], **statics)

    (pulled,) = scg.vjp(fn, inputs[which])[1](cotangent)
    return pulled._data


def check_float32_vjp(op: Op) -> None:
    """Require float32 cotangents to be those of float64 at the same inputs, to single precision."""
    compared = 0
    for inputs, statics in cases(op, FLOATS[0]):
        if not has_gradient(op, len(inputs), statics):
            continue
        weights = weights_for(op.shape(*[np.shape(x) for x in inputs], **statics))
        single = gradients(op, inputs, statics, np.float32, weights)
        wide = [weights.astype(np.float32).astype(np.float64), *doubles(inputs)]

        def pulled(w, *xs, statics=statics):
            return [g for g in gradients(op, xs, statics, np.float64, w) if g is not None]

        exact, allowed = pulled(*wide), sensitivities(pulled, wide)
        for a, b, s in zip([g for g in single if g is not None], exact, allowed, strict=True):
            label = f"{op.name} {statics}, slope in float32"
            assert_close(a, b.astype(np.float32), op.samples.slope_ulps, label, s)
            compared += a.size
    assert compared or not any(has_gradient(op, len(x), s) for x, s in cases(op))


def weights_for(shape):
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape)


def gradients(op: Op, inputs, statics, dtype, weights=None):
    params = [scg.parameter(x.astype(dtype)) if is_float(x) else scg.tensor(x) for x in inputs]
    out = op.public(*params, **statics)
    if not out.requires_grad:
        return [None] * len(params)
    weights = weights_for(out.shape) if weights is None else weights.astype(out.dtype)
    out.backward(weights, of="value")
    return [np.asarray(p.grad) if p.is_parameter and p.grad is not None else None for p in params]


def check_fan_out(op: Op) -> None:
    """Require that using a result three times makes the gradient three times as large."""
    for inputs, statics in cases(op):
        if not has_gradient(op, len(inputs), statics):
            continue
        once = gradients(op, inputs, statics, np.float64)
        params = [scg.parameter(x) if is_float(x) else scg.tensor(x) for x in inputs]
        y = op.public(*params, **statics)
        if not y.requires_grad:
            continue
        z = op.public(*params, **statics)
        (y + z + y).backward(weights_for(y.shape), of="value")
        for p, g in zip(params, once, strict=True):
            if g is not None:
                np.testing.assert_allclose(np.asarray(p.grad), 3 * g, rtol=1e-9, atol=1e-9)


def check_fresh(op: Op) -> None:
    """Require that cotangents said to be new share memory with nothing that others may hold."""
    for inputs, statics in cases(op):
        params = [scg.parameter(x) if is_float(x) else scg.tensor(x) for x in inputs]
        node = op.public(*params, **statics)._node
        if node is None or node.op is not op or not node.flags & REQUIRES:
            continue
        g = weights_for(node.shape)
        needs = [p is not None and bool(p.flags & REQUIRES) for p in node.parents]
        held = [g, *(p._data for p in params), *(v for v in node.saved if type(v) is np.ndarray)]
        for number, cotangent in enumerate(op.raw_vjp(node, g, needs)):
            new = op.fresh or (op.rules and not getattr(op.rules[number], "is_identity", True))
            if new and type(cotangent) is np.ndarray:
                assert cotangent.flags.writeable, op.name
                assert not any(np.may_share_memory(cotangent, other) for other in held), op.name
                held.append(cotangent)


def check_axes(op: Op) -> None:
    """Perturb one element: no output outside the declared alignment may change."""
    rng = np.random.default_rng(SEED)
    for inputs, statics in cases(op):
        base = raw(op, inputs, statics)
        rules = op.axes([np.shape(x) for x in inputs], base.shape, **statics)
        for which, rule in enumerate(rules):
            x = np.asarray(inputs[which])
            assert len(rule) == x.ndim, f"{op.name}: {len(rule)} axis maps for {x.ndim} axes"
            for _ in range(min(x.size, 6)):
                index = tuple(int(rng.integers(n)) for n in x.shape)
                changed = _perturbed(op, inputs, which, index, statics)
                if changed is None or changed.shape != base.shape:
                    continue
                different = ~((changed == base) | (np.isnan(changed) & np.isnan(base)))
                outside = different & ~_reach(rule, index, base.shape)
                assert not outside.any(), (
                    f"{op.name} {statics}: input {which} at {index} reached outputs "
                    f"{np.argwhere(outside)[:3].tolist()}"
                )


def _perturbed(op: Op, inputs, which, index, statics):
    copies = [np.array(x) for x in inputs]
    x = copies[which]
    if x.dtype.kind == "b":
        x[index] = not x[index]
    elif x.dtype.kind in "iu":
        x[index] = 1 if x[index] == 0 else x[index] - 1
    else:
        x[index] *= 1 + 0.01
    try:
        return raw(op, copies, statics)
    except scg.ScgError:
        return None  # the perturbed input left the domain


def _reach(rule, index, shape):
    """Return the mask of outputs that the rule allows this input element to reach."""
    mask = np.ones(shape, bool)
    for position, entry in zip(index, rule, strict=True):
        if entry is None:
            continue
        assert isinstance(entry, Along)
        along = np.arange(shape[entry.axis]) if shape else np.arange(0)
        hit = entry.start + entry.step * along == position
        view = [1] * len(shape)
        view[entry.axis] = -1
        mask = mask & hit.reshape(view)
    return mask

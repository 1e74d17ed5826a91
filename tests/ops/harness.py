"""What every registered op must satisfy, as functions of its record.

Planted faults are fed to the same checks in `test_mutations.py`.
"""

from __future__ import annotations

import numpy as np

import scg
from scg._axes import Along
from scg._op import Op
from scg.testing import check_grads

SEED = 20140
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def cases(op: Op, dtype=FLOATS[1]):
    """Yield the sample cases of an op."""
    assert op.samples is not None, f"{op.name} has no samples"
    yield from op.samples.cases(np.random.default_rng(SEED), np.dtype(dtype))


def raw(op: Op, inputs, statics):
    return np.asarray(op.public(*[scg.tensor(x) for x in inputs], **statics)._data)


def has_gradient(op: Op, count: int, statics) -> bool:
    return op.vjp is not None and any(op._passes(s) for s in op.smoothness(count, statics))


def expected(op: Op, inputs, statics, dtype):
    """Return the reference's value, computed in double and rounded to `dtype` once."""
    doubles = [np.asarray(x, np.float64) if np.asarray(x).dtype.kind == "f" else x for x in inputs]
    with np.errstate(all="ignore"):
        value = np.asarray(op.reference(*doubles, **statics))
        return value.astype(dtype) if value.dtype.kind == "f" else value


def assert_close(actual, wanted, ulps, label):
    """Compare within `ulps` units in the last place of the largest magnitude involved."""
    assert actual.shape == wanted.shape, f"{label}: shape {actual.shape}, not {wanted.shape}"
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(actual, wanted, err_msg=label)
        return
    assert actual.dtype == wanted.dtype, f"{label}: dtype {actual.dtype}, not {wanted.dtype}"
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(wanted), err_msg=f"{label}: NaN")
    info = np.finfo(wanted.dtype)
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(
        actual[~finite & ~np.isnan(wanted)], wanted[~finite & ~np.isnan(wanted)],
        err_msg=f"{label}: infinities",
    )  # fmt: skip
    error = np.abs(actual[finite].astype(np.float64) - wanted[finite])
    largest = np.nextafter(info.max, wanted.dtype.type(0))  # spacing(max) itself overflows
    size = np.minimum(np.abs(wanted[finite]), largest)
    allowed = ulps * np.maximum(np.spacing(size).astype(np.float64), info.smallest_subnormal)
    worst = np.max(error / allowed, initial=0.0)
    assert worst <= 1, f"{label}: {worst * ulps:.1f} ulp off, {ulps} allowed"


def check_value(op: Op, dtype) -> None:
    for number, (inputs, statics) in enumerate(cases(op, dtype)):
        wanted = expected(op, inputs, statics, dtype)
        label = f"{op.name} case {number} {[np.shape(x) for x in inputs]} {statics}"
        # Sums of terms of both signs are judged by the size of the terms, not of what is left.
        assert_close(raw(op, inputs, statics), wanted, *_allowance(op, inputs, wanted), label)


def _allowance(op: Op, inputs, wanted):
    if op.samples.ulps <= 8:
        return (op.samples.ulps,)
    scale = np.max([np.max(np.abs(x), initial=1.0) for x in inputs])
    smallest = np.min(np.abs(wanted[np.isfinite(wanted)]), initial=np.inf)
    ratio = 1.0 if not 0 < smallest < np.inf else max(1.0, scale / smallest)
    return (op.samples.ulps * ratio,)


def check_edges(op: Op, dtype) -> None:
    for inputs, statics in op.samples.edges(np.dtype(dtype)):
        wanted = expected(op, inputs, statics, dtype)
        with np.errstate(all="ignore"):
            actual = raw(op, inputs, statics)
        listing = [np.asarray(x).tolist() for x in inputs]
        assert_close(actual, wanted, max(op.samples.ulps, 8), f"{op.name} at {listing} {statics}")


def check_shape(op: Op) -> None:
    for inputs, statics in cases(op):
        rule = op.shape(*[np.shape(x) for x in inputs], **statics)
        assert tuple(rule) == raw(op, inputs, statics).shape, f"{op.name} {statics}"


def check_inputs(op: Op) -> None:
    """Strided and read-only inputs give the same values, and no input is written to."""
    for inputs, statics in cases(op):
        plain = raw(op, inputs, statics)
        strided = [_strided(np.asarray(x)) for x in inputs]
        copies = [x.copy() for x in strided]
        tensors = [scg.tensor(x, copy=False) for x in strided]
        actual = np.asarray(op.public(*tensors, **statics)._data)
        info = np.finfo(np.float64).eps * 256
        np.testing.assert_allclose(actual, plain, rtol=info, atol=info, err_msg=op.name)
        for before, after in zip(copies, strided, strict=True):
            np.testing.assert_array_equal(before, after, err_msg=f"{op.name} wrote to an input")


def _strided(x):
    """Return the same values, read-only, in every second place of a larger array."""
    big = np.zeros([2 * n for n in x.shape], x.dtype)
    view = big[(..., *(slice(None, None, 2) for _ in x.shape))]
    view[...] = x
    view.flags.writeable = False
    return view


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


def is_float(x):
    return np.asarray(x).dtype.kind == "f"


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
    """Require float32 cotangents that equal the float64 ones to single precision."""
    for inputs, statics in cases(op):
        if not has_gradient(op, len(inputs), statics):
            continue
        double, single = (gradients(op, inputs, statics, d) for d in (np.float64, np.float32))
        for a, b in zip(single, double, strict=True):
            if b is None:
                continue
            assert a.dtype == np.float32, f"{op.name}: cotangent of dtype {a.dtype}"
            scale = np.max(np.abs(b), initial=1.0)
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4 * scale, err_msg=op.name)


def gradients(op: Op, inputs, statics, dtype):
    params = [scg.parameter(x.astype(dtype)) if is_float(x) else scg.tensor(x) for x in inputs]
    out = op.public(*params, **statics)
    if not out.requires_grad:
        return [None] * len(params)
    weights = np.cos(np.arange(out.size)).reshape(out.shape)
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
        weights = np.cos(np.arange(y.size)).reshape(y.shape)
        (y + z + y).backward(weights, of="value")
        for p, g in zip(params, once, strict=True):
            if g is not None:
                np.testing.assert_allclose(np.asarray(p.grad), 3 * g, rtol=1e-9, atol=1e-9)


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

"""How far a result may be from the exact one, measured by how much the problem itself magnifies.

A rounding of the inputs alone changes a result by `eps` times its sensitivity, the change per
relative change of the inputs. What an op adds to that must be of the same size. The sensitivity is
taken in float64 and owes nothing to the computation that is judged.
"""

from __future__ import annotations

import numpy as np

STEP = 2.0**-24  # below any distance between the numbers of a case, far above float64 rounding
PATTERNS = 8


def is_float(x):
    return np.asarray(x).dtype.kind == "f"


def sensitivities(f, inputs):
    """Return, for each array that `f` returns, its largest change per relative change of inputs.

    Every number is moved up or down by a factor `1 + STEP`, in a few random patterns.
    """
    rng = np.random.default_rng(0)
    base = [np.asarray(y) for y in f(*inputs)]
    worst = [np.zeros(y.shape) for y in base]
    for _ in range(PATTERNS):
        moved = [
            x * (1 + STEP * rng.choice([-1.0, 1.0], np.shape(x))) if is_float(x) else x
            for x in inputs
        ]
        for largest, before, after in zip(worst, base, f(*moved), strict=True):
            change = np.abs(np.asarray(after, np.float64) - before) / STEP
            np.maximum(largest, change, out=largest, where=np.isfinite(change))
    return worst


def assert_close(actual, wanted, ulps, label, sensitivity=0.0):
    """Require at most `ulps` units in the last place, those of the sensitivity added to one."""
    assert actual.shape == wanted.shape, f"{label}: shape {actual.shape}, not {wanted.shape}"
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(actual, wanted, err_msg=label)
        return
    assert actual.dtype == wanted.dtype, f"{label}: dtype {actual.dtype}, not {wanted.dtype}"
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(actual[~finite], wanted[~finite], err_msg=label)
    error = np.abs(actual[finite].astype(np.float64) - wanted[finite])
    unit = _spacing(wanted)[finite] + np.broadcast_to(
        np.finfo(wanted.dtype).eps * sensitivity, wanted.shape
    )[finite]  # fmt: skip
    with np.errstate(over="ignore"):
        worst = np.max(error / unit, initial=0.0)
    assert worst <= ulps, f"{label}: {worst:.3g} ulp off, {ulps} allowed"


def _spacing(x):
    info = np.finfo(x.dtype)
    largest = np.nextafter(info.max, x.dtype.type(0))  # spacing(max) itself overflows
    with np.errstate(invalid="ignore"):
        size = np.minimum(np.abs(x), largest)
        return np.maximum(np.spacing(size).astype(np.float64), info.smallest_subnormal)

"""Find the jumps, kinks and poles of an op by scanning it along lines."""

from __future__ import annotations

import functools

import numpy as np
from harness import cases, gradients, has_gradient, is_float, raw

import scg
from scg._op import JUMP, KINK, OPAQUE, POLE, SMOOTH, Op

GRID = np.linspace(-6.03, 6.07, 122)  # no point of it is a round number


def check_smoothness(op: Op) -> None:
    """Scan along lines through the domain and beyond for jumps, kinks and poles not declared."""
    for inputs, statics in cases(op):
        classes = op.smoothness(len(inputs), statics)
        for which, declared in enumerate(classes):
            if declared in (JUMP, OPAQUE) or not is_float(inputs[which]) or inputs[which].size == 0:
                continue
            found = _scan(op, inputs, which, statics, slopes=declared is SMOOTH)
            assert found <= declared, (
                f"{op.name} {statics}: input {which} is declared {declared.name}, "
                f"but the scan found a {found.name}"
            )


def _scan(op: Op, inputs, which, statics, *, slopes):
    """Return the worst class seen while one element moves through [-6, 6]."""
    x = np.asarray(inputs[which], np.float64)
    index = tuple(n // 2 for n in x.shape)

    def value(t):
        moved = [np.array(a) for a in inputs]
        moved[which] = x.copy()
        moved[which][index] = t
        with np.errstate(all="ignore"):
            out = raw(op, moved, statics).astype(np.float64)
            return np.sum(out * np.cos(np.arange(out.size)).reshape(out.shape))

    worst = _discontinuity(value)
    if worst is SMOOTH and slopes and has_gradient(op, len(inputs), statics):

        def slope(t):
            moved = [np.array(a) for a in inputs]
            moved[which] = x.copy()
            moved[which][index] = t
            with np.errstate(all="ignore"):
                gradient = gradients(op, moved, statics, np.float64)[which]
            return 0.0 if gradient is None else float(gradient[index])

        slope = functools.cache(slope)  # two scans of one grid
        if _discontinuity(slope) is not SMOOTH:
            return KINK
        if _diverges(slope):
            return POLE
    return worst


def _diverges(f):
    """Tell whether |f| grows without bound at its largest or at an end of its domain."""
    values = np.abs([_safe(f, t) for t in GRID])
    finite = np.isfinite(values)
    if not finite.any():
        return False
    for i in np.flatnonzero(finite[1:] != finite[:-1]):
        inside, outside = (i, i + 1) if finite[i] else (i + 1, i)
        if _at_end(f, GRID[inside], GRID[outside]) > 1e3 * values[inside]:
            return True
    peak = np.argmax(np.where(finite, values, -1.0))
    low, high = max(peak - 1, 0), min(peak + 1, len(GRID) - 1)
    return _grows(f, GRID[low], GRID[high], values[peak])


def _at_end(f, inside, outside):
    """Return |f| as close to the end of its domain as 40 halvings come."""
    last = 0.0
    for _ in range(40):
        middle = 0.5 * (inside + outside)
        value = abs(_safe(f, middle))
        if np.isfinite(value):
            inside, last = middle, value
        else:
            outside = middle
    return last


def _grows(f, low, high, first):
    """Zoom in on the largest finite |f|: a pole grows at every step, anything else stops."""
    before = first
    for _ in range(25):
        points = np.linspace(low, high, 9)
        values = np.abs([_safe(f, t) for t in points])
        values = np.where(np.isfinite(values), values, -1.0)
        best = int(np.argmax(values))
        if values[best] > 1e3 * first:
            return True
        if values[best] <= 1.001 * before:
            return False
        before = values[best]
        low, high = points[max(best - 1, 0)], points[min(best + 1, 8)]
    return False


def _discontinuity(f):
    """Return JUMP or POLE if `f` does not become continuous as intervals are halved."""
    worst = SMOOTH
    values = np.array([_safe(f, t) for t in GRID])
    with np.errstate(invalid="ignore"):  # beyond the domain infinity follows infinity
        steps = np.abs(np.diff(values))
    typical = np.nanmedian(steps) if np.isfinite(steps).any() else 0.0
    for i in np.argsort(-np.where(np.isfinite(steps), steps, -1))[:4]:
        if not steps[i] > 1e-6 + 1e-3 * typical:
            continue
        worst = max(worst, _bisect(f, GRID[i], GRID[i + 1], values[i], values[i + 1]))
    return worst


def _safe(f, t):
    try:
        return f(t)
    except scg.ScgError:
        return np.nan


def _bisect(f, low, high, f_low, f_high):
    first = abs(f_high - f_low)
    for _ in range(40):
        middle = 0.5 * (low + high)
        f_middle = _safe(f, middle)
        if not np.isfinite(f_middle):
            return POLE if np.isinf(f_middle) else SMOOTH
        if abs(f_middle - f_low) >= abs(f_high - f_middle):
            high, f_high = middle, f_middle
        else:
            low, f_low = middle, f_middle
    last = abs(f_high - f_low)
    if last > 100 * first:
        return POLE
    return JUMP if last > 1e-3 * first and last > 1e-9 else SMOOTH

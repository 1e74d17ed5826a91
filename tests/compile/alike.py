"""Whether a compiled function does what it does uncompiled: results, gradients, parameters."""

from __future__ import annotations

import numpy as np

import scg
from scg._compile._interpreter import interpreter
from scg._compile._jit import Compiled
from scg._run import fresh_run

# How far the two ways to one number may part, relative to the largest of the array: about 90
# roundings, which four steps of training that build on each other amplify.
ROUNDINGS = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 2e-14}


def compiled(function, executor=interpreter):
    return Compiled(function, (), (), executor)


def arrays_of(tree):
    """Return the arrays of a tree of results."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return [a for part in tree for a in arrays_of(part)]
    if isinstance(tree, scg.Tensor):
        return [np.array(tree._data)]
    return [np.array(tree)] if isinstance(tree, np.ndarray | np.generic) else []


def state(function, args, parameters):
    """Call a function and return all that it leaves."""
    results = arrays_of(function(*args))
    grads = [None if p.grad is None else np.array(p.grad) for p in parameters]
    return results, grads, [np.array(p._data) for p in parameters]


def assert_close(ours, theirs, where, rounding):
    assert ours.shape == theirs.shape, (where, ours.shape, theirs.shape)
    assert ours.dtype == theirs.dtype, (where, ours.dtype, theirs.dtype)
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours, theirs, err_msg=where)
        return
    finite = theirs[np.isfinite(theirs)]
    size = np.max(np.abs(finite), initial=0.0)
    tolerance = rounding * max(size, np.finfo(ours.dtype).tiny)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=where)


def check(build, calls, *, before=lambda number, parameters: None, executor=interpreter, seed=5):
    """Run a function compiled and not, call by call, and compare everything.

    `build()` returns a function and its parameters, the same ones whenever it is called.
    """
    histories = []
    for wrap in (lambda f: f, lambda f: compiled(f, executor)):
        function, parameters = build()
        run, history = wrap(function), []
        scg.seed(seed)
        fresh_run()
        for number, args in enumerate(calls):
            before(number, parameters)
            history.append(state(run, args, parameters))
        histories.append(history)
        fresh_run()
    if isinstance(run, Compiled):
        assert any(e.plans and e.plans[-1]._run is not None for e in run._entries.values()), (
            "nothing ran compiled"
        )
    rounding = max(
        (ROUNDINGS[p.dtype] for p in parameters), default=ROUNDINGS[np.dtype(np.float32)]
    )
    for number, (eager, ours) in enumerate(zip(*histories, strict=True)):
        for name, a, b in zip(("results", "gradients", "parameters"), ours, eager, strict=True):
            assert len(a) == len(b), (name, number)
            for place, (x, y) in enumerate(zip(a, b, strict=True)):
                if x is None or y is None:
                    assert x is y, (name, number, place)
                else:
                    assert_close(x, y, f"{name} {place} of call {number}", rounding)

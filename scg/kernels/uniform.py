"""Uniform numbers with the bits of NumPy's Generator, on several threads.

The generator is PCG64 (O'Neill 2014, XSL RR 128/64), whose state is multiplied and shifted at every
step, s' = A s + c modulo 2^128. So n steps at once are one step with other constants (Brown 1994):
a thread begins anywhere in the stream, and several steps are done side by side, because one
multiplication of 128 bits has to wait for the one before.
"""

from __future__ import annotations

import sys
from functools import cache, lru_cache
from typing import Any

import numpy as np

from scg._typing import Array
from scg.kernels import machine
from scg.kernels._dtypes import FLOAT32
from scg.kernels._jit import CAN_COMPILE
from scg.kernels._once import once
from scg.kernels.execute import Compiled, Line, Schedule, place
from scg.kernels.simd_uniform import NAME, STREAMS, UNIT, task

__all__ = ["ENOUGH", "fill"]

MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
MODULUS = 1 << 128
HALF = (1 << 64) - 1
# Numbers from which this pays, reading and setting the state included (measured).
ENOUGH = 1 << 15
HERE = CAN_COMPILE and sys.byteorder == "little"


def fill(generator: np.random.Generator, out: Array) -> None:
    """Do as `generator.random(out=out, dtype=out.dtype)`: the numbers and the state after it.

    Parameters
    ----------
    generator : numpy.random.Generator
        Another one than PCG64 is asked itself.
    out : ndarray
        float32 or float64, contiguous.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.empty((2, 300, 200), np.float32)
    >>> a, b = np.random.default_rng(0), np.random.default_rng(0)
    >>> fill(a, x)
    >>> b.random(out=y, dtype=np.float32) is y and bool((x == y).all())
    True
    >>> bool(a.random() == b.random())
    True
    """
    flat = out.reshape(-1)
    known = type(generator.bit_generator) is np.random.PCG64
    if HERE and known and out.size >= ENOUGH and not once():
        flat = _by_steps(generator.bit_generator, flat)
    generator.random(out=flat, dtype=out.dtype)


def _by_steps(bits: Any, out: Array) -> Array:
    """Write all but the last numbers; return where those go."""
    per = 2 if out.dtype == FLOAT32 else 1
    with bits.lock:
        state = bits.state
        numbers = state["state"]
        if per == 2 and state["has_uint32"]:  # half a step is left over
            out[0] = (state["uinteger"] >> 8) * 2.0**-24
            state["has_uint32"], out = 0, out[1:]
        # The last step is left to NumPy, which then leaves behind what it would have.
        steps = (out.size - 1) // (per * STREAMS) * STREAMS
        first, step = numbers["state"], numbers["inc"]
        numbers["state"] = _after(first, step, steps)
        bits.state = state
    jumps = MULTIPLIER, step, *_jump(STREAMS, step), *_jump(UNIT, step)
    row = [place(out), steps, *_halves(*jumps, first)]
    Schedule([Line(Compiled(_address(per)), row, -(-steps // UNIT))]).run()
    return out[steps * per :]


@lru_cache(maxsize=64)
def _power(steps: int) -> tuple[int, int]:
    """Return A^n and 1 + A + ... + A^(n - 1)."""
    return pow(MULTIPLIER, steps, MODULUS), (
        pow(MULTIPLIER, steps, MODULUS * (MULTIPLIER - 1)) - 1
    ) // (MULTIPLIER - 1) % MODULUS


def _jump(steps: int, increment: int) -> tuple[int, int]:
    """Return multiplier and increment of so many steps at once."""
    power, total = _power(steps)
    return power, total * increment % MODULUS


def _after(state: int, increment: int, steps: int) -> int:
    multiplier, constant = _jump(steps, increment)
    return (state * multiplier + constant) % MODULUS


def _halves(*numbers: int) -> list[int]:
    """Return numbers of 128 bits as signed numbers of 64."""
    halves = [half for x in numbers for half in (x & HALF, x >> 64)]
    return [x - (1 << 64) if x >> 63 else x for x in halves]


@cache
def _address(per: int) -> int:
    return machine.address_of(NAME, f"{per} numbers of a step", lambda: task(per))

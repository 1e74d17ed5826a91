"""Soundness: what a trace takes for a constant must be one.

A value that depends on an argument, a parameter or noise, but was computed past the recorder, would
enter the program as the numbers it had. So a function is traced twice, on other numbers, and any
difference between the two programs is a defect.
"""

from __future__ import annotations

import numpy as np

from scg._compile._compare import difference
from scg._compile._plan import traced


def differences(function, *calls, before=lambda number: None):
    """Trace a function once for each tuple of arguments, and return what differs from the first.

    `before(number)` is called before each, to change parameters and seeds.
    """
    programs = []
    for number, args in enumerate(calls):
        before(number)
        generators = [a for a in args if isinstance(a, np.random.Generator)]
        programs.append(traced(function, args, {}, generators)[1].traced)
    found = [difference(programs[0], other) for other in programs[1:]]
    return [what for what in found if what is not None]

"""Speed of the elementwise ops beside NumPy and SciPy.

    python -m benchmarks.elementwise                     # every op, five sizes, both dtypes
    python -m benchmarks.elementwise tanh sigmoid --sizes 64 1000
    python -m benchmarks.elementwise --smoke             # every tenth op once, to see that it runs

Three ratios a row: the forward pass as shipped to the library function; the generated kernel to the
library function, whichever is shipped; the vjp to the same expression by ufuncs. A dash: no such
thing. The two sides take turns, so that a busy machine slows both; ratios are medians over rounds.

What to expect of the forward pass: 1.0 where a ufunc is shipped for every size. Where there is a
choice by size, making it costs 0.1 us in Python, whatever is chosen: 1.4 to 1.5 for one element,
1.0 to 1.25 for a thousand, where the library is chosen, and 0.1 to 0.9 where the kernel is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._measure import Run, describe, parsed, parser, ratio
from scg._op import OPS

SIZES = (1, 64, 1000, 100_000, 1_000_000)
DTYPES = ("float32", "float64")


def measurable() -> list[str]:
    return sorted(n for n, op in OPS.items() if op.rules is not None and op.samples is not None)


def operands(op: Any, size: int, dtype: str) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Repeat the op's own sample values, which lie in its domain."""
    cases = list(op.samples.cases(np.random.default_rng(0), np.dtype(dtype)))
    statics = {**op.defaults, **cases[-1][1]}
    inputs = max(
        (c[0] for c in cases if c[1] == cases[-1][1]), key=lambda c: min(x.size for x in c)
    )
    return [np.resize(x, size) for x in inputs], statics


def beside_each_other(ours: Run, theirs: Run, rounds: int, size: int) -> float:
    return ratio(ours, theirs, rounds, max(1, min(2000, 200_000 // size)) if rounds > 1 else 1)


def forward_ratio(op: Any, inputs: list, statics: dict, rounds: int) -> float:
    return beside_each_other(
        lambda: op.forward(*inputs, **statics), lambda: op.reference(*inputs, **statics),
        rounds, inputs[0].size,
    )  # fmt: skip


def kernel_ratio(op: Any, inputs: list, statics: dict, rounds: int) -> float | None:
    rule = op.value
    if rule is None or not rule.packed or inputs[0].dtype.name not in DTYPES:
        return None
    used = [inputs[i] for i in rule.used]
    return beside_each_other(
        lambda: rule.in_one_pass(used, statics), lambda: op.reference(*inputs, **statics),
        rounds, inputs[0].size,
    )  # fmt: skip


def vjp_ratio(op: Any, inputs: list, statics: dict, rounds: int) -> float | None:
    rules = [r for r in op.rules if r is not None and not r.is_identity]
    if not rules:
        return None
    y = op.forward(*inputs, **statics)
    values = (np.ones_like(y), y, *inputs)
    return beside_each_other(
        lambda: [r.on_arrays(*values, **statics) for r in rules],
        lambda: [r.by_ufuncs(*values, **statics) for r in rules],
        rounds, inputs[0].size,
    )  # fmt: skip


def row(name: str, size: int, dtype: str, rounds: int) -> str:
    op = OPS[name]
    inputs, statics = operands(op, size, dtype)
    with np.errstate(all="ignore"):
        cells = [f(op, inputs, statics, rounds) for f in (forward_ratio, kernel_ratio, vjp_ratio)]
    shown = " ".join("       -" if c is None else f"{c:8.2f}" for c in cells)
    return f"{name:22} {dtype} {size:9,} {shown}"


def main() -> None:
    made = parser(__doc__, rounds=15, smoke="one round of every tenth op")
    made.add_argument("ops", nargs="*", default=measurable())
    made.add_argument("--sizes", nargs="*", type=int, default=SIZES)
    options = parsed(made)
    print(describe())
    print(f"{'op':22} {'dtype':7} {'elements':>9}  forward   kernel      vjp")
    for name in options.ops[::10] if options.smoke else options.ops:
        for dtype in DTYPES:
            for size in (64,) if options.smoke else options.sizes:
                print(row(name, size, dtype, options.rounds), flush=True)


if __name__ == "__main__":
    main()

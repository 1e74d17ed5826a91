"""Time until something runs: imports, and the first step of the VAE with a cold and a warm cache.

    python -m benchmarks.start
    python -m benchmarks.start --smoke    # scg alone, to see that it runs

Every figure is of a fresh process. Imports beside that of numba and scipy.special, which scg stands
on. First steps: 784-400-20, batch 100; "cold" with an empty cache, "warm" with what the cold
process has left in it. "first step" is the first result; "compiled" what comes on top of it until a
step has run compiled, which for scg is the third call. "CPU" is what the process used for all of
it, threads together, which other programs change less than the time on the clock. JAX keeps no
cache unless it is given a folder, which it is here. PyTorch without compilation has none.

Then what single kernels take, in CPU time of this process: the loops of a product and those of a
fused region, written and compiled, and loaded from the cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks._measure import beside, describe, parsed, parser, repeated
from benchmarks._table import markdown
from benchmarks._turns import SIDES, Worker
from benchmarks.steps import ROWS

BASE = "import numba, scipy.special"
CODE = {
    "import scg": "import scg",
    "first two-op backward": "import scg; x = scg.parameter([1.0]); (scg.tanh(x) * x).backward()",
    "import jax.numpy": "import jax.numpy",
    "import torch": "import torch",
}
STAGES = ("import", "build", "first", "native")
CACHES = ("SCG_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
# JAX would leave out of its cache what was compiled quickly or is small.
KEEP_ALL = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# As that of an installed package is found.
BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}


def process(code: str) -> Callable[[], object]:
    """Run in a fresh process that finds its bytecode."""
    known = os.environ | BYTECODE
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, env=known)


def installed(code: str) -> bool:
    return not subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode


def imports(rounds: int, names: list[str]) -> list[list[str]]:
    """Return the rows of the imports: seconds, and the ratio to the base in the same round."""
    base = repeated(process(BASE), 1)
    rows = [["a process that does this", "seconds", f"over {BASE}"]]
    for what in names:
        if installed(CODE[what]):
            found = beside(repeated(process(CODE[what]), 1), base, rounds)
            rows.append([what, f"{found.ours:.2f} s", found.ratio.text()])
        else:
            rows.append([what, "not installed", "-"])
    return rows


def first_steps(name: str) -> dict[str, dict[str, Any]]:
    """Return what a side says of itself with an empty cache, and then with a full one."""
    row = ROWS["vae-100"]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for state in ("cold", "warm"):
            worker = Worker(SIDES[name], f"benchmarks.steps.{row.module}", row.options,
                            **dict.fromkeys(CACHES, folder), **KEEP_ALL, **BYTECODE)  # fmt: skip
            found[state] = worker.about
            worker.close()
    return found


def cells(name: str, state: str, rounds: list[dict[str, dict[str, Any]]]) -> list[str]:
    stages = [[about[state][stage] for stage in STAGES] for about in rounds]
    each = [f"{median(times):.2f} s" for times in zip(*stages, strict=True)]
    cpu = median(about[state]["cpu"] for about in rounds)
    return [name, state, *each, f"{median(map(sum, stages)):.2f} s", f"{cpu:.2f} s"]


KERNELS = """
import json, time
from scg.kernels import machine, tasks, vector_loops
from scg.kernels._dtypes import FLOAT32
from scg.kernels._product import MULTIPLY, addresses
from scg.kernels.vector_spec import Access, Spec

both = [Access("float32", False, "one", False)] * 2
node = ("op", "exp(x)", ("exp",), ("x",), (), "float32", (0,), "float32")
region = Spec(False, 1, 0, 16, "again", tuple(both), (("load", 0), node), ((1, 1),))
kernels = {
    "loops of a product": lambda: MULTIPLY[FLOAT32].address,
    "register tiles of a product": lambda: addresses(FLOAT32),
    "loop of exp(x)": lambda: machine.address_of(
        vector_loops.NAME, repr(region), lambda: vector_loops.write(region)),
}
taken = {}
for name, kernel in kernels.items():
    start = time.process_time()
    kernel()
    taken[name] = time.process_time() - start
print(json.dumps(taken))
"""


def kernels(rounds: int) -> list[list[str]]:
    """Return what kernels take to be compiled, and to be loaded."""
    found: dict[str, list[dict[str, float]]] = {"compiled": [], "loaded": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for state in found.values():
                done = subprocess.run(
                    [sys.executable, "-c", KERNELS], check=True, stdout=subprocess.PIPE,
                    env=os.environ | {"SCG_CACHE_DIR": folder},
                )  # fmt: skip
                state.append(json.loads(done.stdout))
    rows = [["CPU time of", *found]]
    for name in found["loaded"][0]:
        times = [median(about[name] for about in state) for state in found.values()]
        rows.append([name, *(f"{1e3 * t:.1f} ms" for t in times)])
    return rows


def main() -> None:
    options = parsed(parser(__doc__, rounds=5, smoke="one round"))
    print(describe())
    print(markdown(imports(options.rounds, list(CODE)[: 1 if options.smoke else None])), end="\n\n")
    found = {name: [] for name in (("scg",) if options.smoke else SIDES)}
    for _ in range(options.rounds):
        for name, rounds in found.items():
            rounds.append(first_steps(name))
    rows = [["VAE", "cache", "import", "model", "first step", "compiled", "together", "CPU"]]
    for name, rounds in found.items():
        if missing := rounds[0]["cold"].get("missing"):
            rows.append([name, missing, *["-"] * 6])
        else:
            rows += [cells(name, state, rounds) for state in ("cold", "warm")]
    print(markdown(rows), end="\n\n")
    print(markdown(kernels(options.rounds)))


if __name__ == "__main__":
    main()

"""Time of a training step against its size, beside JAX and PyTorch where they are installed.

    python -m benchmarks.sizes                     # batch, width and depth
    python -m benchmarks.sizes --only depth
    python -m benchmarks.sizes --smoke             # the least depth, to see that it runs

batch and width: the VAE of the table, 784-400-20, with other batches than 100 or other hidden
widths than 400. depth: a residual net of width 64, batch 32. "first" is the first step, with
compilation; that of JAX without a cache, that of scg with whatever its cache holds. Numbers go to
sizes.json, a picture to sizes.png. How graphs grow node by node: python -m benchmarks.growth.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._measure import describe, parsed, parser
from benchmarks._report import figure, write_json
from benchmarks._table import Measured, duration, libraries, markdown, measure
from benchmarks.steps import Row

NAMES = ("scg", "scg eager", "JAX", "PyTorch")


@dataclass(frozen=True)
class Sweep:
    """An option of a step that takes several values, and the others that stay."""

    module: str
    option: str
    values: tuple[int, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def row(self, value: int) -> Row:
        return Row(f"{self.option} {value}", self.module, {**self.fixed, self.option: value})


SWEEPS = {
    "batch": Sweep("vae", "batch", (1, 4, 16, 64, 256, 1024, 4096)),
    "width": Sweep("vae", "hidden", (16, 64, 256, 1024, 4096), {"batch": 100}),
    "depth": Sweep("deep", "depth", (1, 10, 100, 1000)),
}


def cells(found: Measured) -> list[str]:
    """Return the time of a step on each side, then that of the first."""
    times = [
        duration(median(found.times[name])) if name in found.times else found.missing(name)
        for name in NAMES
    ]
    abouts = [found.about.get(name, {}) for name in NAMES]
    firsts = [about.get("first", 0) + about.get("native", 0) for about in abouts]
    return [found.row.label, *times, *(duration(s) if s else "-" for s in firsts)]


def lines(path: Path, results: Mapping[str, Mapping[int, Measured]]) -> None:
    """Draw time against size, a panel for each sweep."""
    made = figure(4.5 * len(results), 4)
    if made is None:
        print("No picture: matplotlib is not installed.")
        return
    panels = made.subplots(1, len(results), squeeze=False)[0]
    for axes, (name, by_value) in zip(panels, results.items(), strict=True):
        for side in NAMES:
            points = [(v, median(f.times[side])) for v, f in by_value.items() if side in f.times]
            if points:
                axes.loglog(*zip(*points, strict=True), marker="o", label=side)
        axes.set(xlabel=name, ylabel="seconds of a step")
        axes.legend()
    made.savefig(path, dpi=150)


def main() -> None:
    made = parser(__doc__, rounds=5, smoke="one step of the least depth")
    made.add_argument("--only", nargs="+", choices=SWEEPS, metavar="NAME",
                      help=f"sweeps: {', '.join(SWEEPS)}")  # fmt: skip
    made.add_argument("--window", type=float, default=0.2, help="seconds of a turn")
    made.add_argument("--out", type=Path, default=Path("runs") / "benchmarks", help="for files")
    options = parsed(made)
    window = 0.0 if options.smoke else options.window
    options.only = options.only or (["depth"] if options.smoke else list(SWEEPS))
    results: dict[str, dict[int, Measured]] = {}
    for name in options.only:
        sweep = SWEEPS[name]
        for value in sweep.values[:1] if options.smoke else sweep.values:
            print(f"{name} {value} ...", file=sys.stderr, flush=True)
            found = measure(sweep.row(value), options.rounds, window, loaded=False, names=NAMES)
            results.setdefault(name, {})[value] = found
        print(markdown([[name, *NAMES, *(f"first, {n}" for n in NAMES)],
                        *map(cells, results[name].values())]), flush=True)  # fmt: skip
        print()
    print(f"{describe()}.\n{libraries(f for found in results.values() for f in found.values())}.")
    write_json(options.out / "sizes.json", {k: str(v) for k, v in vars(options).items()},
               {name: {str(value): found.as_json() for value, found in by_value.items()}
                for name, by_value in results.items()})  # fmt: skip
    lines(options.out / "sizes.png", results)


if __name__ == "__main__":
    main()

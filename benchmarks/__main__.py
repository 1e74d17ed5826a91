"""Training steps of scg beside JAX, PyTorch and torch.compile, where they are installed.

    python -m benchmarks                            # the table
    python -m benchmarks --only vae-100 act         # some rows
    python -m benchmarks --loaded                   # while another process takes one core
    python -m benchmarks --smoke                    # a step of most, to see that it runs

Every side of a row lives in a process of its own, and one is active at a time; in each round all
have a turn. A cell is the median over the rounds; ratios are those of turns in one round: their
median, least and greatest. The table is printed, its numbers go to table.json and a picture to
table.png. Other subjects: python -m benchmarks.NAME, where NAME is a file beside this one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks._measure import describe, parsed, parser
from benchmarks._report import bars, write_json
from benchmarks._table import HEADS, Measured, cells, libraries, markdown, measure
from benchmarks._turns import SIDES
from benchmarks.steps import ROWS


def main() -> None:
    made = parser(__doc__, rounds=9, smoke="one step of one row of each module")
    made.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME",
                      help=f"rows: {', '.join(ROWS)}")  # fmt: skip
    made.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES), metavar="SIDE",
                      help=f"libraries: {', '.join(SIDES)}")  # fmt: skip
    made.add_argument("--window", type=float, default=0.3, help="seconds of a turn")
    made.add_argument("--loaded", action="store_true", help="another process takes one core")
    made.add_argument("--out", type=Path, default=Path("runs") / "benchmarks", help="for files")
    options = parsed(made)
    if options.smoke:
        options.window = 0.0
    once = {row.module: name for name, row in ROWS.items()}.values()
    options.only = options.only or list(once if options.smoke else ROWS)
    measured: dict[str, Measured] = {}
    for name in options.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        measured[name] = measure(
            ROWS[name], options.rounds, options.window, loaded=options.loaded, names=options.sides
        )
    print(markdown([list(HEADS), *map(cells, measured.values())]))
    print(f"\n{describe()}.\n{libraries(measured.values())}; {options.rounds} rounds"
          f"{', while another process took one core' if options.loaded else ''}.")  # fmt: skip
    write_json(options.out / "table.json", {k: str(v) for k, v in vars(options).items()},
               {name: found.as_json() for name, found in measured.items()})  # fmt: skip
    if not bars(options.out / "table.png", list(measured.values()), options.sides):
        print("No picture: matplotlib is not installed.")
    if any(found.missing("scg") == "failed" for found in measured.values()):
        sys.exit("a step of scg failed")


if __name__ == "__main__":
    main()

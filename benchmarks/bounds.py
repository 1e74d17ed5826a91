"""Bounds that examples/vae.py reaches on each data set, as the table of docs/results.md.

    python -m benchmarks.bounds              # the runs that are missing, then the table
    python -m benchmarks.bounds --table      # the table of the runs that are there
    python -m benchmarks.bounds --smoke      # seconds, on the smallest data, to see that it runs

Each run has a folder of its own, and one that was stopped goes on from its checkpoint. The numbers
of epochs were fixed beforehand; the figures are those of the last epoch, not of the best one.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "vae.py"
RUNS = {
    "mnist-b-0": "--data mnist --epochs 10 --seed 0",
    "mnist-b-1": "--data mnist --epochs 10 --seed 1",
    "mnist-a-0": "--data mnist --epochs 10 --seed 0 --kl sampled",
    "mnist-a-1": "--data mnist --epochs 10 --seed 1 --kl sampled",
    "static-b-0": "--data static --epochs 10 --seed 0",
    "static-a-0": "--data static --epochs 10 --seed 0 --kl sampled",
    "static-b-long": "--data static --epochs 77 --hidden 256,256 --latent 128 --batch-size 128",
    "omniglot-b-0": "--data omniglot --epochs 10 --seed 0",
    "omniglot-a-0": "--data omniglot --epochs 10 --seed 0 --kl sampled",
    "frey-b-0": "--data frey --epochs 200 --hidden 200 --latent 10 --seed 0",
    "frey-a-0": "--data frey --epochs 200 --hidden 200 --latent 10 --seed 0 --kl sampled",
    "frey-random-b-0": "--data frey_random --epochs 200 --hidden 200 --latent 10 --seed 0",
    "frey-random-a-0": "--data frey_random --epochs 200 --hidden 200 --latent 10 --kl sampled",
}
SMOKE = {"digits": "--smoke"}
HEADS = ("data", "decoder", "estimator", "hidden", "latent", "seed", "epochs", "test ELBO half-way",
         "test ELBO", "reconstruction", "KL", "train ELBO")  # fmt: skip


def train(out: Path, options: str) -> None:
    """Run the example, or let it finish."""
    resume = ["--resume"] if (out / "checkpoint.safetensors").exists() else []
    command = [sys.executable, str(EXAMPLE), *shlex.split(options), "--out", str(out), *resume]
    print(shlex.join(["python", "examples/vae.py", *command[2:]]), file=sys.stderr)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def row(metrics: Mapping[str, Any]) -> list[str]:
    """Return the cells of one run."""
    chosen, history = metrics["options"], metrics["history"]
    decoder = "gaussian" if chosen["data"].startswith("frey") else "bernoulli"
    middle = history[(len(history) - 1) // 2]
    return [
        chosen["data"], decoder if chosen["decoder"] == "auto" else chosen["decoder"],
        {"analytic": "B", "sampled": "A"}[chosen["kl"]], ",".join(map(str, chosen["hidden"])),
        str(chosen["latent"]), str(metrics["seed"]), str(metrics["epochs"]),
        f"{middle['test_elbo']:.2f} ({middle['epoch']})",
        *(f"{metrics[k]:.2f}" for k in ("test_elbo", "test_reconstruction", "test_kl", "elbo")),
    ]  # fmt: skip


def table(found: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a Markdown table and, below it, of what the numbers were made with."""
    yield f"| {' | '.join(HEADS)} |"
    yield "|" + " --- |" * HEADS.index("seed") + " ---: |" * (len(HEADS) - HEADS.index("seed"))
    for metrics in found:
        yield f"| {' | '.join(row(metrics))} |"
    machines = {json.dumps(metrics["made_with"]) for metrics in found}
    for machine in sorted(machines):
        yield ""
        yield "Made with " + ", ".join(f"{k} {v}" for k, v in json.loads(machine).items()) + "."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs") / "bounds", help="folder of runs")
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--smoke", action="store_true", help="one short run only")
    options = parser.parse_args()
    runs = SMOKE if options.smoke else RUNS
    files = {name: options.out / name / "metrics.json" for name in runs}
    if not options.table:
        for name, chosen in runs.items():
            train(options.out / name, chosen)
    found = [json.loads(f.read_text()) for f in files.values() if f.exists()]
    # A run that had to take other data than it was asked for has no place in the table.
    print("\n".join(table([metrics for metrics in found if not metrics["notice"]])))


if __name__ == "__main__":
    main()

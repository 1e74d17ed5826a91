"""Training steps written in each library as its users would, and what they are measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A side takes at most so much of the time of the fastest of others."""

    limit: float
    others: tuple[str, ...]
    side: str = "scg"

    def __str__(self) -> str:
        return f"{self.side} <= {self.limit:g} x {' or '.join(self.others)}"


@dataclass(frozen=True)
class Row:
    """A row of the table: a module of this package, its options and its goals.

    A contended row is measured quiet and with another process on one core, in turns; its goal is
    the ratio of the two times of scg.
    """

    label: str
    module: str
    options: Mapping[str, Any] = field(default_factory=dict)
    goals: tuple[Goal, ...] = ()
    contended: bool = False


QUIET = "itself quiet"
BEST = ("JAX", "PyTorch")

ROWS = {
    "vae-100": Row("VAE 784-400-20, batch 100, Adam", "vae", {"batch": 100},
                   (Goal(0.75, ("JAX",)),)),
    "vae-512": Row("the same, batch 512", "vae", {"batch": 512}, (Goal(0.8, ("JAX",)),)),
    "dropout": Row("dropout net 784-1024-1024-10, batch 128, momentum", "dropout", {"batch": 128},
                   (Goal(0.75, ("JAX",)),)),
    "images": Row("net of two convolutions and pools, 28 x 28, batch 64, momentum", "convnet",
                  {"batch": 64}, (Goal(1.0, BEST),)),
    "reinforce": Row("REINFORCE update, 500 steps, 4-128-2, Adam", "reinforce", {"batch": 500},
                     (Goal(0.6, ("JAX",)),)),
    "act": Row("act: one state through 4-128-2 and a categorical draw", "act", {},
               (Goal(0.35, BEST),)),
    "coins": Row("score-function gradient of 3 Bernoullis", "coins", {},
                 (Goal(1.0, ("JAX",)), Goal(1.0, ("PyTorch",), "scg eager"))),
    "vae-loaded": Row("VAE, batch 100, while another process takes one core", "vae", {"batch": 100},
                      (Goal(2.0, (QUIET,)),), contended=True),
}  # fmt: skip

"""What the steps in PyTorch share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np
import torch

from benchmarks._worker import Program


def mlp(*sizes: int) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def adam(parameters: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3, fused=True)


def program(
    loss: Callable[..., torch.Tensor], optimizer: torch.optim.Optimizer,
    batches: Sequence[tuple[np.ndarray, ...]], *, compiled: bool,
) -> Program:  # fmt: skip
    """Return the program that descends a loss, as it is or compiled."""
    if compiled:
        loss = torch.compile(loss)
    data = cycle([tuple(map(torch.from_numpy, batch)) for batch in batches])

    def steps(count: int) -> None:
        for _ in range(count):
            value = loss(*next(data))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()

    return made(steps, (p for group in optimizer.param_groups for p in group["params"]))


def made(steps: Callable[[int], Any], parameters: Iterable[torch.Tensor]) -> Program:
    count = sum(p.numel() for p in parameters)
    return Program(steps, f"torch {torch.__version__}", torch.get_num_threads(), count)

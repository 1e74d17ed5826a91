"""What an experiment has to provide; the runner does the rest."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from scg._tensor import Tensor
from scg._typing import Array
from scg.checkpoint import flatten, unflatten
from scg.data import Minibatches
from scg.errors import OptionError
from scg.experiment._options import Options
from scg.nn import Module
from scg.optim import Optimizer

__all__ = ["Task"]


class Task:
    """An experiment: a model, its data and one step of training.

    A subclass fills in the methods below; its docstring is what `--help` prints.

    Attributes
    ----------
    name : str
        Of the script; results go to `runs/<name>` unless `--out` says otherwise.
    smoke : mapping
        Options that `--smoke` sets: a run of seconds that touches everything. Its results go to a
        folder of their own.
    defaults : mapping
        Other defaults for the common options `epochs`, `batch_size` and `seed`.
    presets : mapping
        Other defaults for a choice: `{"env": {"Acrobot-v1": {"epochs": 4}}}` are those of
        `--env Acrobot-v1`.
    saved : tuple of str
        The attributes that go into a checkpoint: modules, optimisers, Generators, or anything that
        `checkpoint.flatten` takes.
    free : tuple of str
        Options that change pictures alone, and may be others when a run goes on.
    compiled : bool
        Whether `step` runs under `scg.jit`. It is then compiled before the first epoch, so that a
        resumed run computes its first steps as the whole run did.
    """

    name: ClassVar[str] = "experiment"
    smoke: ClassVar[Mapping[str, Any]] = {}
    defaults: ClassVar[Mapping[str, Any]] = {}
    presets: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {}
    saved: ClassVar[tuple[str, ...]] = ("model", "optimizer", "rng")
    free: ClassVar[tuple[str, ...]] = ()
    compiled: ClassVar[bool] = False

    batches: Minibatches[Any]

    def __init__(self, options: Options) -> None:
        """Load the data and build the model."""

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Add the options that are this experiment's own."""

    def notice(self) -> str:
        """Return one sentence that a person should read before the run, or nothing."""
        return str(getattr(getattr(self, "set", None), "notice", ""))

    def prepare(self, batch: Any) -> Any:
        """Return what `step` and `loss` get of a batch; NumPy's part of a step that is compiled."""
        return batch

    def step(self, batch: Any) -> Mapping[str, Any]:
        """Do one update and return what to show and average over the epoch."""
        raise NotImplementedError(f"{type(self).__name__} defines no step")

    def loss(self, batch: Any) -> Tensor:
        """Return the loss of a batch, whose computation graph `--graph` draws."""
        raise OptionError(f"{self.name} has no graph to draw: its task defines no loss(batch)")

    def evaluate(self) -> Mapping[str, float]:
        """Return the metrics on held-out data, after an epoch."""
        return {}

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return everything that changes during training, as arrays and plain JSON."""
        return flatten({name: _state(getattr(self, name)) for name in self.saved})

    def load_state(self, arrays: Mapping[str, Array], state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        tree = unflatten(arrays, state)
        for name in self.saved:
            if not _restored(getattr(self, name), tree[name]):
                setattr(self, name, tree[name])

    def summary(self) -> Mapping[str, Any]:
        """Return what is measured once, at the end, as plain JSON; called before `pictures`."""
        return {}

    def pictures(self, out: Path, history: list[dict[str, float]]) -> list[Path]:
        """Draw the results into `out` and return the files."""
        return []


def _state(part: Any) -> Any:
    if isinstance(part, Module | Optimizer):
        return part.state()
    return part.bit_generator.state if isinstance(part, np.random.Generator) else part


def _restored(part: Any, state: Any) -> bool:
    """Give a part its state back in place; False if it is a plain value, which has to be set."""
    if isinstance(part, Module):
        part.load_state(state)
    elif isinstance(part, Optimizer):
        part.load_state(*state)
    elif isinstance(part, np.random.Generator):
        part.bit_generator.state = state
    else:
        return False
    return True

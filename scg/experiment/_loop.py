"""The training loop: progress, metrics, checkpoints, and an orderly stop."""

from __future__ import annotations

import math
import os
import shlex
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from scg import __version__, checkpoint, inspect
from scg._compile import TRACED_CALLS, jit
from scg._config import num_threads
from scg._peek import peek
from scg.errors import (
    CheckpointError,
    NonFiniteError,
    OptionError,
    PictureWarning,
    RetraceWarning,
    ScgError,
    SupportError,
)
from scg.experiment._metrics import shown, write_metrics
from scg.experiment._options import CHECKPOINT, Options, adopt, parse
from scg.experiment._task import Task

__all__ = ["run"]

INTERRUPTED = 130  # what a shell expects of a program ended by Ctrl-C

_ENTRIES = frozenset(
    "experiment options epochs task batches history sums seconds".split()
)  # of a checkpoint's state


def run(task: type[Task], arguments: Sequence[str] | None = None) -> None:
    """Run an experiment from the command line, and exit with its status.

    Parameters
    ----------
    task : type
        A subclass of `Task`.
    arguments : sequence of str, optional
        Instead of the command line.

    Notes
    -----
    Exit status 0 when done, 2 after a mistake that one sentence on stderr explains, 130 when
    interrupted; a checkpoint is then left and `--resume` goes on bitwise identically.
    """
    sys.exit(_status(task, arguments))


def _status(task: type[Task], arguments: Sequence[str] | None) -> int:
    options = parse(task, arguments)
    try:
        _require_extras()
        _require_threads()
        loop = _Loop(task, options)
        return loop.run() if options.graph is None else loop.draw(options.graph)
    except ScgError as error:
        return _complain(task, str(error))
    except ModuleNotFoundError as error:
        return _complain(task, f"{error.name} is not installed; run pip install 'scg[examples]'")
    except OSError as error:
        # A failed write, unlike a failed open, does not say of which file.
        place = error.filename or options.out
        return _complain(task, f"{error.strerror or error} ({place}); free space or rights there, "
                               "or choose another folder with --out")  # fmt: skip
    except MemoryError as error:
        return _complain(task, f"the memory does not suffice ({error}); choose smaller sizes or a "
                               "smaller --batch-size")  # fmt: skip
    except KeyboardInterrupt:
        print(f"\nStopped at once; {_left_behind(options)}", file=sys.stderr)
        return INTERRUPTED


def _left_behind(options: Options) -> str:
    path = options.out / CHECKPOINT
    if path.exists():
        return f"the checkpoint {path} is that of the last complete epoch or stop"
    return "no checkpoint was written yet"


def _require_extras() -> None:
    """Miss a package now: the pictures are drawn when hours of training are over."""
    for name in ("tqdm", "safetensors", "matplotlib"):
        if find_spec(name) is None:
            raise ModuleNotFoundError(name=name)


def _require_threads() -> None:
    """Refuse a wrong `SCG_NUM_THREADS` now, and not when the first parallel kernel reads it."""
    try:
        num_threads(1)
    except ValueError as error:
        raise OptionError(str(error)) from error


def _complain(task: type[Task], message: str) -> int:
    print(f"{task.name}.py: error: {message}", file=sys.stderr)
    return 2


class _Loop:
    """One run of an experiment."""

    def __init__(self, task: type[Task], options: Options) -> None:
        self.options = options
        self.stopping = False
        saved = self._read_checkpoint(task)
        _require_folder(options.out)
        self.task = task(options)
        self.step = jit(self.task.step) if task.compiled else self.task.step
        self.history: list[dict[str, float]] = []
        self.sums: dict[str, float] = {}
        self.seconds = 0.0
        if saved is not None:
            self._restore(*saved)

    # --- checkpoints -------------------------------------------------------------------------

    def _read_checkpoint(self, task: type[Task]) -> tuple[Any, Any] | None:
        path = self.options.resume
        if path is None:
            return None
        arrays, state = checkpoint.load(path)
        _require_own(path, task, state)
        adopt(self.options, state["options"])
        if "epochs" not in self.options.explicit:
            self.options.epochs = state["epochs"]
        return arrays, state

    def _restore(self, arrays: Any, state: Any) -> None:
        path = self.options.resume
        assert path is not None
        checkpoint.require_match(path, arrays, state, like=self.task.state()[0])
        self.task.load_state(arrays, state["task"])
        self.task.batches.restore(state["batches"])
        self.history, self.sums = state["history"], state["sums"]
        self.seconds = state["seconds"]

    def save(self) -> Path:
        """Write the checkpoint, from which the run goes on bitwise."""
        arrays, state = self.task.state()
        path = self.options.out / CHECKPOINT
        checkpoint.save(path, arrays, {
            "experiment": self.task.name, "scg": __version__, "options": self.options.settings(),
                "epochs": self.options.epochs, "task": state,
            "batches": self.task.batches.state(), "history": self.history, "sums": self.sums,
            "seconds": self.seconds,
        })  # fmt: skip
        return path

    # --- the loop ----------------------------------------------------------------------------

    def run(self) -> int:
        """Train to the last epoch or to an interruption."""
        if self.task.notice():
            print(self.task.notice(), file=sys.stderr)
        if self.options.resume is not None:
            print(self._whence())
        if len(self.history) >= self.options.epochs:
            print(f"All {len(self.history)} epochs are done; go on with a larger --epochs")
            self.save()
        # Numbers that leave the range of floats end the run in one sentence, not in warnings.
        with _orderly_stop(self), self._bar() as bar, np.errstate(all="ignore"):
            if self.task.compiled:
                self._compile()
            while len(self.history) < self.options.epochs:
                if not self._epoch(bar):
                    return self._interrupted()
        for path in self._finish():
            print(f"wrote {path}")
        return 0

    def draw(self, path: Path) -> int:
        """Draw the computation graph of the first batch's loss."""
        batch = self.task.prepare(next(iter(self.task.batches)))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", PictureWarning)
            written = inspect.render(self.task.loss(batch)).save(path)
        for warning in said:
            print(warning.message, file=sys.stderr)
        print(f"wrote {written}")
        return 0

    def _whence(self) -> str:
        """Say from where a resumed run goes on, and where its results go."""
        place = f"epoch {len(self.history)}, batch {self.task.batches.position}"
        return f"Going on after {place} of {self.options.resume}; results go to {self.options.out}"

    def _bar(self) -> Any:
        from tqdm import tqdm

        batches = self.task.batches
        done = batches.epoch * len(batches) + batches.position
        total = self.options.epochs * len(batches)
        return tqdm(total=total, initial=done, unit="batch", dynamic_ncols=True, mininterval=0.5,
                    postfix="the first run compiles",
                    disable=None if sys.stderr.isatty() else not self.options.smoke)  # fmt: skip

    def _compile(self) -> None:
        """Trace the step for both sizes of a batch, and leave all as it was.

        Traced steps round in another way than compiled ones: a resumed run would go another way.
        """
        batches, (arrays, state) = self.task.batches, self.task.state()
        held, place = {name: array.copy() for name, array in arrays.items()}, batches.state()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RetraceWarning)
            for position in {0, len(batches) - 1}:
                for _ in range(TRACED_CALLS):
                    batches.restore({**place, "position": position})
                    self._step(next(iter(batches)))
        self.task.load_state(held, state)
        batches.restore(place)

    def _epoch(self, bar: Any) -> bool:
        """Run what is left of an epoch; False if it was interrupted."""
        batches = self.task.batches
        start = time.perf_counter()
        for batch in batches:
            self._add(self._step(batch))
            bar.update()
            bar.set_postfix({k: f"{v:.1f}" for k, v in self._means().items()}, refresh=False)
            if self.stopping and batches.position:
                self.seconds += time.perf_counter() - start
                return False
        self.seconds += time.perf_counter() - start
        self._close_epoch(bar)
        return not self.stopping or len(self.history) >= self.options.epochs

    def _step(self, batch: Any) -> Mapping[str, Any]:
        try:
            return self.step(self.task.prepare(batch))
        except (SupportError, NonFiniteError) as error:
            # With a step too large it is a parameter of a distribution that overflows first.
            raise self._diverged(str(error)) from error

    def _diverged(self, what: str) -> NonFiniteError:
        path = self.options.out / CHECKPOINT
        kept = f"; {path} is as the last epoch left it" if self.history else ""
        return NonFiniteError(f"{what}, in epoch {len(self.history) + 1}; try a smaller --lr{kept}")

    def _close_epoch(self, bar: Any) -> None:
        row = {
            "epoch": len(self.history) + 1,
            **self._means(),
            **self._finite(self.task.evaluate()),
        }
        row["seconds"], self.seconds = self.seconds, 0.0
        self.history.append(row)
        self.sums = {}
        self.save()
        self._write_metrics()
        shown = "  ".join(f"{k} {v:.2f}" for k, v in row.items() if k != "epoch")
        bar.write(f"epoch {row['epoch']}/{self.options.epochs}  {shown}", file=sys.stdout)

    def _add(self, metrics: Mapping[str, Any]) -> None:
        for name, value in self._finite(metrics).items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.sums["_count"] = self.sums.get("_count", 0.0) + 1

    def _finite(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        # Looked at, not read: a raw read would be part of the next step's graph.
        values = {name: float(peek(value)) for name, value in metrics.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._diverged(f"{name} became {value}")
        return values

    def _means(self) -> dict[str, float]:
        count = self.sums.get("_count", 1.0)
        return {k: v / count for k, v in self.sums.items() if k != "_count"}

    # --- the end -----------------------------------------------------------------------------

    def _interrupted(self) -> int:
        path = self.save()
        again = shlex.join([_python(), sys.argv[0], "--resume", "--out", str(self.options.out)])
        print(
            f"\nStopped after epoch {len(self.history)}, batch {self.task.batches.position}. Go on "
            f"with: {again}  (checkpoint {path})"
        )
        return INTERRUPTED

    def _finish(self) -> list[Path]:
        with np.errstate(all="ignore"):
            summary = self.task.summary()
        if summary:
            print("in all  " + "  ".join(f"{k} {shown(v)}" for k, v in summary.items()))
        pictures = self.task.pictures(self.options.out, self.history)
        return [self._write_metrics(summary), *pictures]

    def _write_metrics(self, summary: Mapping[str, Any] = MappingProxyType({})) -> Path:
        """Write the last epoch's metrics, the options and the history as JSON, in one step."""
        last = {k: v for k, v in self.history[-1].items() if k not in ("epoch", "seconds")}
        seconds = [row["seconds"] for row in self.history]
        return write_metrics(self.options.out, {
            **last, **summary, "epochs": len(self.history), "minutes": sum(seconds) / 60,
            "seconds_per_epoch": sum(seconds) / len(seconds),
            "seed": self.options.seed, "options": self.options.settings(),
            "notice": self.task.notice(), "history": self.history,
        })  # fmt: skip


def _python() -> str:
    """Return this interpreter as it is typed here: that of an environment, active or not."""
    path, here = Path(sys.executable), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _require_own(path: Path, task: type[Task], state: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that this script, or this version of scg, did not write."""
    if missing := sorted(_ENTRIES - state.keys()):
        raise CheckpointError(
            f"{path} is not the checkpoint of an experiment, since it lacks "
            f"{', '.join(missing)}; name one that this script wrote"
        )
    if state["experiment"] != task.name:
        raise CheckpointError(
            f"{path} is a checkpoint of {state['experiment']!r}, not of {task.name!r}; go on "
            f"with the script that wrote it"
        )
    if (then := state.get("scg", "of another version")) != __version__:
        raise CheckpointError(
            f"{path} was written with scg {then}, and this is scg {__version__}, which may round "
            "in another way; go on with that version, or start anew"
        )


def _require_folder(out: Path) -> None:
    """Make the output folder now: an hour's run must not find at its end that it cannot write."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"--out {out} cannot be made ({error.strerror}); choose another folder"
        ) from error
    if not os.access(out, os.W_OK):
        raise OptionError(f"--out {out} cannot be written to; choose another folder")


@contextmanager
def _orderly_stop(loop: _Loop) -> Iterator[None]:
    """Let the first Ctrl-C finish the batch, so that the checkpoint lies between two updates."""

    def stop(number: int, frame: Any) -> None:
        if loop.stopping:
            raise KeyboardInterrupt
        loop.stopping = True
        # Past Python's streams: a handler may come in the middle of a write to them.
        with suppress(OSError):
            os.write(2, b"\nStopping after this batch; once more, and it stops at once\n")

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""The command line of an experiment."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scg.errors import OptionError

__all__ = ["Options", "parse"]

CHECKPOINT = "checkpoint.safetensors"
FREE_ON_RESUME = frozenset({"epochs", "graph", "out", "resume", "smoke"})


class Options(argparse.Namespace):
    """The chosen options, as attributes.

    Attributes
    ----------
    epochs, batch_size, seed : int
    out : Path
        Where checkpoint, metrics and pictures go.
    resume : Path or None
        The checkpoint to go on from.
    graph : Path or None
        Where to draw the computation graph, instead of a run.
    explicit : frozenset of str
        What the person typed, as opposed to defaults.
    free : frozenset of str
        What does not determine the numbers, and may differ when a run goes on.
    """

    epochs: int
    batch_size: int
    seed: int
    out: Path
    resume: Path | None
    smoke: bool
    graph: Path | None
    explicit: frozenset[str]
    free: frozenset[str] = FREE_ON_RESUME

    def settings(self) -> dict[str, Any]:
        """Return the options that determine the numbers, as plain JSON."""
        skip = self.free | {"explicit", "free"}
        return {k: v for k, v in sorted(vars(self).items()) if k not in skip}


def parse(task: Any, arguments: Sequence[str] | None) -> Options:
    """Read the command line of a task; a wrong option ends the program with one sentence."""
    parser = _parser(task)
    options = parser.parse_args(arguments, namespace=Options())
    options.explicit = _typed(parser, arguments)
    options.free = FREE_ON_RESUME.union(task.free)
    for name, table in task.presets.items():
        _fill(options, table.get(getattr(options, name), {}))
    if options.smoke:
        _fill(options, {"out": Path("runs") / f"{task.name}-smoke", **task.smoke})
    if options.resume == Path():
        options.resume = options.out / CHECKPOINT
    elif options.resume is not None and "out" not in options.explicit:
        options.out = options.resume.parent
    return options


def _fill(options: Options, values: Mapping[str, Any]) -> None:
    """Set what was not typed."""
    for name, value in values.items():
        if name not in options.explicit:
            setattr(options, name, value)


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Leaves the description as it was written, and says what each default is, if there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, []) or action.nargs == 0:
            return action.help
        if isinstance(action.default, list):
            return f"{action.help} (default: {_as_typed(action.default)})"
        return super()._get_help_string(action)


def _parser(task: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{task.name}.py", description=task.__doc__, epilog=_presets(task) or None,
        formatter_class=_Help, allow_abbrev=False,
    )  # fmt: skip
    defaults = {"epochs": 10, "batch_size": 100, "seed": 0, **task.defaults}
    add = parser.add_argument
    add("--epochs", type=positive, default=defaults["epochs"], metavar="N",
        help="passes over the training data")  # fmt: skip
    add("--batch-size", type=positive, default=defaults["batch_size"], metavar="N",
        help="examples per update")  # fmt: skip
    add("--seed", type=natural, default=defaults["seed"], metavar="N",
        help="of all randomness; same seed, same numbers")  # fmt: skip
    add("--out", type=_folder, default=Path("runs") / task.name, metavar="DIR",
        help="where checkpoint, metrics and pictures go")  # fmt: skip
    add("--resume", type=Path, nargs="?", const=Path(), default=None, metavar="FILE",
        help="go on from a checkpoint, in its folder unless --out is given; "
        "without FILE, from the one in --out")  # fmt: skip
    add("--smoke", action="store_true", help="a run of seconds that touches everything")
    add("--graph", type=Path, default=None, metavar="FILE",
        help="draw the computation graph of the loss into FILE (.svg, .png, .pdf or .dot), and "
        "exit")  # fmt: skip
    task.add_options(parser)
    return parser


def _presets(task: Any) -> str:
    """Say which choices come with other defaults."""
    return "\n".join(
        f"defaults with {_option(name)} {choice}: "
        + " ".join(f"{_option(k)} {_as_typed(v)}" for k, v in values.items())
        for name, table in task.presets.items()
        for choice, values in table.items()
    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _typed(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> frozenset[str]:
    """Return the names of the options a person gave: those that survive without any default."""
    known = {a.dest for a in parser._actions}
    bare = argparse.Namespace(**dict.fromkeys(known, _ABSENT))
    chosen = vars(parser.parse_args(arguments, namespace=bare))
    return frozenset(k for k, v in chosen.items() if v is not _ABSENT)


_ABSENT = object()


def _folder(text: str) -> Path:
    # An empty shell variable would otherwise scatter the results over the current folder.
    if not text:
        raise argparse.ArgumentTypeError("it is empty; name a folder, '.' for the current one")
    return Path(text)


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def natural(text: str) -> int:
    """Read a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def positive_float(text: str) -> float:
    """Read a positive, finite number."""
    value = _finite(text)
    if value is None or value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def nonnegative_float(text: str) -> float:
    """Read a finite number that is not negative."""
    value = _finite(text)
    if value is None or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 0 nor a positive number")
    return value


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def sizes(text: str) -> list[int]:
    """Read layer widths separated by commas."""
    return [positive(part) for part in text.split(",")]


def adopt(options: Options, saved: Mapping[str, Any]) -> None:
    """Take over the options of a checkpoint; refuse those typed now that contradict it."""
    clash = [
        f"{_option(k)} {_as_typed(getattr(options, k))} now, {_as_typed(v)} then"
        for k, v in saved.items()
        if k in options.explicit and k not in options.free and getattr(options, k, v) != v
    ]
    if clash:
        raise OptionError(
            f"the checkpoint was made with other options ({'; '.join(clash)}); leave them out to "
            "go on with it, or start anew without --resume"
        )
    for name, value in saved.items():
        setattr(options, name, value)


def _as_typed(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)

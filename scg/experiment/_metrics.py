"""The metrics of a run as a JSON file: written after each epoch, and read to be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scg._files import replacing
from scg.errors import OptionError

__all__ = ["histories", "history", "shown", "write_metrics"]

METRICS = "metrics.json"

_MADE_WITH = frozenset("Python scg numpy scipy numba CPU threads".split())


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> Path:
    """Write metrics, and what they depend on beside the options, in one step."""
    path = folder / METRICS
    with replacing(path) as file:
        content = {**metrics, "made_with": _made_with()}
        file.write((json.dumps(content, indent=2, default=_plain) + "\n").encode())
    return path


def _plain(value: Any) -> Any:
    """Return what JSON has no form for: a path as text, a NumPy number as a number."""
    return value.item() if isinstance(value, np.generic) else str(value)


def shown(value: Any) -> str:
    """Return a metric as a person reads it."""
    return f"{value:.2f}" if isinstance(value, float | np.floating) else str(value)


def history(folder: Path, *metrics: str) -> list[dict[str, float]]:
    """Return the metrics of each epoch of a finished run.

    Parameters
    ----------
    folder : Path
        Its `--out`.
    *metrics : str
        Those that it must have.

    Returns
    -------
    list of dict

    Raises
    ------
    OptionError
        If there is no `metrics.json` of a run, or not of one with these metrics.
    """
    path = folder / METRICS
    try:
        rows: list[dict[str, float]] = json.loads(path.read_text())["history"]
        missing = [name for name in metrics if any(name not in row for row in rows)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OptionError(
            f"{path} cannot be read as the metrics of a run ({type(error).__name__}); name the "
            "--out folder of a finished one"
        ) from error
    if missing:
        raise OptionError(f"{path} has no {', '.join(missing)}; name a run of the same experiment")
    return rows


def histories(folders: Sequence[Path], *metrics: str) -> dict[str, list[dict[str, float]]]:
    """Return the histories of finished runs by the ends of their paths that tell them apart.

    Parameters
    ----------
    folders : sequence of Path
        The `--out` of each.
    *metrics : str
        Those that each must have.

    Returns
    -------
    dict of str to list of dict

    Raises
    ------
    OptionError
        As in `history`.
    """
    found = {folder.resolve(): history(folder, *metrics) for folder in folders}
    return {_label(folder, list(found)): rows for folder, rows in found.items()}


def _label(folder: Path, folders: Sequence[Path]) -> str:
    """Return as many of the last parts of a path as no other one ends in."""
    count = 1
    while sum(other.parts[-count:] == folder.parts[-count:] for other in folders) > 1:
        count += 1
    return "/".join(folder.parts[-count:])


def _made_with() -> dict[str, str]:
    """Return what the numbers depend on beside the options, in the words of `python -m scg`."""
    from scg.__main__ import table

    return {name: value for name, value in table() if name in _MADE_WITH}

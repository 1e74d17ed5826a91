"""Results as files: numbers as JSON, comparisons as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._measure import machine
from benchmarks._table import Measured

WIDTH = 0.16  # of a bar, where two rows are 1 apart


def write_json(path: Path, options: Mapping[str, Any], rows: Mapping[str, Any]) -> None:
    """Write what was measured, and with what."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine(), "options": options, "rows": rows}, indent=1)
    path.write_text(text + "\n")


def figure(width: float, height: float) -> Any:
    """Return an empty figure, or None if matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return None
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def bars(path: Path, measured: Sequence[Measured], sides: Sequence[str]) -> bool:
    """Draw the times of the sides over that of the first; tell whether there was a way to.

    Bars start at 1: what is slower than the first side reaches to the right.
    """
    made = figure(9, 1 + 0.8 * len(measured))
    if made is None:
        return False
    axes = made.subplots()
    for index, side in enumerate(sides[1:]):
        places, ratios = [], []
        for place, found in enumerate(measured):
            base = found.times.get(sides[0])
            if side in found.times and base:
                places.append(place + (index - (len(sides) - 2) / 2) * WIDTH)
                ratios.append(median(found.times[side]) / median(base))
        axes.barh(places, [ratio - 1 for ratio in ratios], WIDTH, left=1, label=side)
    axes.set_yticks(range(len(measured)), [found.row.label for found in measured])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel(f"time of a step, over that of {sides[0]}")
    axes.legend()
    made.savefig(path, dpi=150)
    return True

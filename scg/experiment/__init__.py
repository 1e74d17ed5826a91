"""The runner behind every example: options, progress, metrics, pictures, resume, Ctrl-C."""

from scg.experiment._average import average
from scg.experiment._loop import run
from scg.experiment._metrics import histories, history
from scg.experiment._options import (
    Options,
    natural,
    nonnegative_float,
    positive,
    positive_float,
    sizes,
)
from scg.experiment._outside import outside
from scg.experiment._pictures import band, calibration, curves, film, image_grid, plane, tiles
from scg.experiment._task import Task

__all__ = [
    "Options", "Task", "average", "band", "calibration", "curves", "film", "histories", "history",
    "image_grid", "natural", "nonnegative_float", "outside", "plane", "positive", "positive_float",
    "run", "sizes", "tiles",
]  # fmt: skip

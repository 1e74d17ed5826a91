"""The runner behind every example: options, progress, metrics, pictures, resume, Ctrl-C."""

from scg.experiment._loop import run
from scg.experiment._options import Options, natural, positive, positive_float, sizes
from scg.experiment._pictures import curves, image_grid, tiles
from scg.experiment._task import Task

__all__ = [
    "Options", "Task", "curves", "image_grid", "natural", "positive", "positive_float", "run",
    "sizes", "tiles",
]  # fmt: skip

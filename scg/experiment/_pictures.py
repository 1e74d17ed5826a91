"""Pictures as PNG files, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, cycle
from pathlib import Path
from typing import Any

import numpy as np
import scipy.special as sp

from scg._files import replacing
from scg._typing import Array, Shape
from scg.errors import OptionError, ShapeError

__all__ = ["band", "calibration", "curves", "film", "image_grid", "plane", "tiles"]


def _figure(width: float, height: float) -> Any:
    # The object interface: pyplot would choose a window system and keep global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _write(figure: Any, path: Path) -> Path:
    # Not savefig(path): a full disk would leave half a picture under the final name.
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=150)
    return path


def tiles(images: Array, image_shape: Shape, columns: int) -> Array:
    """Lay images out in rows, one pixel apart.

    Parameters
    ----------
    images : ndarray, shape (n, d)
        Values in [0, 1].
    image_shape : (int, int)
        Height and width; their product is d.
    columns : int
        Images in a row.

    Returns
    -------
    ndarray, 2-d

    Raises
    ------
    ShapeError
        If the images do not have `image_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from scg import experiment
    >>> experiment.tiles(np.zeros((4, 6)), (2, 3), columns=2).shape
    (5, 7)
    """
    count, (height, width) = len(images), image_shape
    if images.ndim != 2 or images.shape[1] != height * width:
        raise ShapeError(f"tiles: images of shape {images.shape} are not {height} x {width} each")
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, height + 1, width + 1), np.float64)
    padded[:count, :height, :width] = images.reshape(count, height, width)
    grid = padded.reshape(rows, columns, height + 1, width + 1).swapaxes(1, 2)
    return grid.reshape(rows * (height + 1), columns * (width + 1))[:-1, :-1]


def image_grid(
    path: Path, images: Array, image_shape: Shape, *, columns: int = 10, title: str = ""
) -> Path:
    """Draw images side by side and write the picture.

    Parameters
    ----------
    path : Path
        A PNG file.
    images : ndarray, shape (n, d)
        Values in [0, 1], bright is ink.
    image_shape : (int, int)
        Height and width.
    columns : int
        Images in a row.
    title : str
        Above the picture.

    Returns
    -------
    Path
        `path`.
    """
    grid = tiles(images, image_shape, columns)
    scale = 6.0 / grid.shape[1]
    figure = _figure(6.4, grid.shape[0] * scale + (0.6 if title else 0.2))
    axes = figure.add_subplot()
    axes.imshow(grid, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title)
    return _write(figure, path)


def curves(
    path: Path, history: Sequence[Mapping[str, float]], panels: Mapping[str, Sequence[str]],
    *, against: str = "epoch", beside: Mapping[str, Sequence[Mapping[str, float]]] | None = None,
) -> Path:  # fmt: skip
    """Draw metrics as they went in the course of a run and write the picture.

    Parameters
    ----------
    path : Path
        A PNG file.
    history : sequence of mappings
        One per epoch, as the runner keeps them.
    panels : mapping of str to sequence of str
        Label of each panel's axis, and the metrics in it.
    against : str
        The metric along the axis; one that is not the epoch is spaced by its logarithm.
    beside : mapping of str to history, optional
        Other runs by their labels, each with lines of its own kind in the same colours, as far as
        they have these metrics.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OptionError
        If one of the other runs has none of them.
    """
    others = dict(beside or {})
    for label, rows in others.items():
        _require_comparable(label, rows, against, list(chain(*panels.values())))
    figure = _figure(4.2 * len(panels), 3.2)
    for index, (label, names) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), index)
        for color, name in enumerate(names):
            axes.plot(*_course(history, against, name), marker=".", color=f"C{color}", label=name)
            for (other, rows), style in zip(others.items(), cycle(("--", ":", "-."))):
                if name in rows[0]:
                    course = _course(rows, against, name)
                    axes.plot(*course, style, color=f"C{color}", label=f"{name}, {other}")
        axes.set(xlabel=against.replace("_", " "), ylabel=label)
        if against == "epoch":
            axes.xaxis.get_major_locator().set_params(integer=True)
        else:
            axes.set_xscale("log")
        # Out of the layout: labels of long paths would leave the curves no room.
        axes.legend(fontsize="small").set_in_layout(False)
    return _write(figure, path)


def _course(rows: Sequence[Mapping[str, float]], *names: str) -> list[list[float]]:
    return [[row[name] for row in rows] for name in names]


def _require_comparable(
    label: str, rows: Sequence[Mapping[str, float]], against: str, names: Sequence[str]
) -> None:
    """Refuse another run that has nothing to be drawn."""
    if not rows or against not in rows[0] or not any(name in rows[0] for name in names):
        raise OptionError(
            f"{label} has no metrics to be drawn beside this run, {against} and one of "
            f"{', '.join(names)}; name the --out folder of a run of this script"
        )


def band(
    path: Path, runs: Sequence[Sequence[Mapping[str, float]]], name: str, *, title: str = ""
) -> Path:
    """Draw one metric of several runs: each thin, their mean, and its 95 % confidence band.

    The band is Student's interval for the mean, at each epoch by itself; one run has none.

    Parameters
    ----------
    path : Path
        A PNG file.
    runs : sequence of histories
        As the runner keeps them; they are drawn as far as the shortest goes.
    name : str
        Of the metric.
    title : str
        Above the picture.

    Returns
    -------
    Path
        `path`.
    """
    length = min(map(len, runs))
    values = np.array([[row[name] for row in run[:length]] for run in runs])
    epochs, mean = np.arange(1, length + 1), values.mean(axis=0)
    figure = _figure(5.2, 3.4)
    axes = figure.add_subplot()
    if len(runs) > 1:
        axes.fill_between(epochs, mean - _half_width(values), mean + _half_width(values),
                          alpha=0.25, linewidth=0, label="95 % confidence")  # fmt: skip
    axes.plot(epochs, values.T, color="0.6", linewidth=0.6)
    axes.plot(epochs, mean, marker=".", label=f"mean of {len(runs)}")
    axes.set(xlabel="epoch", ylabel=name, title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    return _write(figure, path)


def _half_width(values: Array) -> Array:
    """Return how far the 95 % confidence interval of the mean over axis 0 goes, to each side."""
    count = len(values)
    error = values.std(axis=0, ddof=1) / np.sqrt(count)
    return np.asarray(sp.stdtrit(count - 1, 0.975) * error)


def calibration(
    path: Path, sure: Array, right: Array, *, bins: int = 10, title: str = ""
) -> Path:  # fmt: skip
    """Draw how often predictions are right against how sure they are, and write the picture.

    Parameters
    ----------
    path : Path
        A PNG file.
    sure : ndarray, shape (n,)
        The probability given to what was predicted.
    right : ndarray, shape (n,)
        Whether it was so.
    bins : int
        Equally many predictions go into each.
    title : str
        Above the picture.

    Returns
    -------
    Path
        `path`.
    """
    parts = np.array_split(np.argsort(sure, kind="stable"), min(bins, len(sure)))
    said, found = (np.array([values[part].mean() for part in parts]) for values in (sure, right))
    figure = _figure(4.2, 3.8)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    axes.plot(said, found, marker="o", label=f"{len(parts)} equal parts")
    low = min(said.min(), found.min()) - 0.02
    axes.set(xlim=(low, 1.01), ylim=(low, 1.01), title=title,
             xlabel="probability of the predicted class", ylabel="share that is right")  # fmt: skip
    axes.legend()
    return _write(figure, path)


def plane(path: Path, points: Array, labels: Array | None = None, *, title: str = "") -> Path:
    """Draw points in the plane of their two principal components, and write the picture.

    Parameters
    ----------
    path : Path
        A PNG file.
    points : ndarray, shape (n, d)
        d is at least 2.
    labels : ndarray of int, shape (n,), optional
        Each has a colour.
    title : str
        Above the picture.

    Returns
    -------
    Path
        `path`.
    """
    centred = points - points.mean(axis=0)
    *_, directions = np.linalg.svd(centred, full_matrices=False)
    x, y = directions[:2] @ centred.T
    figure = _figure(5.0, 4.2)
    axes = figure.add_subplot()
    dots = axes.scatter(x, y, c=labels, s=8, cmap="tab10")
    axes.set(xlabel="first principal component", ylabel="second", title=title)
    if labels is not None:
        axes.legend(*dots.legend_elements(num=None), fontsize="small", loc="best")
    return _write(figure, path)


def film(path: Path, frames: Sequence[Array], *, milliseconds: int = 20) -> Path:
    """Write pictures as a GIF that shows one after the other.

    Parameters
    ----------
    path : Path
        A GIF file.
    frames : sequence of ndarray, shape (height, width, 3)
        uint8.
    milliseconds : int
        How long each is shown.

    Returns
    -------
    Path
        `path`.
    """
    from PIL import Image  # comes with matplotlib

    first, *others = [Image.fromarray(frame) for frame in frames]
    with replacing(path) as file:
        first.save(file, format="GIF", save_all=True, append_images=others,
                   duration=milliseconds, loop=0)  # fmt: skip
    return path

"""Pictures of what was built and decided: `scg.render`, `scg.to_graphviz`."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scg._files import replacing
from scg._tensor import Tensor
from scg.errors import OptionError, PictureWarning
from scg.inspect._dot import to_dot
from scg.inspect._draw import ONLY, drawing_of

if TYPE_CHECKING:
    import graphviz

__all__ = ["Picture", "render", "to_graphviz"]

FORMATS = ("svg", "png", "pdf", "dot")
REMEDY = "install Graphviz, whose program dot draws"


class Picture:
    """A picture of a graph; Jupyter shows it.

    Attributes
    ----------
    source : str
        In the language of Graphviz.

    Examples
    --------
    >>> import scg
    >>> p = scg.parameter(0.3)
    >>> b = scg.Bernoulli(p).sample(name="b")
    >>> "discrete" in scg.render((b - 0.45) ** 2).source
    True
    """

    def __init__(self, dot: graphviz.Digraph) -> None:
        self._dot = dot
        self.source: str = dot.source

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture into a file, in the format that its suffix names.

        Parameters
        ----------
        path : path_like
            Ends in .svg, .png, .pdf or .dot.

        Returns
        -------
        Path
            What was written: `path`, or the source beside it if there is no program to draw it.

        Raises
        ------
        OptionError
            If the suffix is unknown, the folder is missing, or the file cannot be written.
        """
        target, form = _target(path)
        if form != "dot" and not _can_draw():
            written = _write(target.with_suffix(".dot"), self.source.encode())
            warnings.warn(
                f"the program dot was not found, so the picture was written as its source, "
                f"{written}: {REMEDY}, then run dot -T{form} {written} -o {target}",
                PictureWarning, stacklevel=_outside(),
            )  # fmt: skip
            return written
        return _write(target, self.source.encode() if form == "dot" else self._drawn(form))

    def _drawn(self, form: str) -> bytes:
        import graphviz

        try:
            drawn: bytes = self._dot.pipe(format=form, quiet=True)
        except graphviz.CalledProcessError as error:
            said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
            raise OptionError(
                f"the program dot could not draw this graph as {form} ({said[0] if said else error}"
                "); write it as .dot, or choose another format"
            ) from error
        return drawn

    def _repr_svg_(self) -> str | None:
        """Return what Jupyter shows; without the program dot it shows the text below."""
        return self._drawn("svg").decode() if _can_draw() else None

    def __repr__(self) -> str:
        lines = self.source.count("\n") + 1
        hint = "" if _can_draw() else f"; to see it, {REMEDY}"
        return f"Picture({lines} lines of source{hint})"


def _can_draw() -> bool:
    return shutil.which("dot") is not None


def _outside() -> int:
    """Return how many frames up the user's line is: a picture may be saved by `render`."""
    import sys

    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        frame, level = frame.f_back, level + 1
    return level


def _target(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """Return a file to write and its format."""
    target = Path(path)
    form = {"gv": "dot"}.get(target.suffix[1:].lower(), target.suffix[1:].lower())
    if form not in FORMATS:
        raise OptionError(
            f"scg.render: {str(target)!r} has the suffix {target.suffix!r}; the formats are "
            f"{', '.join('.' + f for f in FORMATS)}"
        )
    if not target.parent.is_dir():
        raise OptionError(
            f"scg.render: the folder {str(target.parent)!r} of {target.name!r} does not exist; "
            "make it first, or choose another place"
        )
    return target, form


def _write(target: Path, content: bytes) -> Path:
    try:
        with replacing(target) as file:
            file.write(content)
    except OSError as error:
        raise OptionError(
            f"scg.render: {str(target)!r} cannot be written ({error.strerror or error}); choose "
            "another place"
        ) from error
    return target


def render(
    loss: Tensor, path: str | os.PathLike[str] | None = None, *, depth: int | None = 1,
    only: str | None = None,
) -> Picture:  # fmt: skip
    """Draw what was built, which estimator each draw got, and why.

    Squares are deterministic, circles are draws, diamonds are costs, bare symbols are parameters
    and constants. Solid edges lead through values, dashed ones through what Python read; a red
    edge is the step for which a draw had to be scored. docs/pictures.md explains the rest.

    Parameters
    ----------
    loss : Tensor
        A loss, before or after its backward, or a surrogate from `scg.surrogate`.
    path : path_like, optional
        Where to write it: .svg, .png, .pdf or .dot. Without it the picture is only returned,
        which shows it in Jupyter.
    depth : int or None
        How many levels of modules are opened. At 0 deterministic nodes are left out. None draws
        every operation by itself, and nothing that happened many times as one.
    only : {"draws", "costs", "surrogate"}, optional
        The draws and what they depend on; the draws and costs, with the route of the one into the
        other; or which cost is multiplied with which log-probability.

    Returns
    -------
    Picture

    Raises
    ------
    OptionError
        If an option is unknown, the suffix is, the folder is missing or cannot be written; if the
        tensor depends on nothing; or if the picture would be too large to read.

    Warns
    -----
    PictureWarning
        If the program `dot` is not found. The source is then written instead.

    Notes
    -----
    Nothing is changed, and nothing is decided here: the picture shows what `backward` decides.
    Source of the notation: Schulman et al. (2015), arXiv 1506.05254.

    Examples
    --------
    >>> import scg
    >>> mu = scg.parameter(0.5, name="mu")
    >>> x = scg.Normal(mu, 1.0).sample(name="x")
    >>> picture = scg.render(x * x + 2.0 * (x > 0))
    >>> [word in picture.source for word in ("pathwise", "score", "jumps")]
    [True, True, True]
    """
    if path is not None:
        _target(path)  # a wrong name is found before the work
    picture = Picture(to_graphviz(loss, depth=depth, only=only))
    if path is not None:
        picture.save(path)
    return picture


def to_graphviz(loss: Tensor, *, depth: int | None = 1, only: str | None = None) -> Any:
    """Return the picture of a loss as a `graphviz.Digraph`, to be changed or drawn by oneself.

    Parameters
    ----------
    loss : Tensor
    depth, only
        As in `scg.render`.

    Returns
    -------
    graphviz.Digraph

    Raises
    ------
    OptionError
        As in `scg.render`.

    Examples
    --------
    >>> import scg
    >>> mu = scg.parameter(0.5, name="mu")
    >>> scg.to_graphviz(scg.Normal(mu, 1.0).sample() ** 2).directed
    True
    """
    if not isinstance(loss, Tensor):
        raise OptionError(f"scg.render draws a loss, a Tensor, not {type(loss).__name__}")
    if only is not None and only not in ONLY:
        raise OptionError(f"scg.render: only={only!r} is not one of {', '.join(ONLY)}")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
        raise OptionError(f"scg.render: depth={depth!r} is neither None nor a whole number from 0")
    return to_dot(drawing_of(loss, depth, only))

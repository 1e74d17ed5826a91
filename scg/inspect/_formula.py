r"""The surrogate as a formula: as text and as LaTeX.

A box is that of Foerster et al. 2018: `box(b) = exp(log p(b) - stop(log p(b)))` has the value 1,
and its derivative is that of the log-probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scg._tensor import Tensor
from scg.inspect._expressions import Expressions
from scg.inspect._groups import Group, Groups
from scg.inspect._labels import items_of, symbol_of, weight_of
from scg.inspect._meetings import Meeting, meetings
from scg.inspect._picture import Item
from scg.inspect._scene import scene_of

__all__ = ["Formula", "formula"]

INDICES = "ijklmn"


@dataclass(frozen=True, slots=True)
class Formula:
    """A surrogate loss, written out.

    `str()` gives it as text; Jupyter shows the LaTeX.

    Attributes
    ----------
    text : str
        The sum, and below it what its symbols stand for.
    latex : str
        The same, without the dollars around it.

    Examples
    --------
    >>> import scg
    >>> p = scg.parameter(0.3)
    >>> b = scg.Bernoulli(p).sample(name="b")
    >>> print(scg.formula(0.5 * (b - 0.45) ** 2).text.splitlines()[0])
    surrogate = 0.5 c1 box(b)
    """

    text: str
    latex: str

    def __str__(self) -> str:
        return self.text

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


def formula(loss: Tensor) -> Formula:
    """Write the surrogate of a loss as a formula.

    Its ordinary derivative is the estimate that backward gives; see `scg.surrogate`.

    Parameters
    ----------
    loss : Tensor
        A loss, before or after its backward, or a surrogate.

    Returns
    -------
    Formula

    Raises
    ------
    OptionError
        If it does not depend on any parameter or draw.

    Notes
    -----
    Nothing is changed. A draw that is differentiated through stands in no box: its value is a
    function of the parameters. Repeated draws and costs of one line stand as `b[t]` and `c[t]`.
    Source: Foerster et al. (2018), "DiCE", arXiv 1802.05098.

    Examples
    --------
    >>> import scg
    >>> mu = scg.parameter([0.0, 0.5])
    >>> z = scg.Normal(mu, 1.0).sample()
    >>> b = scg.Bernoulli(logits=z).sample()
    >>> print(scg.formula((b * z).sum()).text.splitlines()[0])
    surrogate = sum_i c1[i] box(b[i])
    """
    groups = Groups(scene_of(loss), Expressions(), depth=1)
    items, _ = items_of(groups)
    terms = list(_terms(groups, items))
    return Formula(_as_text(terms), _as_latex(terms))


@dataclass(frozen=True, slots=True)
class _Box:
    """The box of a draw: its name, the indices of its elements, and of the loop's turns."""

    name: str
    index: str
    elements: tuple[str, ...]
    turns: str


@dataclass(frozen=True, slots=True)
class _Term:
    """What one cost, or all costs of one line, add to the surrogate."""

    symbol: str
    weight: str
    axes: tuple[str, ...]
    turns: int
    boxes: tuple[_Box, ...]
    meaning: str
    pathwise: tuple[str, ...]


def _terms(groups: Groups, items: dict[Group, Item]) -> Iterator[_Term]:
    found = list(meetings(groups))
    costs = [group for group in groups if group.kind == "cost"][::-1]
    for group in costs:
        met = [m for m in found if m.cost is group]
        axes = tuple(INDICES[: len(group.newest.shape)])
        boxes = tuple(_box(m, items[m.draw], axes) for m in met if m.route != "pathwise")
        names = tuple(_named(items[m.draw]) for m in met if m.route == "pathwise")
        weight = weight_of(group, groups.scene)
        symbol = symbol_of(group, groups.scene)
        yield _Term(symbol, weight, axes, group.count, boxes, items[group].title, names)


def _named(item: Item) -> str:
    return f"{item.title}_{item.index}" if item.index else item.title


def _box(meeting: Meeting, item: Item, axes: Sequence[str]) -> _Box:
    elements = tuple(
        ":" if a is None else _place(axes[a.axis], a.start, a.step) for a in meeting.axes
    )
    turns = ""
    if meeting.draw.count > 1:
        later = {"": "all s", "costs made later": "s <= t"}
        turns = later.get(meeting.words, meeting.words)
    return _Box(item.title, item.index, elements, turns)


def _place(index: str, start: int, step: int) -> str:
    """Return the index of a draw's element that reaches element `index` of a cost."""
    scaled = index if step == 1 else f"-{index}" if step == -1 else f"{step}{index}"
    return scaled if start == 0 else f"{start}{scaled}" if step < 0 else f"{scaled}+{start}"


# --- text -----------------------------------------------------------------------------------------


def _as_text(terms: Sequence[_Term]) -> str:
    lines = ["surrogate = " + "\n          + ".join(_term_text(term) for term in terms)]
    lines += [f"  {_symbol(term)} = {term.meaning}" for term in terms]
    names = sorted({name for term in terms for name in term.pathwise})
    if names:
        lines.append(f"  {', '.join(names)}: differentiated through")
    if any(term.boxes for term in terms):
        lines.append("  box(x) = exp(log p(x) - stop(log p(x))), which is 1")
    return "\n".join(lines)


def _symbol(term: _Term) -> str:
    return "c[t]" if term.turns > 1 else term.symbol


def _term_text(term: _Term) -> str:
    weight = "" if term.weight == "1" else f"{_number(term.weight)} "
    axes = ", ".join(term.axes)
    over = ", ".join(filter(None, (f"t={term.symbol}" if term.turns > 1 else "", axes)))
    total = f"sum_{over} " if over else ""
    index = f"[{axes}]" if axes else ""
    boxes = "".join(f" {_box_text(box)}" for box in term.boxes)
    return f"{total}{weight}{_symbol(term)}{index}{boxes}"


def _number(weight: str) -> str:
    return f"({weight})" if " " in weight or weight.startswith("-") else weight


def _box_text(box: _Box) -> str:
    name = f"{box.name}_{box.index}" if box.index else box.name
    inside = ", ".join((["s"] if box.turns else []) + list(box.elements))
    over = f" for {box.turns}" if box.turns else ""
    return f"box({name}{f'[{inside}]' if inside else ''}{over})"


# --- LaTeX ----------------------------------------------------------------------------------------

_ESCAPES = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "_": r"\_", "#": r"\#", "%": r"\%", "&": r"\&",
    "$": r"\$", "^": r"\wedge ", "~": r"\sim ", "<": r"\lt ", ">": r"\gt ", " ": r"\ ",
}  # fmt: skip


def _as_latex(terms: Sequence[_Term]) -> str:
    rows = [r"S &= " + r" \\ &\quad + ".join(_term_latex(term) for term in terms)]
    rows += [f"{_symbol_latex(term)} &= {_code(term.meaning)}" for term in terms]
    if any(term.boxes for term in terms):
        rows.append(r"\boxdot(x) &= \exp(\log p(x) - \operatorname{stop}(\log p(x)))")
    return r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}"


def _code(text: str) -> str:
    return r"\mathtt{" + "".join(_ESCAPES.get(c, c) for c in text) + "}"


def _name(text: str) -> str:
    return text if len(text) == 1 and text.isalpha() else _code(text)


def _symbol_latex(term: _Term) -> str:
    return "c_t" if term.turns > 1 else f"c_{{{term.symbol.removeprefix('c')}}}"


def _term_latex(term: _Term) -> str:
    weight = "" if term.weight == "1" else _number(term.weight).replace(" to ", r"\ldots ") + r"\, "
    turns = term.symbol.replace("…", r"\ldots")
    under = [rf"t \in \{{{turns}\}}"] if term.turns > 1 else []
    total = rf"\sum_{{{', '.join([*under, *term.axes])}}} " if under or term.axes else ""
    symbol = "c_{t" if term.turns > 1 else f"c_{{{term.symbol.removeprefix('c')}"
    index = f", {' '.join(term.axes)}" if term.axes else ""
    boxes = "".join(rf"\, {_box_latex(box)}" for box in term.boxes)
    return f"{total}{weight}{symbol}{index}}}{boxes}"


def _box_latex(box: _Box) -> str:
    inside = ([box.index] if box.index else []) + (["s"] if box.turns else [])
    index = ", ".join([*inside, *(e.replace(":", r"\cdot") for e in box.elements)])
    name = _name(box.name) + (f"_{{{index}}}" if index else "")
    if not box.turns:
        return rf"\boxdot({name})"
    over = {"all s": "s", "s <= t": r"s \le t"}.get(box.turns, "s")
    return rf"\boxdot\Bigl(\prod_{{{over}}} {name}\Bigr)"

r"""The surrogate as a formula: as text and as LaTeX.

A box is that of Foerster et al. 2018: `box(b) = exp(log p(b) - stop(log p(b)))` has the value 1,
and its derivative is that of the log-probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scg._tensor import Tensor
from scg.errors import OptionError
from scg.inspect._expressions import Expressions
from scg.inspect._groups import Group, Groups
from scg.inspect._labels import items_of, weight_of
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
        If it is no tensor, or does not depend on any parameter or draw.

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
    if not isinstance(loss, Tensor):
        raise OptionError(f"scg.formula takes a loss, not {type(loss).__name__}")
    groups = Groups(scene_of(loss), Expressions(), depth=1)
    items, _ = items_of(groups)
    terms = list(_terms(groups, items))
    return Formula(_as_text(terms), _as_latex(terms))


@dataclass(frozen=True, slots=True)
class _Box:
    """The box of a draw: its name, the indices of its elements, and of the loop's turns."""

    name: str
    number: str
    elements: tuple[str, ...] = ()
    turns: str = ""
    baseline: str = ""
    enumerated: bool = False

    @property
    def word(self) -> str:
        """What a cost is multiplied by: a box, or the weight of one outcome of all."""
        return "weight" if self.enumerated else "box"


@dataclass(frozen=True, slots=True)
class _Term:
    """What one cost, or all costs of one line, add to the surrogate.

    `first` and `last` are the numbers of those costs, `weight` is empty if it is 1.
    """

    first: int
    last: int
    weight: str
    axes: tuple[str, ...]
    boxes: tuple[_Box, ...]
    meaning: str
    pathwise: tuple[str, ...]

    @property
    def many(self) -> bool:
        """Whether it stands for several costs."""
        return self.last > self.first


def _terms(groups: Groups, items: dict[Group, Item]) -> Iterator[_Term]:
    found, scene = list(meetings(groups)), groups.scene
    for group in [group for group in groups if group.kind == "cost"][::-1]:
        met = [m for m in found if m.cost is group]
        axes = tuple(INDICES[: len(group.newest.shape)])
        boxes = tuple(_box(m, groups, items, axes) for m in met if m.route != "pathwise")
        names = tuple(_named(items[m.draw]) for m in met if m.route == "pathwise")
        weight = weight_of(group, scene).replace(" to ", " … ")
        numbers = scene.numbers.of(n for point in group.members for n in scene.costs[point])
        yield _Term(
            numbers[0], numbers[-1], "" if weight == "1" else weight, axes, boxes,
            items[group].title, names,
        )  # fmt: skip


def _named(item: Item) -> str:
    return f"{item.title}_{item.index}" if item.index else item.title


def _box(meeting: Meeting, groups: Groups, items: dict[Group, Item], axes: Sequence[str]) -> _Box:
    elements = tuple(
        ":" if a is None else _place(axes[a.axis], a.start, a.step) for a in meeting.axes
    )
    turns = ""
    if meeting.draw.count > 1:
        known = {"": "all s", "costs made later": "s <= t", "each its own": "s = t"}
        turns = known.get(meeting.words, meeting.words)
    item, baseline = items[meeting.draw], groups.record(meeting.draw.newest).baseline
    return _Box(
        item.title, item.index, elements, turns, "" if baseline == "none" else baseline,
        meeting.route == "enumerate",
    )  # fmt: skip


def _place(index: str, start: int, step: int) -> str:
    """Return the index of a draw's element that reaches element `index` of a cost."""
    scaled = index if step == 1 else f"-{index}" if step == -1 else f"{step}{index}"
    return scaled if start == 0 else f"{start}{scaled}" if step < 0 else f"{scaled}+{start}"


def _baselined(terms: Sequence[_Term]) -> dict[str, _Box]:
    """Return the draws with baselines."""
    return {f"{b.name}_{b.number}": b for term in terms for b in term.boxes if b.baseline}


# --- text -----------------------------------------------------------------------------------------


def _as_text(terms: Sequence[_Term]) -> str:
    parts = [_term_text(term) for term in terms]
    parts += [f"sum (1 - box({_plain(b)})) baseline" for b in _baselined(terms).values()]
    lines = ["surrogate = " + "\n          + ".join(parts)]
    lines += [f"  {_symbol(term)} = {term.meaning}" for term in terms]
    lines += [f"  baseline of {_plain(b)}: {b.baseline}" for b in _baselined(terms).values()]
    names = sorted({name for term in terms for name in term.pathwise})
    if names:
        lines.append(f"  {', '.join(names)}: differentiated through")
    lines += [f"  {_MEANINGS[word]}" for word in _words(terms)]
    return "\n".join(lines)


_MEANINGS = {
    "box": "box(x) = exp(log p(x) - stop(log p(x))), which is 1",
    "weight": "weight(x) = p(x) times the number of outcomes",
}


def _words(terms: Sequence[_Term]) -> list[str]:
    return sorted({box.word for term in terms for box in term.boxes})


def _plain(box: _Box) -> str:
    return f"{box.name}_{box.number}" if box.number else box.name


def _symbol(term: _Term) -> str:
    return "c[t]" if term.many else f"c{term.first}"


def _term_text(term: _Term) -> str:
    over = ", ".join([*([f"t={term.first}..{term.last}"] if term.many else []), *term.axes])
    total = f"sum_{{{over}}} " if len(over) > 1 else f"sum_{over} " if over else ""
    weight = f"{_number(term.weight)} " if term.weight else ""
    index = ", ".join([*(["t"] if term.many else []), *term.axes])
    symbol = ("c" if term.many else f"c{term.first}") + (f"[{index}]" if index else "")
    return f"{total}{weight}{symbol}" + "".join(f" {_box_text(box)}" for box in term.boxes)


def _number(weight: str) -> str:
    return f"({weight})" if " " in weight or weight.startswith("-") else weight


def _box_text(box: _Box) -> str:
    turn = "" if not box.turns else "t" if box.turns == "s = t" else "s"
    inside = ", ".join(([turn] if turn else []) + list(box.elements))
    over = f" for {box.turns}" if turn == "s" else ""
    return f"{box.word}({_plain(box)}{f'[{inside}]' if inside else ''}{over})"


# --- LaTeX ----------------------------------------------------------------------------------------

_ESCAPES = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "_": r"\_", "#": r"\#", "%": r"\%", "&": r"\&",
    "$": r"\$", "^": r"\wedge ", "~": r"\sim ", "<": r"\lt ", ">": r"\gt ", " ": r"\ ",
}  # fmt: skip


def _as_latex(terms: Sequence[_Term]) -> str:
    parts = [_term_latex(term) for term in terms]
    parts += [rf"\sum \bigl(1 - \boxdot({_named_latex(b)})\bigr)\, B_{{{_name(b.name)}}}"
              for b in _baselined(terms).values()]  # fmt: skip
    rows = [r"S &= " + r" \\ &\quad + ".join(parts)]
    rows += [f"{_symbol_latex(term)} &= {_code(term.meaning)}" for term in terms]
    rows += [_MEANINGS_LATEX[word] for word in _words(terms)]
    return r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}"


_SYMBOLS = {"box": r"\boxdot", "weight": r"\operatorname{weight}"}
_MEANINGS_LATEX = {
    "box": r"\boxdot(x) &= \exp(\log p(x) - \operatorname{stop}(\log p(x)))",
    "weight": r"\operatorname{weight}(x) &= p(x) \cdot \#\text{outcomes}",
}


def _code(text: str) -> str:
    return r"\mathtt{" + "".join(_ESCAPES.get(c, c) for c in text) + "}"


def _name(text: str) -> str:
    return text if len(text) == 1 and text.isalpha() else _code(text)


def _symbol_latex(term: _Term, index: str = "") -> str:
    return f"c_{{{'t' if term.many else term.first}{index}}}"


def _term_latex(term: _Term) -> str:
    weight = rf"{_number(term.weight)}\, ".replace("…", r"\ldots") if term.weight else ""
    turns = rf"\sum_{{t={term.first}}}^{{{term.last}}} " if term.many else ""
    elements = rf"\sum_{{{', '.join(term.axes)}}} " if term.axes else ""
    index = f", {' '.join(term.axes)}" if term.axes else ""
    boxes = "".join(rf"\, {_box_latex(box)}" for box in term.boxes)
    return f"{turns}{elements}{weight}{_symbol_latex(term, index)}{boxes}"


def _named_latex(box: _Box, *, turn: str = "", elements: Sequence[str] = ()) -> str:
    parts = [x for x in (box.number, turn, *elements) if x]
    index = ", ".join(part.replace(":", r"\cdot") for part in parts)
    return _name(box.name) + (f"_{{{index}}}" if index else "")


def _box_latex(box: _Box) -> str:
    symbol = _SYMBOLS[box.word]
    if box.turns == "s = t":
        return rf"{symbol}({_named_latex(box, turn='t', elements=box.elements)})"
    if not box.turns:
        return rf"{symbol}({_named_latex(box, elements=box.elements)})"
    over = {"s <= t": r"s \le t"}.get(box.turns, "s")
    name = _named_latex(box, turn="s", elements=box.elements)
    return rf"\prod_{{{over}}} {symbol}({name})"

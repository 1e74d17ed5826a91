"""Decisions in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from scg._axes import Along, AxisMap
from scg._smoothness import Passage
from scg._surrogate.analysis import Cause, Route
from scg._surrogate.refusals import route_of
from scg._tensor import Tensor

__all__ = [
    "axes_in_words", "baseline_in_words", "cause_in_words", "coefficient_in_words", "counted",
    "extremes", "in_ranges", "into_costs", "named_first_to_last", "numbers_in_words",
    "reason_in_words", "short", "short_in", "times",
]  # fmt: skip

_STEPS = {
    Passage.FLAT: "jumps, where only discrete draws move it",
    Passage.DETACHED: "cuts the derivative",
    Passage.READ: "took the raw value out of the graph",
    Passage.JUMP: "jumps",
    Passage.POLE: "has a pole that noise can cross",
    Passage.SUPPORT: "moves the support of a draw that is scored",
    Passage.OPAQUE: "hides how its output depends on its input",
}


def axes_in_words(axes: AxisMap) -> str:
    """Say which axes of a draw the costs keep: `axis 0 kept, axis 1 mixed`."""
    if not axes:
        return "no axes"
    if not any(axes):
        return "mixed"
    return ", ".join(_axis(number, along) for number, along in enumerate(axes))


def _axis(number: int, along: Along | None) -> str:
    if along is None:
        return f"axis {number} mixed"
    place = f" as axis {along.axis}" if along.axis != number else ""
    shifted = (along.start, along.step) != (0, 1)
    sliced = f" from index {along.start} in steps of {along.step}" if shifted else ""
    return f"axis {number} kept{place}{sliced}"


def baseline_in_words(estimator: Any) -> str:
    """Say what an estimator subtracts from the weight of a score."""
    if not hasattr(estimator, "baseline_of"):
        return "none"
    given = getattr(estimator, "baseline", estimator)
    if given is None:
        return "none"
    if isinstance(given, Tensor):
        return f"tensor of shape {given.shape}"
    if isinstance(given, int | float | np.ndarray | np.generic):
        return coefficient_in_words(np.asarray(given))
    return getattr(given, "__name__", type(given).__name__)


def cause_in_words(cause: Cause | None) -> str:
    """Say which operation or raw read stands in the way of derivatives, and where."""
    if cause is None:
        return ""
    if cause.escape is not None:
        return f"{cause.escape.kind}() at {cause.escape.place} {_STEPS[Passage.READ]}"
    return f"'{cause.node.name}' at {cause.node.place} {_STEPS.get(cause.passage, 'bends')}"


def coefficient_in_words(values: Any) -> str:
    """Show an array by its one value, or by its range."""
    array = np.asarray(values)
    return extremes([float(np.min(array)), float(np.max(array))]) if array.size else "none"


def numbers_in_words(numbers: Sequence[int]) -> str:
    """Name costs by their numbers: `c1, c3`, or `500 costs` if they are many.

    Examples
    --------
    >>> numbers_in_words([1, 3]), numbers_in_words([4, 5, 6, 7]), numbers_in_words([1, 3, 5, 7])
    ('c1, c3', 'c4 … c7', '4 costs')
    """
    if len(numbers) <= 3:
        return ", ".join(f"c{n}" for n in numbers)
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"c{numbers[0]} … c{numbers[-1]}"
    return f"{len(numbers)} costs"


def reason_in_words(name: str, route: Route, step: str) -> str:
    """Say why a draw got a route; `step` names what stands in the way of derivatives."""
    site = route.site
    if name == "pathwise":
        return "asked for" if route_of(site) == "pathwise" else "smooth all the way"
    if name == "enumerate":
        return "every outcome, by its probability"
    if site.pathwise:
        return f"{step or 'a step'} {_STEPS.get(_passage(route.cause), 'bends')}"
    if site.estimator == "score":
        return "asked for"
    if route_of(site) == "score":
        return f"asked for: {type(site.estimator).__name__}"
    continuous = getattr(site.distribution, "continuous", False)
    return "it has no differentiable sampler" if continuous else "its values are discrete"


def _passage(cause: Cause | None) -> Passage:
    if cause is None:
        return Passage.FLAT
    return Passage.READ if cause.escape is not None else cause.passage


# --- what is many ------------------------------------------------------------------------------


def counted(number: int, what: str) -> str:
    """Say how many things: `1 draw`, `2 draws`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def times(count: int, what: str) -> str:
    """Say how many things a row stands for, if more than one: `, 50 draws`."""
    return f", {count} {what}" if count > 1 else ""


def named_first_to_last(names: Sequence[str]) -> str:
    """Name things in a row: by their one name, or by the first and the last."""
    return names[0] if len(set(names)) == 1 else f"{names[0]} ... {names[-1]}"


def extremes(numbers: Sequence[float]) -> str:
    """Show numbers by their one value, or by their range."""
    low, high = (
        f"{x:.4g}" if isinstance(x, float) else str(x) for x in (min(numbers), max(numbers))
    )
    return low if low == high else f"{low} to {high}"


def in_ranges(numbers: Sequence[int]) -> str:
    """Name costs by ascending numbers: `c1 to c3, c7`."""
    runs: list[list[int]] = []
    for n in dict.fromkeys(numbers):
        if runs and n == runs[-1][-1] + 1:
            runs[-1][1:] = [n]
        else:
            runs.append([n])
    joints = (" to " if run[-1] > run[0] + 1 else ", " for run in runs)
    return ", ".join(
        joint.join(f"c{n}" for n in run) for joint, run in zip(joints, runs, strict=True)
    )


def into_costs(numbers: Sequence[Sequence[int]], total: int) -> str:
    """Say into which of some costs things go, by their numbers where that is short."""
    distinct = set(map(tuple, numbers))
    if len(distinct) > 1:
        return f"into {extremes([len(n) for n in numbers])} of {total} costs"
    (only,) = distinct
    if len(only) == total:
        return "into the cost" if total == 1 else f"into all {total} costs"
    named = in_ranges(only)
    if not named:
        return ""
    if named.count(",") > 3:
        return f"into {len(only)} of {total} costs"
    return f"into {named}"


def short(place: str) -> str:
    """Return a place without the folder."""
    return PurePath(place).name if place else ""


def short_in(text: str) -> str:
    """Shorten the places in a text."""
    return " ".join(PurePath(word).name if word.startswith("/") else word for word in text.split())

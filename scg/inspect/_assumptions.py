"""What a gradient rests on without proof, as far as a graph shows it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from scg._op import OPS, Op
from scg._run import Draw, Run, current_run
from scg._smoothness import KINK, SMOOTH
from scg._surrogate.analysis import Route
from scg._surrogate.linear import sign
from scg.inspect._averages import bent_means
from scg.inspect._decisions import Decided
from scg.inspect._graph import sites_of
from scg.inspect._records import Assumption
from scg.tape import HANDMADE, HELD, TRAINABLE, Node

__all__ = ["assumptions"]


def assumptions(loss: Node | None, nodes: Sequence[Node], decided: Decided) -> list[Assumption]:
    """Return the assumptions behind a loss, oldest first, each once."""
    found = [*_of_runs(nodes)]
    for node in reversed(nodes):
        found += _of_op(node)
    found += _of_draws(nodes, decided.routes)
    found += _of_signs(decided)
    if loss is not None:
        found += _of_loss(loss, nodes)
    return list(dict.fromkeys(found))


def _of_runs(nodes: Sequence[Node]) -> Iterator[Assumption]:
    runs: dict[Run, None] = {}
    for run in (*current_run().chain, *(run for node in nodes for run in node.runs)):
        runs.update(dict.fromkeys(run.chain))
    for run in runs:
        if run.peek is not None:
            yield Assumption("peek", "nothing is decided by a value that scg.peek showed",
                             str(run.peek))  # fmt: skip
        if run.noise_read is not None:
            yield Assumption(
                "raw noise", f"no parameter that was read raw before {run.noise_read.kind}() here, "
                "and no pole in a parameter, meets the number", str(run.noise_read.place),
            )  # fmt: skip
        if run.fresh:
            yield Assumption("episode(fresh=True)", "nothing read before the episode matters in it")


def _of_op(node: Node) -> Iterator[Assumption]:
    place, statics = str(node.place), node.statics
    if node.name == "detach" and node.flags & TRAINABLE:
        yield Assumption("detach", "the derivative that is cut here is not wanted", place)
    elif node.flags & HELD:
        yield Assumption("no_grad", "the derivative of what is computed here is not wanted", place)
    if statics.get("continuous"):
        yield Assumption("continuous=True", f"both sides of '{node.name}' agree where its "
                         "condition changes", place)  # fmt: skip
    if statics.get("stateless"):
        yield Assumption("scg.stateless", "the call remembers nothing of earlier ones", place)
    if node.name == "external" and statics.get("aligned") is not None:
        yield Assumption(
            "aligned=", f"element i of the answer depends on element i of the arguments alone, "
            f"along axis {statics['aligned']}", place,
        )  # fmt: skip
    yield from _of_custom_op(node, place)


def _of_custom_op(node: Node, place: str) -> Iterator[Assumption]:
    if node.op is None or _is_ours(node.op):
        return
    classes = node.op.smoothness(len(node.parents), node.statics)
    smooth = [c for c in classes if c in (SMOOTH, KINK)]
    if smooth:
        word = "smooth" if max(smooth) is SMOOTH else "continuous, with kinks"
        yield Assumption("custom op", f"'{node.name}' is {word}, and its vjp is right", place)
    if any(any(axes) for axes in _axis_maps(node)):
        yield Assumption("custom op", f"'{node.name}' keeps the axes that it declares", place)


def _is_ours(op: Op) -> bool:
    return OPS.get(op.name) is op or op.forward.__module__.partition(".")[0] == "scg"


def _axis_maps(node: Node) -> Sequence[Sequence[object]]:
    return [] if node.op is None else node.op.axes(node.shapes, node.shape, **node.statics)


def _of_draws(nodes: Sequence[Node], routes: Sequence[Route]) -> Iterator[Assumption]:
    yield from _of_shared_noise(nodes)
    for node in sites_of(nodes):
        if node.site.coupling is not None and node.site.coupling.within:
            yield Assumption("coupled noise", "each element of the draw has the right distribution",
                             str(node.site.draw.place))  # fmt: skip
    for route in routes:
        distribution = route.site.distribution
        if route.scored and type(distribution).__module__.partition(".")[0] != "scg":
            yield Assumption(
                "custom density", f"{distribution.describe()} draws from the density that its "
                "log_prob states", str(route.site.draw.place),
            )  # fmt: skip


def _of_shared_noise(nodes: Sequence[Node]) -> Iterator[Assumption]:
    """Tell of draws with one noise: where none is scored, their joint distribution is meant."""
    first: dict[Hashable, Draw] = {}
    for node in sites_of(nodes):
        coupling, draw = node.site.coupling, node.site.draw
        if coupling is not None and coupling.token is not None:
            known = first.setdefault(coupling.token, draw)
            if known is not draw:
                yield Assumption(
                    "coupled noise", f"the expectation over the noise that {known} and {draw} "
                    "share is meant, and not that over independent draws", str(draw.place),
                )  # fmt: skip


def _of_signs(decided: Decided) -> Iterator[Assumption]:
    """Tell of marked costs whose sign was given after more was read: by rule, that is free."""
    reads = sorted(escape.order for escape, _ in decided.escapes)
    newest: dict[Any, Node] = {}  # above an operand, what changes its sign last
    for key, operands in decided.parts.linear:
        node, above = key[0], newest.get(key)
        if node.name == "cost" and above is not None:
            after = bisect_right(reads, node.order)
            if after < len(reads) and reads[after] < above.order:
                yield Assumption(
                    "sign", "what was read after a cost was marked does not decide whether it is "
                    "added or subtracted", str(above.place),
                )  # fmt: skip
        for number, operand in enumerate(operands):
            signs = [node] if sign(node, number) < 0 else []
            signs += [n for n in (above, newest.get(operand)) if n is not None]
            if operand is not None and signs:
                newest[operand] = max(signs, key=lambda n: n.order)


def _of_loss(loss: Node, nodes: Sequence[Node]) -> Iterator[Assumption]:
    if loss.flags & HANDMADE:
        yield Assumption("surrogate by hand", "the score of a draw is in the loss already, and "
                         "backward() adds it again on purpose", str(loss.place))  # fmt: skip
    for mean, bend, site in bent_means(loss, nodes):
        yield Assumption(
            "sample axis", f"the expectation of '{bend.name}' of a {mean.name} over samples of "
            f"{site.draw.name or site.draw.distribution} is meant, not '{bend.name}' of an "
            "expectation", str(bend.place),
        )  # fmt: skip

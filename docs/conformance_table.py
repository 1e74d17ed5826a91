"""Write `docs/conformance.md`: what the conformance programs give, computed anew.

Run `python docs/conformance_table.py` from the root of the repository; it takes some minutes.
"""

from __future__ import annotations

import math
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import scg

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "programs")]

from conformance.catalogue import PROGRAMS  # noqa: E402
from conformance.orders import FLAGGED, KINKS  # noqa: E402
from conformance.peers import PEERS, Peer  # noqa: E402
from conformance.pending import PENDING  # noqa: E402
from conformance.program import Program, flat, routes, score_everywhere  # noqa: E402
from conformance.refusals import REFUSALS, Refusal  # noqa: E402
from corpus import corpus, truth  # noqa: E402
from faults import FAULTS, programs_until_found  # noqa: E402
from features import FEATURES, features  # noqa: E402

PAGE = ROOT / "docs" / "conformance.md"
SECTIONS = {
    "A": "The motifs of Schulman et al. (2015)",
    "S": "Programs that the semantics name",
    "B": "Smoothness and control",
    "C": "Support, parameters, draws",
    "D": "Order and objective",
    "E": "Variances with known answers",
}

INTRODUCTION = """\
# Conformance

Programs whose gradients must come out right, and what comes out. Each is written as a user writes
it and lives in `tests/conformance/`; the tests vary its parameters, this page shows one choice.

- **truth** is the derivative of the exact expectation in plain NumPy and SciPy (closed form,
  enumeration or quadrature) by complex step. Nothing of `scg` takes part.
- **scg** is the exact expectation of the gradient that `scg.grad(loss, parameters)` returns, over
  all outcomes of the draws, and not an average of samples. **error** bounds the difference.
- **routes** is what `scg.audit(loss)` reports of each draw.
- **variance** is the exact variance of one gradient, summed over the parameters. Where it is marked
  with a star, the tests hold it against the variance of the pruned estimator written by hand.
  **everywhere** is the variance of the score function for every draw, weighted by the whole loss;
  a dash means that a draw has no score, that the program reads the outside world more than a score
  can follow, that the estimator brings an axis of its own, or that the row is about a Hessian.

This page is written by `python docs/conformance_table.py`.
"""

OTHERS = """\
## Where others are silently wrong

Small programs on which released libraries return a wrong gradient, without an error. Their figures
were measured with their released code on a CPU, with 20,000 to 200,000 samples: GenJAX at commit
b8a6b95 (March 2026, JAX 0.7.2) through `Expectation.grad_estimate`, GenJAX 0.10.3 (JAX 0.5.3),
NumPyro 0.22.0, TensorFlow Probability's JAX substrate 0.25.0, Distrax 0.1.9. Where the measurement
gives the truth but not the model, ours is one with that truth. `x ~ N(0.3, 1)` unless stated.
"""

ORDERS = """\
Of a Hessian, **scg** is the exact expectation of what differentiating
`scg.grad(..., create_graph=True)` gives, and **truth** is known to 1e-9. A kink that noise crosses
is good for one derivative, and a second one is refused: {kinks}. Functions of an expectation are
differentiated as they are written, and the audit asks whether that is meant: {flagged}.
"""

RANDOM = """\
Whole programs that hypothesis writes, {count} in every run of the tests and ten times as many every
night. These {count} have {paths} paths; {refused} of them are refused, rightly; the error of the
others is at most {error}, against an interpreter of its own.
"""

PLANTED = """\
Each fault below was planted into the source of the library. So many programs it took until one of
them came out biased:
"""

REFUSED = """\
## What is refused

No unbiased gradient can be formed, or none by the route that was asked for. The message names the
operation, the user's line, the draw, the cost (where one takes part) and the remedy.
"""

WAITING = """\
## What waits

Programs of the list whose distribution or estimator does not exist yet.
"""


def paragraph(words: str) -> str:
    """Break the lines of a paragraph; an empty line follows it."""
    return textwrap.fill(" ".join(words.split()), 100, break_on_hyphens=False) + "\n"


def number(x: float) -> str:
    """Format a number to six digits."""
    return f"{x:.6g}" if abs(x) > 1e-12 else "0"


MANY = 10


def numbers(x: Iterable[Any]) -> str:
    """Format several numbers; of very many, their root mean square."""
    values = [float(v) for v in x]
    if len(values) > MANY:
        return f"{len(values)} numbers of size {number(float(np.sqrt(np.mean(np.square(values)))))}"
    return ", ".join(map(number, values))


def bound(error: float) -> str:
    """Return the next power of ten."""
    return f"1e{math.ceil(math.log10(error))}" if error > 1e-16 else "0"


def text(x: str) -> str:
    """Escape what Markdown would read."""
    for sign in "\\*_[]<>|`":
        x = x.replace(sign, "\\" + sign)
    return x


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def program_row(program: Program) -> tuple[str, ...]:
    """Compute everything about a program."""
    mean, variance = program.estimate(program.at)
    truth = flat(program.truth(program.at))
    taken = routes(program.fn, program.at)
    star = "\\*" if program.stated_variance(program.at) is not None else ""
    everywhere = "-"
    if program.everywhere:
        everywhere = number(score_everywhere(program, program.at)[1].sum())
    return (
        text(program.name),
        numbers(truth),
        numbers(mean),
        bound(np.max(np.abs(mean - truth))),
        ", ".join(f"{name}: {route}" for name, route in taken.items()),
        number(variance.sum()) + star,
        everywhere,
    )


def peer_row(name: str, peer: Peer) -> tuple[str, ...]:
    """Compute everything about a program on which others are wrong."""
    truth, found = peer.truth(), peer.estimate()
    others = "; ".join(f"{text(who)}: **{numbers(g)}**" for who, g in peer.others.items())
    label = text(peer.text) + (f" ({text(peer.note)})" if peer.note else "")
    error = bound(np.max(np.abs(found - truth)))
    return name, label, numbers(truth), numbers(found), error, others


def refusal_row(refusal: Refusal) -> tuple[str, ...]:
    """Say what a refused program raises."""
    leaves = [scg.parameter(v) for v in refusal.at]
    try:
        scg.grad(refusal.fn(*leaves), leaves)
        outcome = "accepted"
    except scg.ScgError as error:
        outcome = type(error).__name__
    named = [x for x in (refusal.op, refusal.draw and f"draw {refusal.draw}") if x]
    return text(refusal.name), outcome, text(", ".join(named))


def orders() -> str:
    """Say what is refused at second order, and what is flagged."""
    for name, (kinked, _, _) in KINKS.items():
        mu = scg.parameter(0.3)
        slope = scg.grad(kinked(scg.Normal(mu, 1.0).sample(rng=0)), mu, create_graph=True)
        try:
            slope.backward()
        except scg.GradientError:
            continue
        raise AssertionError(f"the second derivative of {name} is not refused")
    for name, objective in FLAGGED.items():
        found = scg.audit(objective(scg.Normal(scg.parameter(0.3), 1.0).sample(8, rng=0)))
        assert "sample axis" in {a.kind for a in found.assumptions}, name
    kinks, flagged = (text(", ".join(names)) for names in (KINKS, FLAGGED))
    return paragraph(ORDERS.format(kinks=kinks, flagged=flagged))


def random_programs() -> Iterator[str]:
    """Prove the random programs of the tests, and let them find the planted faults."""
    found = {program: scg.testing.check_program(program, truth=truth(program))
             for program in corpus()}  # fmt: skip
    said = RANDOM.format(
        count=len(found),
        paths=sum(v.runs for v in found.values()),
        refused=sum(v.refused for v in found.values()),
        error=bound(max(v.error for v in found.values())),
    )
    yield "## Random programs\n"
    yield paragraph(said)
    counts = Counter(f for program in found for f in features(program))
    shares = ((feature, f"{counts[feature] / len(found):.0%}") for feature in FEATURES)
    yield from table(("they contain", "share"), shares)
    yield paragraph(PLANTED)
    yield from table(
        ("planted fault", "found by program"),
        ((text(fault.name), str(programs_until_found(fault))) for fault in FAULTS),
    )


def page() -> Iterator[str]:
    """Yield the page."""
    yield INTRODUCTION
    for section, title in SECTIONS.items():
        yield f"## {title}\n"
        chosen = [p for p in PROGRAMS.values() if p.section == section]
        yield from table(
            ("program", "truth", "scg", "error", "routes", "variance", "everywhere"),
            map(program_row, chosen),
        )
        if section == "D":
            yield orders()
    yield REFUSED
    yield from table(("program", "raises", "names"), (refusal_row(r) for r in REFUSALS.values()))
    yield OTHERS
    yield from table(
        ("", "program", "truth", "scg", "error", "others"),
        (peer_row(name, peer) for name, peer in PEERS.items()),
    )
    yield from random_programs()
    yield WAITING
    yield from table(
        ("program", "waits for"), ((text(n), f"`scg.{w}`") for n, (_, w) in PENDING.items())
    )


def main() -> None:
    """Write the page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scg.EscapeWarning)
        warnings.simplefilter("ignore", scg.HandmadeSurrogateWarning)
        PAGE.write_text("\n".join(page()).rstrip() + "\n")


if __name__ == "__main__":
    main()

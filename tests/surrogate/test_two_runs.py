"""Random programs over two runs: what is read of old and new draws is right, or refused.

A program draws, updates a parameter, draws again, mixes what it has, reads some of it and lets
Python decide. Its gradient is that of the second run, given the first: exact, over all outcomes.
"""

import numpy as np
import pytest
from exact import outcomes
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import scg
from scg.errors import ScgError

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

A, B, HALF = 0.3, -0.1, 0.5
MIXTURES = {
    "sum": lambda x, y: x + y,
    "product": lambda x, y: x * y + 0.5 * x,
    "difference": lambda x, y: x - 2.0 * y,
}
READS = {"float": float, "int": int, "round": round, "bool": bool}

mixtures = st.tuples(
    st.sampled_from(sorted(MIXTURES)), *[st.integers(0, 6)] * 2,
    st.sampled_from([None, *READS]), st.sampled_from(["branch", "scale", "choose"]),
)  # fmt: skip
programs = st.tuples(st.lists(mixtures, min_size=1, max_size=3), st.integers(0, 2))


def second_run(program, values):
    """Return the cost of the second run: of tensors, or of numbers."""
    steps, ends = program
    *found, a = values.values()  # a raw parameter is a constant, by the guide
    cost, factor = 0.1 * a, 1.0
    for mixture, i, j, read, use in steps:
        x = MIXTURES[mixture](found[i % len(found)], found[j % len(found)])
        found.append(x)
        if read is None:
            continue
        number = READS[read](x)
        if use == "branch":
            factor = factor * (1.0 if number > HALF else 2.5)
        elif use == "scale":
            factor = factor * (1.0 + 0.3 * number)
        else:
            cost = cost + (0.7 * a * a + 0.2 if number > HALF else 1.3)
    end = (values["new"], values["new coin"], a)[ends]
    return cost + factor * (0.5 * a + 0.3 + 0.2 * end * end)


def gradient(program, source):
    """Return what the library says, in one outcome of all draws; and the old ones."""
    a, b = scg.parameter(A), scg.parameter(B)
    with scg.noise.using(source):
        values = {"old": scg.Bernoulli(logits=b).sample(), "new": None,
                  "old coin": scg.Bernoulli(0.4).sample()}  # fmt: skip
        (values["old"] * b).backward()
        scg.optim.SGD([b], lr=0.0).step()
        values["new"] = scg.Bernoulli(logits=a).sample()
        values["new coin"] = scg.Bernoulli(0.5).sample()
        a.zero_grad()
        second_run(program, {**values, "a": a}).backward()
    old = tuple(float(scg.peek(values[name])) for name in ("old", "old coin"))
    return old, 0.0 if a.grad is None else float(a.grad)


def truth(program, old):
    """Return the derivative of the expected cost of the second run, given the old draws."""

    def expected(a):
        p = 1 / (1 + np.exp(-a))
        return sum(
            (p if new else 1 - p) * 0.5
            * second_run(program, {"old": old[0], "new": new, "old coin": old[1],
                                   "new coin": coin, "a": a})
            for new in (0.0, 1.0) for coin in (0.0, 1.0)
        )  # fmt: skip

    step = 1e-4
    return (expected(A + step) - expected(A - step)) / (2 * step)


@given(programs)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_gradient_after_an_update_is_right_or_refused(program):
    total, weights = {}, {}
    try:
        for weight, (old, g) in outcomes(lambda source: gradient(program, source)):
            total[old] = total.get(old, 0.0) + weight * g
            weights[old] = weights.get(old, 0.0) + weight
    except ScgError:
        event("refused")
        return
    event("right")
    for old, g in total.items():
        assert g / weights[old] == pytest.approx(truth(program, old), abs=1e-6)

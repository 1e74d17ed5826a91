"""Every way to a raw value is an escape, and what only shows a value is none."""

import copy
import math
import operator
import pickle

import numpy as np
import pytest
from exact import assert_unbiased, outcomes

import scg
from scg._run import current_run

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def coin(rng, a):
    return scg.Bernoulli(logits=a).sample(rng=rng)


def pair(b):
    return scg.stack([b, 1.0 - b])


OUT = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": lambda b: complex(b).real,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "index": lambda b: operator.index(b.astype(int)),
    "item": lambda b: b.item(),
    "tolist": lambda b: pair(b).tolist()[0],
    "numpy": lambda b: b.numpy() + 0.0,
    "__array__": lambda b: np.asarray(pair(b))[0],
    "__dlpack__": lambda b: np.from_dlpack(pair(b))[0],
    "deepcopy": lambda b: scg.peek(copy.deepcopy(b)),
    "pickle": lambda b: scg.peek(pickle.loads(pickle.dumps(b))),
    "a parameter": lambda b: scg.peek(scg.parameter(b)),
    "boolean mask": lambda b: scg.tensor([1.0])[b.reshape(1) > 0.5].size,
    "nonzero": lambda b: np.nonzero(pair(b))[0][0] == 0,
    "unique": lambda b: np.unique(scg.stack([b, scg.tensor(1.0)])).size == 1,
    "numpy.repeat": lambda b: np.repeat(np.ones(1), b.reshape(1).astype(int)).size,
    "repeat": lambda b: scg.repeat(scg.tensor([1.0]), b.reshape(1).astype(int)).size,
    "comparison": lambda b: b > 0.5,
    "sorted": lambda b: sorted([b, scg.tensor(0.5)])[0] == 0.5,
    "max": lambda b: max(b, scg.tensor(0.5)) == 1.0,
    "in a list": lambda b: 1.0 in [b],
    "range": lambda b: len(range(int(b))),
    "slice": lambda b: len([0.0][: b.astype(int)]),
    "external": lambda b: scg.peek(scg.external(lambda x: x, b, world=scg.stateless)),
}


@pytest.mark.parametrize("name", OUT)
def test_what_it_decides_is_scored(name):
    """The cost is chosen by the raw value; no edge leads from it to the draw."""

    def program(rng, a, b):
        return 3.0 * a * b if OUT[name](coin(rng, a)) else scg.exp(b)

    assert_unbiased(program, [0.4, -0.3])


SHOWN = {
    "repr": repr,
    "str": str,
    "format": lambda b: f"{b:.3f} {b}",
    "hash": hash,
    "identity": lambda b: b in {b: 1},
    "shape": lambda b: (b.shape, b.ndim, b.size, b.dtype, len(pair(b))),
    "iteration over a fixed shape": lambda b: [row.shape for row in pair(b)],
    "copy": copy.copy,
    "peek": scg.peek,
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_shows_it_decides_nothing(name):
    b = coin(0, scg.parameter(0.4))
    SHOWN[name](b)
    assert not current_run().escapes


def test_plus_and_minus_after_a_read_are_free():
    """A return that is maximised: the last coin is weighted by its own reward alone."""
    p = 1 / (1 + np.exp(-0.4))

    def run(source):
        a = scg.parameter(0.4)
        x = coin(source, a)
        total = 0.0 - scg.cost((x - 0.3) ** 2)
        y = coin(source, a)
        reward = 2.0 if y else -1.0
        (-(total - scg.cost(reward))).backward()
        return np.array([a.grad, a.grad**2])

    found = sum(w * g for w, g in outcomes(run))
    each = [
        (q * r, (x - p) * (x - 0.3) ** 2 + (y - p) * (2.0 if y else -1.0))
        for x, q in ((1, p), (0, 1 - p))
        for y, r in ((1, p), (0, 1 - p))
    ]
    truth = [sum(w * g for w, g in each), sum(w * g * g for w, g in each)]
    np.testing.assert_allclose(found, truth, rtol=1e-10)

"""Section D: objectives of several samples, each unbiased for itself."""

import numpy as np
from conformance.closed import sigmoid, tosses
from conformance.program import REAL, program

import scg

PRIOR, SAMPLES = 0.4, 3  # chance of a 1 under p; draws of the bound


def log_weight(b, a, t):
    """Return log p(b) + log p(x = 1 | b) - log q(b), for NumPy arrays or tensors."""
    log_q = b * a - np.log(1 + np.exp(a))
    log_x = -np.log(1 + np.exp(-t * (2 * b - 1)))
    return b * np.log(PRIOR) + (1 - b) * np.log(1 - PRIOR) + log_x - log_q


def bound(b, a, t):
    return np.log(np.mean(np.exp(log_weight(np.array(b), a, t))))


def expected_bound(samples, a, t):
    """Return the exact expectation of the bound with so many samples."""
    return sum(p * bound(b, a, t) for p, b in tosses([sigmoid(a)] * samples))


def slopes(b, a, t):
    """Return the gradient of one recorded bound, and how far it counts in the score."""
    weights = np.exp(log_weight(np.array(b), a, t))
    share, sign = weights / weights.sum(), 2 * np.array(b) - 1
    direct = -np.sum(share * (np.array(b) - sigmoid(a)))
    # The constant -log k of the bound depends on no draw, and no draw is weighted with it.
    scored = np.sum(np.array(b) - sigmoid(a)) * np.log(weights.sum())
    return direct, scored, np.sum(share * sign * sigmoid(-t * sign))


@program(
    "D",
    "IWAE, its bound monotone in k",
    expected=lambda a, t: expected_bound(SAMPLES, a, t),
    over=[REAL, REAL],
    at=[0.4, 0.9],
    routes={"b": "score"},
    estimator=lambda a, t: [
        (p, np.array([direct + scored, other]))
        for p, b in tosses([sigmoid(a)] * SAMPLES)
        for direct, scored, other in [slopes(b, a, t)]
    ],
    wrong={
        "the draws are not scored": lambda a, t: [
            sum(p * slopes(b, a, t)[0] for p, b in tosses([sigmoid(a)] * SAMPLES)),
            sum(p * slopes(b, a, t)[2] for p, b in tosses([sigmoid(a)] * SAMPLES)),
        ],
        "the bound of one sample": lambda a, t: [
            sum(p * sum(slopes(b, a, t)[:2]) for p, b in tosses([sigmoid(a)])),
            sum(p * slopes(b, a, t)[2] for p, b in tosses([sigmoid(a)])),
        ],
    },
)
def _(a, t):
    b = scg.Bernoulli(logits=a).sample(SAMPLES, name="b")
    return scg.iwae(log_weight(b, a, t))

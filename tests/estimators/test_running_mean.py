"""A running mean is read before the current run is written into it."""

import numpy as np

import scg
from scg import estimators as E

DECAY = 0.75


def test_what_is_read_is_the_mean_of_earlier_runs_to_the_bit():
    """The list of baselines used, recovered run by run, and the list computed from the costs."""
    mean = E.RunningMean(decay=DECAY)
    a = scg.parameter(0.3)
    optimizer = scg.optim.SGD([a], lr=0.25)
    used, expected, value = [], [], None
    for seed in range(12):
        score = E.Score(baseline=mean)
        b = scg.Bernoulli(logits=a).sample(estimator=score, rng=seed)
        loss = (b - 0.45) ** 2
        optimizer.zero_grad()
        loss.backward()
        used.append(mean.value)
        expected.append(0.0 if value is None else value)
        c = float(scg.peek(loss))
        p = 1 / (1 + np.exp(-scg.peek(a)))
        np.testing.assert_allclose(a.grad, (c - used[-1]) * (scg.peek(b) - p), rtol=1e-12)
        value = c if value is None else DECAY * value + (1.0 - DECAY) * c
        optimizer.step()
    assert used == expected
    assert len(set(used)) > 5


def test_two_backwards_of_one_run_read_the_same():
    mean = E.RunningMean(decay=DECAY)
    a = scg.parameter(0.3)
    for seed in (1, 2):
        b = scg.Bernoulli(logits=a).sample(estimator=E.Score(baseline=mean), rng=seed)
        ((b - 0.45) ** 2 + 1.0).backward()
        assert mean.value == 0.0

"""An audit as people read it."""

import numpy as np
import pytest

import scg

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def episode(steps):
    """Run a policy with a reward at each step."""
    logit = scg.parameter(0.2, name="logit")
    total, state = 0.0, 0
    for _ in range(steps):
        action = scg.Bernoulli(logits=logit + 0.1 * state).sample(name="action")
        state += int(action)
        total = total + scg.cost(0.9**state)
    return total


def lines(loss):
    return str(scg.audit(loss)).splitlines()


def test_a_loop_is_one_row():
    draws, costs, reads = (
        [line for line in lines(episode(50)) if text in line]
        for text in ("~ Bernoulli", "number", "int of action")
    )
    assert len(draws) == len(reads) == 1 and len(costs) == 2
    assert "test_table.py" in draws[0] and "50 draws: score into 1 to 50 of 50 costs" in draws[0]
    assert "c1 to c50  number" in costs[0] and costs[0].endswith("coefficient 1, marked")
    assert costs[1].split()[0] == "-" and "marked" not in costs[1]
    assert "50 reads: may decide about 1 to 50 of 50 costs" in reads[0]
    assert all(f"test_table.py:{n}" in "".join(costs + reads) for n in lines_of(episode, 6, 7))


def lines_of(function, *after):
    return [function.__code__.co_firstlineno + n for n in after]


def test_it_does_not_grow_with_the_number_of_steps():
    assert len(lines(episode(20))) == len(lines(episode(100)))


def test_draws_that_differ_have_rows_of_their_own():
    a = scg.parameter(np.zeros(3))
    total = 0.0
    for i in range(3):
        b = scg.Bernoulli(logits=a[i]).sample(name=f"b{i}")
        x = scg.Normal(a[i], 1.0).sample()
        total = total + b * 2.0 + x
    text = lines(total)
    assert any("b0 ... b2 ~ Bernoulli(scalar)" in t and "3 draws" in t for t in text)
    assert any("Normal 1 ... Normal 3 ~ Normal(scalar)" in t and "3 draws" in t for t in text)


def test_which_costs_are_named():
    mu = scg.parameter([0.1, 0.2])
    z = scg.Normal(mu, 1.0).sample(name="z")
    text = "\n".join(lines((z * z).sum() + 2.0 * (z > 0.3).sum() + scg.tanh(z).sum()))
    routes = scg.audit((z * z).sum() + 2.0 * (z > 0.3).sum() + scg.tanh(z).sum()).draws[0].routes
    (scored,) = routes["score"]
    paths = ", ".join(f"c{n}" for n in routes["pathwise"])
    assert f"score into c{scored}" in text
    assert f"pathwise into {paths};" in text and len(routes["pathwise"]) == 2
    assert "not differentiated into all: 'greater' at test_table.py" in text


def one_draw():
    return scg.Normal(scg.parameter(0.3), 1.0).sample(name="z")


def relaxed():
    estimator = scg.estimators.GumbelSoftmax(temperature=0.5)
    return scg.Bernoulli(logits=scg.parameter(0.2)).sample(estimator=estimator)


def peeking():
    z = one_draw()
    return z * scg.peek(z)


def refused():
    theta = scg.parameter(0.2)
    return (scg.Uniform(0.0, 1.0).sample() < theta) * 1.0 + 0.0 * theta


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (lambda: one_draw() * 2.0, "unbiased"),
        (peeking, "unbiased, if 1 assumption holds"),
        (lambda: one_draw() * scg.detach(scg.parameter(1.0)), "biased, as was asked for: detach"),
        (lambda: relaxed() * 2.0, "biased, as was asked for: GumbelSoftmax"),
        (refused, "refused: backward() raises, for 1 reason"),
        (lambda: scg.parameter(1.0) * 2.0, "no draw takes part: an ordinary derivative"),
    ],
)
def test_the_first_line_is_the_verdict(program, said):
    with scg.episode():
        assert lines(program())[0] == said


def test_the_verdict_of_a_program_counts_its_checks():
    def lie(p):
        return p * 3.0 if scg.peek(scg.Bernoulli(p).sample()) else p * 1.0

    def truth(p):
        return scg.Bernoulli(p).sample() * 3.0

    first = str(scg.audit(lie, 0.4, runs=70)).splitlines()[0]
    assert first.startswith("biased, as 'exact' found; checks: 1 failed, ")
    first = str(scg.audit(truth, 0.4, runs=70)).splitlines()[0]
    assert first.startswith("unbiased; checks: ") and "failed" not in first


def test_an_interactive_session_shows_the_table():
    found = scg.audit(one_draw())
    assert repr(found) == str(found)


def test_checks_tell_how_sure_they_are():
    def program(mu):
        return scg.Normal(mu, 1.0).sample() ** 2

    found = {c.name: c.text for c in scg.audit(program, 0.5, runs=100).checks}
    assert found["scores"].startswith("along mu the estimates average ")
    apart, doubt = found["scores"].split(": ")[1].split(" apart, with standard error ")
    assert abs(float(apart)) < 5 * float(doubt.split()[0])

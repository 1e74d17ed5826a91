"""Evaluate under no_grad, print, go on training: what works as it is, and what cannot."""

import numpy as np
import pytest

import scg
from scg.errors import BiasedGradientError
from scg.testing import exact_expectation

A = 0.4
P = 1 / (1 + np.exp(-A))


def evaluate(a):
    """Return a validation loss with draws of its own."""
    with scg.no_grad():
        return (scg.Bernoulli(logits=a).sample() - 0.2) ** 2


def by_episode(a):
    with scg.episode():
        return f"{float(evaluate(a)):.3f}"


LOOKS = {
    "print of the tensor": lambda a: f"{evaluate(a):.3f}",
    "peek": lambda a: f"{scg.peek(evaluate(a)):.3f}",
    "inside an episode": by_episode,
}


def steps(a, look, order):
    """Return the gradient and its square of the second of two iterations, in some order."""
    optimizer, shown = scg.optim.SGD([a], lr=0.0), []
    for _ in range(2):
        if order == "zero_grad first":
            optimizer.zero_grad()
            shown.append(look(a))
        loss = (scg.Bernoulli(logits=a).sample() - 0.45) ** 2
        if order == "zero_grad before backward":
            shown.append(look(a))
            optimizer.zero_grad()
        loss.backward()
        found = a.grad.copy()
        optimizer.step()
        if order == "zero_grad last":
            optimizer.zero_grad()
            shown.append(look(a))
        if order == "between step and zero_grad":
            shown.append(look(a))
            optimizer.zero_grad()
    return np.stack([found, found**2])


def expected(look, order):
    a = scg.parameter(A)

    def once():
        a.zero_grad()
        return steps(a, look, order)

    return exact_expectation(once)


def textbook():
    """Return both moments of the score function with its own cost alone."""
    each = [(P, 0.55**2 * (1 - P)), (1 - P, -(0.45**2) * P)]
    return [sum(p * g for p, g in each), sum(p * g * g for p, g in each)]


@pytest.mark.parametrize(
    "order", ["zero_grad first", "zero_grad before backward", "zero_grad last"]
)
@pytest.mark.parametrize("look", LOOKS)
def test_to_look_changes_neither_the_gradient_nor_its_variance(look, order):
    """Unbiased, and no draw is weighted by anything but its own cost."""
    np.testing.assert_allclose(expected(LOOKS[look], order), textbook(), rtol=1e-10)


def test_a_raw_read_is_free_between_step_and_zero_grad():
    found = expected(lambda a: float(evaluate(a)), "between step and zero_grad")
    np.testing.assert_allclose(found, textbook(), rtol=1e-10)


@pytest.mark.parametrize("order", ["zero_grad first", "zero_grad last"])
def test_a_raw_read_after_zero_grad_is_refused_and_the_remedies_are_named(order):
    words = r"scg\.peek.*scg\.episode\(\).*after optimizer\.step\(\) and before zero_grad"
    with pytest.raises(BiasedGradientError, match=words):
        steps(scg.parameter(A), lambda a: float(evaluate(a)), order)


def test_its_twin_would_be_biased():
    """The same calls in the same order; only Python knows that the number chooses the loss.

    To accept the one is to be silent about the other, whose gradient lacks the draw of the choice:
    its parameters were not recorded, so that it has no score.
    """

    def program(a):
        if a.is_parameter:
            a.zero_grad()
        with scg.no_grad():
            chosen = float(scg.Bernoulli(logits=a).sample())
        return a * (3.0 if chosen else -1.0)

    slope = 4 * P - 1
    truth = slope + 4 * A * P * (1 - P)
    assert abs(slope - truth) > 0.1
    with pytest.raises(BiasedGradientError, match="no_grad"):
        program(scg.parameter(A)).backward()


def test_parts_of_a_loss_between_evaluations_are_parts_of_this_run():
    """Many episodes that nobody remembers, and costs formed between them."""

    def once():
        a.zero_grad()
        total = 0.0
        for _ in range(3):
            total = total + (scg.Bernoulli(logits=a).sample() - 0.45) ** 2
            for _ in range(2):
                by_episode(scg.peek(a) + 0.0 * a)
        total.backward()
        return a.grad

    a = scg.parameter(A)
    np.testing.assert_allclose(exact_expectation(once), 3 * textbook()[0], rtol=1e-10)

"""What the tests of pictures share: losses to draw, and words to ask a drawing with."""

import numpy as np

import scg
from scg.inspect._draw import drawing_of


def drawn(loss, depth=1, only=None):
    """Return what is drawn of a loss, as an object that answers questions."""
    return Drawn(drawing_of(loss, depth, only))


class Drawn:
    """A drawing, asked by titles."""

    def __init__(self, drawing):
        self.items, self.edges, self.notes = drawing.items, drawing.edges, drawing.notes

    def item(self, title, kind=None):
        (found,) = [
            item for item in self.items if self.name(item) == title and kind in (None, item.kind)
        ]
        return found

    @staticmethod
    def name(item):
        return f"{item.title}_{item.index}" if item.index else item.title

    def titles(self, kind):
        return [self.name(item) for item in self.items if item.kind == kind]

    def said(self, title, kind=None):
        return [line.text for line in self.item(title, kind).lines]

    def arrows(self, kind=None):
        return {
            (self.name(e.tail), self.name(e.head)) for e in self.edges if kind in (None, e.kind)
        }

    def forced(self):
        return {(self.name(e.tail), self.name(e.head)): e.label for e in self.edges if e.forced}

    def label(self, tail, head):
        (found,) = [
            e.label for e in self.edges if (self.name(e.tail), self.name(e.head)) == (tail, head)
        ]
        return found

    def boxes(self, title, kind=None):
        return [(box.kind, box.title) for box in self.item(title, kind).boxes]


def readme():
    """Return the mixed graph that the design begins with."""
    mu, R = scg.parameter([0.0, 0.0]), scg.parameter([[1.0, 0.0], [0.3, 1.0]])
    z = scg.Normal(mu, R).sample(rng=0)
    b = scg.Bernoulli(logits=z[0] - z[1]).sample(rng=1)
    return (b - 0.45) ** 2 + 0.1 * (z * z).sum()


def rerouted():
    """Return a loss with a draw that is pathwise into one cost and scored into another."""
    theta = scg.parameter(np.zeros(3), name="theta")
    z = scg.Normal(theta, 1.0).sample(8, rng=0)
    b = scg.Bernoulli(logits=z).sample(rng=1, name="coin")
    return (b * z).mean() + (scg.tanh(z) * (z > 0.3)).sum()


def episode(turns):
    """Return the return of an episode whose rewards are marked as costs."""
    policy = scg.nn.MLP([2, 3, 1], rng=0, dtype=np.float64)
    policy.named_parameters()
    rng, state, total = np.random.default_rng(0), np.zeros(2), 0.0
    for _ in range(turns):
        action = scg.Bernoulli(logits=policy(state)[0]).sample(rng=rng)
        state = state + (int(action) - 0.5)
        total = total + scg.cost(1.0 - state[0] ** 2)
    return total


def chain(turns):
    """Return a chain of draws with a cost at each."""
    theta, x, total = scg.parameter(0.2, name="theta"), scg.tensor(0.0), 0.0
    rng = np.random.default_rng(0)
    for _ in range(turns):
        x = scg.Normal(theta * x + theta, 1.0).sample(rng=rng)
        total = total + scg.cost((x - 1.0) ** 2)
    return total

"""Programs that are compiled in these tests: `build()` returns a function and its parameters."""

from __future__ import annotations

import numpy as np

import scg
from scg import estimators as E
from scg import optim

SHAPE = (4, 3)


def start(*shape, seed=0, low=0.2, high=0.8, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return scg.parameter(rng.uniform(low, high, shape).astype(dtype))


def step_of(loss, parameters, optimizer=None):
    """Return a training step of `loss(x)`."""
    optimizer = optimizer or scg.optim.SGD(parameters, lr=1e-3)

    def step(*args):
        value = loss(*args)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return step


FAMILIES = {
    "Normal": lambda p: scg.Normal(p, p + 0.5),
    "Normal by factor": lambda p: scg.Normal(p[0], factor=scg.exp(p)[:3] + 2.0 * np.eye(3)),
    "MultivariateNormal": lambda p: scg.MultivariateNormal(
        p[0], covariance=p[1:].T @ p[1:] + np.eye(3)
    ),
    "RankOneNormal": lambda p: scg.RankOneNormal(p[0], scg.exp(p), p),
    "Uniform": lambda p: scg.Uniform(p, p + 1.0),
    "Exponential": lambda p: scg.Exponential(p),
    "Gamma": lambda p: scg.Gamma(p, p + 0.5),
    "Bernoulli": lambda p: scg.Bernoulli(p),
    "Bernoulli by logits": lambda p: scg.Bernoulli(logits=p),
    "Categorical": lambda p: scg.Categorical(p),
    "Categorical by logits": lambda p: scg.Categorical(logits=p),
    "OneHotCategorical": lambda p: scg.OneHotCategorical(logits=p),
    "Poisson": lambda p: scg.Poisson(3.0 * p),
    "Geometric": lambda p: scg.Geometric(p),
    "Geometric by logits": lambda p: scg.Geometric(logits=p),
    "Binomial": lambda p: scg.Binomial(3.0, p),
    "Binomial by logits": lambda p: scg.Binomial(3.0, logits=p),
    "Mixture": lambda p: scg.Mixture(scg.Normal(4.0 * p, 0.5), probs=p),
    "Mixture by logits": lambda p: scg.Mixture(scg.Poisson(4.0 * p), logits=p),
}


# A value that each family allows, if it is not 1.
AT = {
    "OneHotCategorical": np.array([0.0, 1.0, 0.0]), "Normal by factor": np.ones(3),
    "MultivariateNormal": np.ones(3), "RankOneNormal": np.ones(3), "Categorical": 1,
    "Categorical by logits": 1,
}  # fmt: skip


def draw_and_score(family, options):
    """Draw, weigh what was drawn, and add its log-probability, entropy and mean where there are."""

    def build():
        p = start(*SHAPE, seed=1)
        make = FAMILIES[family]

        def loss(scale):
            d = make(p)
            x = d.sample(**options)
            total = (scale * (x - 0.3) ** 2.0).mean() + 0.1 * d.log_prob(AT.get(family, 1.0)).mean()
            for name in ("mean", "variance"):
                total = total + 0.01 * getattr(d, name).sum()
            return total

        return step_of(loss, [p]), [p]

    return build


def estimated(make, family=lambda a: scg.Bernoulli(logits=a), axis=False):
    """Return a step whose draw has an estimator, and whose costs are smooth and jumpy ones."""

    def build():
        a = start(5, seed=2)
        estimator = make()

        def loss(t):
            x = family(a).sample(estimator=estimator)
            c = (x - t) ** 2 * scg.exp(0.5 * a) + x * a
            return c.mean(axis=0).sum() if axis else c.sum()

        return step_of(loss, [a]), [a]

    return build


ESTIMATORS = {
    "pathwise": estimated(E.Pathwise, lambda a: scg.Normal(a, 0.8)),
    "auto": estimated(lambda: "auto"),
    "score": estimated(E.Score),
    "score, continuous": estimated(E.Score, lambda a: scg.Normal(a, 0.8)),
    "constant baseline": estimated(lambda: E.Score(baseline=0.25)),
    "array baseline": estimated(lambda: E.Score(baseline=np.arange(5.0))),
    "batch mean": estimated(lambda: E.Score(baseline=E.BatchMean())),
    "running mean": estimated(lambda: E.Score(baseline=E.RunningMean())),
    "leave one out": estimated(lambda: E.LeaveOneOut(4), axis=True),
    "enumerate": estimated(E.Enumerate, axis=True),
    "enumerate, binomial": estimated(E.Enumerate, lambda a: scg.Binomial(2, logits=a), axis=True),
    "gaussian hessian": estimated(E.GaussianHessian, lambda a: scg.Normal(a, scg.exp(0.3 * a))),
    "gaussian hessian, probes": estimated(
        lambda: E.GaussianHessian(probes=2), lambda a: scg.Normal(a, scg.exp(0.3 * a))
    ),
    "gaussian hessian, factor": estimated(
        E.GaussianHessian, lambda a: scg.Normal(a, factor=scg.exp(a) * np.eye(5) + 0.1)
    ),
    "gumbel softmax": estimated(lambda: E.GumbelSoftmax(0.5)),
    "gumbel softmax, one hot": estimated(
        lambda: E.GumbelSoftmax(0.5), lambda a: scg.OneHotCategorical(logits=a)
    ),
}


def vae(dtype=np.float32, kl="analytic"):
    """Return the training step of examples/vae.py, small."""
    encoder = scg.nn.MLP([20, 16, 4], rng=0, dtype=dtype)
    decoder = scg.nn.MLP([2, 16, 20], rng=1, dtype=dtype)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    prior = scg.Normal(np.zeros(2, dtype), dtype(1.0))

    def loss(x):
        loc, log_var = scg.split(encoder(x), 2, axis=-1)
        q = scg.Normal(loc, scg.exp(0.5 * log_var))
        z = q.sample(name="z")
        likelihood = scg.Bernoulli(logits=decoder(z)).log_prob(x)
        return -scg.elbo(likelihood, q, prior, z, kl=kl).value.mean()

    return step_of(loss, parameters, scg.optim.Adam(parameters, lr=1e-3)), parameters


def importance_weighted():
    """Return a step on the bound of several samples, with a discrete latent variable beside."""
    a, w = start(2, seed=23), start(2, seed=24)

    def loss(x):
        q, prior = scg.Normal(a, 0.7), scg.Normal(0.0, 1.0)
        z = q.sample(5)
        b = scg.Bernoulli(logits=z * w).sample()
        weights = prior.log_prob(z) - q.log_prob(z) + scg.Normal(z + b, 1.0).log_prob(x)
        return -scg.iwae(weights, axis=0).mean()

    return step_of(loss, [a, w]), [a, w]


def chain():
    """Return a step in which draws feed draws, and costs are marked, smooth and jumpy."""
    a, w = start(4, seed=3), start(seed=4)

    def loss(x):
        z = scg.Normal(a, 0.5).sample()
        b = scg.Bernoulli(logits=z * w).sample()
        k = scg.Categorical(logits=scg.stack([a * b[0], z], axis=-1)).sample()
        smooth = scg.cost((z * x) ** 2)
        jumpy = scg.cost(scg.where(z > 0.1, 1.0, 0.0) * w)
        return smooth.mean() + 0.5 * jumpy.sum() + (b * k).mean() - (2.0 * b[1:] + z[:-1]).sum()

    return step_of(loss, [a, w]), [a, w]


def conv():
    layer = scg.nn.Conv2d(1, 2, 3, rng=0, padding=1)
    head = scg.nn.Linear(2 * 4 * 4, 3, rng=1)
    parameters = [*layer.parameters(), *head.parameters()]

    def loss(images, labels):
        h = scg.max_pool2d(scg.relu(layer(images)), 2)
        logits = head(h.reshape(len(images), -1))
        return -scg.Categorical(logits=logits).log_prob(labels).mean()

    return step_of(loss, parameters, scg.optim.Momentum(parameters, lr=0.1)), parameters


def dropout():
    net = scg.nn.MLP([6, 8, 8, 3], activation="relu", rng=0)
    parameters = net.parameters()

    def loss(x, y):
        h = x
        for layer in net:
            h = layer(h)
            if layer is scg.relu:
                keep = scg.Bernoulli(np.float32(0.5)).sample(h.shape)
                h = h * keep / np.float32(0.5)
        return -scg.Categorical(logits=h).log_prob(y).mean()

    return step_of(loss, parameters, scg.optim.AdamW(parameters)), parameters


def second_order():
    """Return a step on a gradient's norm, Hessian-vector products and a Hessian."""
    w = start(3, seed=5)

    def loss(x):
        def f(v):
            return scg.sum(scg.tanh(v * x) ** 2) + scg.exp(v).sum()

        g = scg.grad(f(w), w, create_graph=True)
        (h,) = scg.hvp(f, (w,), (x,))
        return (g * g).sum() + 0.1 * (scg.hessian(f)(w) ** 2).sum() + (h * w).sum()

    return step_of(loss, [w]), [w]


def mixed_orders():
    """Return a step that differentiates an estimated gradient again."""
    a = start(3, seed=6)

    def loss(x):
        b = scg.Bernoulli(logits=a).sample()
        g = scg.grad(((b - x) ** 2 * scg.exp(a)).sum(), a, create_graph=True)
        return (g * scg.tensor([1.0, -2.0, 0.5])).sum()

    return step_of(loss, [a]), [a]


def enumerated_beside_scored():
    """Return a step in which what a scored draw costs counts by the outcomes of another."""
    a, c = start(3, seed=21), start(2, seed=22)

    def loss(x):
        b = scg.Bernoulli(logits=a).sample(estimator=E.Enumerate(), name="b")
        others = E.Score(baseline=E.BatchMean(axis=1))
        k = scg.Bernoulli(logits=c[0] + b * c[1]).sample(name="k", estimator=others)
        return ((k + b - x) ** 2 * scg.exp(a)).mean(axis=0).sum()

    return step_of(loss, [a, c]), [a, c]


def mean_of_two():
    """Return a step in which two draws share a running mean, which both must not see."""
    a = start(2, seed=25)
    mean = E.RunningMean(decay=0.5)

    def loss(x):
        drawn = [
            scg.Bernoulli(logits=a[i]).sample(estimator=E.Score(baseline=mean)) for i in range(2)
        ]
        return (drawn[0] - x[0]) ** 2 + 3.0 * (drawn[0] * drawn[1] - x[1]) ** 2

    return step_of(loss, [a]), [a]


def episodes():
    """Return a step over several episodes, each with a draw of its own."""
    a = start(2, seed=7)

    def loss(x):
        total = 0.0
        for _ in range(3):
            with scg.episode():
                b = scg.Bernoulli(logits=a).sample()
                total = total + scg.cost(((b - x) ** 2).sum())
        return total / 3.0

    return step_of(loss, [a]), [a]


def clipped(norm):
    w = start(4, seed=8)
    optimizer = scg.optim.Adam([w], lr=0.1)

    def step(x):
        loss = (w * x).sum() ** 2
        optimizer.zero_grad()
        loss.backward()
        before = scg.optim.clip_grad_norm([w], norm)
        scg.optim.clip_grad_value([w], 0.4)
        optimizer.step()
        return loss, scg.as_tensor(before)

    return step, [w]


def reads_gradient():
    """Return a step that uses `.grad`, accumulates over two backwards and sets it."""
    w = start(4, seed=9)
    optimizer = scg.optim.SGD([w], lr=0.1)

    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        (w * w).sum().backward()
        w.grad = w.grad * 0.5 + np.sqrt(np.sum(w.grad**2))
        optimizer.step()
        return {"norm": (w.grad**2).sum(), "w": w.detach()}

    return step, [w]


def accumulates():
    """Return a function that only adds to gradients."""
    w = start(4, seed=9)

    def add(x):
        loss = ((w - x) ** 2).sum()
        loss.backward()
        return loss

    return add, [w]


def two_optimizers():
    """Return a step with two updates, the second on what the first has changed."""
    v, w = start(3, seed=10), start(3, seed=11)
    first, second = scg.optim.SGD([v], lr=0.1), scg.optim.RMSProp([v, w], lr=0.1)

    def step(x):
        first.zero_grad(), second.zero_grad()
        ((v - x) ** 2).sum().backward()
        first.step()
        second.zero_grad()
        loss = (v * w * x).sum()
        loss.backward()
        second.step()
        return loss, v * 2.0

    return step, [v, w]


def surrogate():
    """Return a step on the surrogate tensor and its second derivative."""
    a = start(3, seed=15)

    def loss(x):
        b = scg.Bernoulli(logits=a).sample()
        s = scg.surrogate(((b - x) ** 2).sum() * scg.exp(a).sum())
        g = scg.grad(s, a, create_graph=True, of="value")
        (g * g).sum().backward(of="value")
        return s

    def step(x):
        a.zero_grad()
        return loss(x), a.grad

    return step, [a]


def functional():
    """Return a function that takes derivatives of functions of its arguments."""
    w = start(3, seed=16)

    def f(v):
        return scg.stack([(v * w).sum(), scg.exp(v[0]) * v[1], scg.tanh(v).prod()])

    def run(x):
        out, pull = scg.vjp(f, x)
        (once,) = pull(np.array([1.0, -1.0, 0.5]))
        (with_x,) = pull(x)
        return {"out": out, "once": once, "x": with_x, "jacobian": scg.jacobian(f)(x)}

    return run, [w]


def recurrent():
    """Return a step through time over slices, with gathers by data and by draws."""
    w, table = start(3, 3, seed=17), start(5, 3, seed=18)

    def loss(xs):
        h = scg.tensor(np.zeros(3))
        total = 0.0
        for t in range(4):
            h = scg.tanh(h @ w + xs[t] + table[t])
            k = scg.Categorical(logits=h).sample()
            total = total + (table[k] * h).sum() + scg.cost(scg.where(k == 1, 1.0, 0.0))
        return total + (w[:, 1:] * w[:, :-1]).sum()

    return step_of(loss, [w, table]), [w, table]


def own_op():
    """Return a step through an op with a vjp by NumPy, beside one that is opaque."""
    w = start(4, seed=19)

    @scg.op(vjp=lambda g, y, x, *, k: g * k * np.cos(k * x), smooth="smooth", axes="elementwise")
    def wave(x, *, k):
        return np.sin(k * x)

    @scg.op(axes="elementwise")
    def steps(x):
        return np.floor(4.0 * x) / 4.0

    def loss(x):
        z = scg.Normal(w, 0.3).sample()
        return (wave(z * x, k=2.0) * w).sum() + steps(z).mean()

    return step_of(loss, [w]), [w]


def poles():
    """Return a step in which signs exclude poles, of an argument and a parameter among others."""
    w = start(4, seed=20)

    def loss(x):
        z = scg.Normal(w, 0.5).sample()
        smooth = 1.0 / (1.0 + z * z * x) + scg.log(scg.exp(z) * x + scg.exp(w))
        return smooth.sum()

    return step_of(loss, [w]), [w]


def optimized(make):
    def build():
        w = start(5, seed=12, dtype=np.float32)
        v = start(2, 2, seed=13)
        unused = start(3, seed=14)
        return step_of(
            lambda x: (scg.tanh(w * x.astype(np.float32)).sum() + (v * v).sum()) ** 2,
            [w, v], make([w, v, unused]),
        ), [w, v, unused]  # fmt: skip

    return build


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1),
    "Momentum": lambda p: optim.Momentum(p, lr=0.1, nesterov=True),
    "RMSProp": lambda p: optim.RMSProp(p),
    "AdaGrad": lambda p: optim.AdaGrad(p),
    "Adam": lambda p: optim.Adam(p, check_finite=True),
    "AdamW": lambda p: optim.AdamW(p),
    "schedule": lambda p: optim.SGD(p, lr=optim.linear_warmup(optim.cosine(0.1, 10), 2)),
}

NUMBERS = [np.linspace(0.1, 0.9, 5) * k for k in (1.0, 1.5, -0.5, 2.0)]


def sized(n):
    return [(x[:n],) for x in NUMBERS]


def scalars():
    return [(np.asarray(x[1]),) for x in NUMBERS]


def images(count=4):
    rng = np.random.default_rng(0)
    return [(rng.random((5, 20)).round().astype(np.float32),) for _ in range(count)]


def labelled(shape):
    rng = np.random.default_rng(1)
    return [(rng.random(shape).astype(np.float32), rng.integers(0, 3, shape[0])) for _ in range(4)]


# Every program with the arguments of its calls.
PROGRAMS = {
    "vae": (vae, images()),
    "vae in float64": (lambda: vae(np.float64), [(x.astype(float),) for (x,) in images()]),
    "vae, estimator A": (lambda: vae(kl="sampled"), images()),
    "importance weighted": (importance_weighted, sized(2)),
    "chain": (chain, sized(4)),
    "conv": (conv, labelled((6, 1, 8, 8))),
    "dropout": (dropout, labelled((7, 6))),
    "second order": (second_order, sized(3)),
    "mixed orders": (mixed_orders, sized(3)),
    "enumerated beside scored": (enumerated_beside_scored, sized(3)),
    "mean of two": (mean_of_two, sized(2)),
    "episodes": (episodes, sized(2)),
    "surrogate": (surrogate, sized(3)),
    "functional": (functional, sized(3)),
    "recurrent": (recurrent, [(np.outer(np.arange(4.0), x[:3]),) for x in NUMBERS]),
    "own op": (own_op, sized(4)),
    "poles": (poles, [(np.abs(x[:4]),) for x in NUMBERS]),
    "clipped": (lambda: clipped(0.5), sized(4)),
    "hardly clipped": (lambda: clipped(1.3), sized(4)),
    "reads gradient": (reads_gradient, sized(4)),
    "accumulates": (accumulates, sized(4)),
    "two optimizers": (two_optimizers, sized(3)),
    **{f"optimizer {n}": (optimized(o), sized(5)) for n, o in OPTIMIZERS.items()},
    **{f"estimator {n}": (b, scalars()) for n, b in ESTIMATORS.items()},
    **{f"draw of {n}": (draw_and_score(n, {}), scalars()) for n in FAMILIES},
    **{
        f"scored draw of {n}": (draw_and_score(n, {"estimator": "score"}), scalars())
        for n in ("Normal", "Normal by factor", "Exponential", "Gamma")
    },
}

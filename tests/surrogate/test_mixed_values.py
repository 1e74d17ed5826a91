"""Programs that mix ways in which values depend on draws, to first and second order.

Axes that are kept here and mixed there, composed routes, worlds, what was made under no_grad.
"""

import numpy as np
import pytest
from exact import assert_second_derivative, assert_unbiased

import scg
from scg import estimators as E

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

VALUES = [0.3, -0.5]
PROGRAMS = []


def coin(rng, logits, **options):
    return scg.Bernoulli(logits=logits).sample(rng=rng, **options)


@PROGRAMS.append
def no_grad_mask_of_pathwise(rng, a, b):
    z = scg.Normal(a, 0.7).sample(rng=rng)
    with scg.no_grad():
        w = scg.sigmoid(z)
    y = coin(rng, b)
    return (y * w + z * z * 0.1) * b


@PROGRAMS.append
def pathwise_into_scale_then_coin(rng, a, b):
    z = scg.Normal(a, 0.5).sample(rng=rng)
    y = scg.Normal(b * z, scg.exp(0.2 * z)).sample(rng=rng)
    k = coin(rng, y * 0.5)
    return y * z + k * scg.sin(z) + k * y


@PROGRAMS.append
def external_aligned_then_python(rng, a, b):
    x = coin(rng, scg.stack([a, b]))
    r = scg.external(lambda v: v * 2 - 1, x, aligned=0, world=scg.stateless)
    t = r.sum()
    y = coin(rng, a * r[0])
    if r[1] > 0:
        t = t + y * b
    return t


@PROGRAMS.append
def weights_by_tensor_of_draw(rng, a, b):
    z = coin(rng, scg.stack([a, b, a - b]))
    w = scg.softmax(scg.stack([a, b, a * b]))
    return (w * z).sum() * (w[::-1] * (1.0 - z)).sum()


@PROGRAMS.append
def gather_by_draw(rng, a, b):
    k = scg.Categorical(logits=scg.stack([a, b, 0.0 * a])).sample(2, rng=rng)
    table = scg.stack([a * a, b, a * b])
    return table[k].sum() * table[k[0]]


@PROGRAMS.append
def einsum_mix(rng, a, b):
    z = coin(rng, scg.stack([scg.stack([a, b]), scg.stack([b, a])]))
    return scg.einsum("ij,jk->ik", z, z).sum() + (z.T * z).sum() * a


@PROGRAMS.append
def a_choice_between_draws(rng, a, b):
    x = scg.Normal(a, 1.0).sample(rng=rng)
    k = coin(rng, b)
    return scg.where(k > 0.5, x * x, scg.exp(0.3 * x)) * k + scg.where(k > 0.5, x, b)


@PROGRAMS.append
def baseline_from_other_draw(rng, a, b):
    z = coin(rng, a)
    y = coin(rng, b, estimator=E.Score(baseline=(z * 2.0 + scg.exp(a)).detach()))
    return (y - 0.3) ** 2 * (z + 1.0) + z


@PROGRAMS.append
def boolean_index_shape(rng, a, b):
    z = coin(rng, scg.stack([a, b, a + b]))
    v = scg.stack([a, b, a * b])
    kept = v[z > 0.5]
    return kept.sum() / (kept.size + 1.0)


@PROGRAMS.append
def cost_of_numpy_array_batch(rng, a, b):
    z = coin(rng, scg.stack([a, b]))
    reward = np.asarray(z) * 2.0 - 0.3
    first = scg.cost(reward)
    y = coin(rng, scg.stack([b, a]) * reward)
    return first.sum() + (scg.cost(np.asarray(y) + 1.0) * scg.stack([a, b])).sum()


@PROGRAMS.append
def conditional_detach(rng, a, b):
    z = coin(rng, a)
    w = b * 1.0
    return z * scg.detach(z) * w + (z - 0.3).detach() ** 2 * b


@PROGRAMS.append
def mark_of_detached_draw(rng, a, b):
    z = coin(rng, a)
    c = scg.cost(z.detach() * 2.0)
    y = coin(rng, b)
    return c + scg.cost(y * c.detach())


@PROGRAMS.append
def fixed_noise_then_live(rng, a, b):
    u = scg.Bernoulli(0.4).sample(rng=rng)
    z = coin(rng, a if u else b)
    return z * (u + 1.0) * b


@PROGRAMS.append
def fixed_noise_decides_marks(rng, a, b):
    u = scg.Bernoulli(0.4).sample(rng=rng)
    c = scg.cost(coin(rng, a) * b)
    if u:
        c = 2.0 * c
    y = coin(rng, b)
    return c + (y if u else 0.0 * y)


@PROGRAMS.append
def normal_kept_under_no_grad_and_reused(rng, a, b):
    x = scg.Normal(a, 0.8).sample(rng=rng)
    with scg.no_grad():
        y = coin(rng, b)  # direct leaf
    return x * x * y + b * y


@PROGRAMS.append
def multi_categorical_python_table(rng, a, b):
    k = scg.Categorical(logits=scg.stack([a, b, 0.0 * a])).sample(rng=rng)
    q = scg.Categorical(logits=scg.stack([a * k, b, 0.3 * a])).sample(rng=rng)
    T = np.arange(9.0).reshape(3, 3)
    return T[int(k), int(q)] * b + scg.tensor(T)[k, q] * a


@PROGRAMS.append
def a_drawn_total_count(rng, a, b):
    n = scg.Binomial(2, logits=a).sample(rng=rng)
    m = scg.Binomial(n, logits=b).sample(rng=rng)
    t = 0.0
    for _ in range(int(m)):
        t = t + coin(rng, a * b)
    return t * n + m * b


@PROGRAMS.append
def mixed_uniform_score(rng, a, b):
    u = scg.Uniform(a, 2.0 + b).sample(rng=rng)
    return u * u * coin(rng, b * 0.3 * u)


@PROGRAMS.append
def onehot_matmul(rng, a, b):
    k = scg.OneHotCategorical(logits=scg.stack([a, b, a * b])).sample(2, rng=rng)
    W = scg.stack([a, b, a + b])
    h = k @ W
    z = coin(rng, h)
    return (z * h).sum() * z[0]


@PROGRAMS.append
def cumprod_survival(rng, a, b):
    z = coin(rng, scg.stack([a, b, a + b]))
    return (scg.cumprod(1.0 - 0.5 * z) * scg.stack([1.0 * a, b, a * b])).sum()


@PROGRAMS.append
def sort_and_argmax_mix(rng, a, b):
    z = coin(rng, scg.stack([a, b, a + b]))
    v = z * scg.tensor([1.0, 2.0, 3.0]) + scg.tensor([0.5, 0.2, 0.1])
    return (scg.sort(v) * scg.stack([a, b, 1.0 * b])).sum() + scg.argmax(v) * a


@PROGRAMS.append
def pad_concat_stride(rng, a, b):
    z = coin(rng, scg.stack([a, b, a - b, a * b]))
    c = scg.concatenate([z[::2], z[1::2] * 2.0])
    return (c * scg.concatenate([z[2:], z[:2]])).sum() + c[0] * b


class World:
    """Pays by action and state, and remembers."""

    def __init__(self):
        self.state = 0.0

    def step(self, action):
        action = np.asarray(action, float)
        reward = (action - 0.3) * (1.0 + 2.0 * self.state)
        self.state = 0.5 * self.state + action
        return self.state, reward


@PROGRAMS.append
def world_across_episodes_and_python(rng, a, b):
    w = World()
    t = 0.0
    for _ in range(2):
        with scg.episode():
            z = coin(rng, a)
            _, r = scg.external(w.step, z, world=w)
            t = t + scg.cost(r * b)
    return t


@PROGRAMS.append
def a_world_of_copies_that_remembers(rng, a, b):
    w = World()
    z = coin(rng, scg.stack([a, b]))
    o, r = scg.external(w.step, z, aligned=0, world=w)
    y = coin(rng, b * o[0])
    _, r2 = scg.external(w.step, scg.stack([y, y]), aligned=0, world=w)
    return scg.cost(r.sum()) + scg.cost((r2 * scg.stack([1.0 * a, b])).sum())


@PROGRAMS.append
def external_with_param_and_draw_stateless(rng, a, b):
    z = coin(rng, a)
    r = scg.external(lambda x: np.sin(x) + 1, z * 2.0, world=scg.stateless)
    return r * b + coin(rng, b * r)


@PROGRAMS.append
def reshape_by_read(rng, a, b):
    z = coin(rng, scg.stack([a, b, a, b]))
    k = coin(rng, a)
    m = z.reshape(2, 2) if k else z.reshape(4, 1)
    return (m.sum(axis=0) ** 2).sum() * b


@PROGRAMS.append
def sampled_shape(rng, a, b):
    k = coin(rng, a)
    z = scg.Bernoulli(logits=b).sample((int(k) + 1,), rng=rng)
    return z.sum() * a + z.mean()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_the_gradient(program):
    assert_unbiased(program, VALUES)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_the_second_derivative(program):
    assert_second_derivative(program, VALUES)

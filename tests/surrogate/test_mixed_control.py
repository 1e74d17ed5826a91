"""Programs that mix ways in which Python decides, to first and second order.

Marks in marks and branches, episodes, threads, exceptions, generators, recursion, containers.
"""

import contextvars
import functools
import threading

import numpy as np
import pytest
from exact import assert_second_derivative, assert_unbiased

import scg

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

VALUES = [0.3, -0.5]
PROGRAMS = []


def coin(rng, logits, **options):
    return scg.Bernoulli(logits=logits).sample(rng=rng, **options)


def in_thread(work, *arguments):
    """Run in a thread with a context of its own."""
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    thread.join()


@PROGRAMS.append
def generator_of_draws(rng, a, b):
    def gen():
        while True:
            z = coin(rng, a)
            yield scg.cost(z * b + 0.2)
            if z:
                return
            if len(seen) > 2:
                return

    seen = []
    total = 0.0
    for c in gen():
        seen.append(c)
        total = total + c * (0.5 ** len(seen))
    return total


@PROGRAMS.append
def exception_decides(rng, a, b):
    z = coin(rng, a)
    try:
        if z:
            raise ValueError
        y = b * 2.0
    except ValueError:
        y = scg.exp(b)
    return y * (coin(rng, b) + 0.5)


@PROGRAMS.append
def exception_in_episode(rng, a, b):
    total = 0.0 * a
    for _ in range(2):
        try:
            with scg.episode():
                z = coin(rng, a)
                if z:
                    raise RuntimeError
                total = total + scg.cost(b * b + coin(rng, b))
        except RuntimeError:
            total = total - 0.7
    return total


@PROGRAMS.append
def dict_key_choice(rng, a, b):
    z = coin(rng, a)
    y = coin(rng, b)
    table = {(0.0, 0.0): a, (0.0, 1.0): b, (1.0, 0.0): a * b, (1.0, 1.0): scg.exp(a)}
    return table[float(z), y.item()]


@PROGRAMS.append
def list_mutation_inplace(rng, a, b):
    arr = np.zeros(3)
    z = coin(rng, scg.stack([a, b, a - b]))
    arr[z.numpy() > 0.5] += 1.5
    arr[0] *= 2
    return (scg.tensor(arr) * scg.stack([a, b, a * b])).sum()


@PROGRAMS.append
def sorted_by_python(rng, a, b):
    z = [coin(rng, logit) for logit in (a, b, a + b)]
    z = sorted(z, key=lambda t: float(t) * 2 - 1)
    return z[0] * 3.0 * a + z[1] * b + z[2]


@PROGRAMS.append
def any_all(rng, a, b):
    z = [coin(rng, logit) for logit in (a, b)]
    return (a * 2.0 if any(z) else b) + (scg.exp(a) if all(z) else 0.1 * b)


@PROGRAMS.append
def episode_leak_through_nonlocal(rng, a, b):
    picked = []
    with scg.episode():
        z = coin(rng, a)
        picked.append(z * b)
        c1 = scg.cost(z * 2.0 - 0.5)
    with scg.episode():
        y = coin(rng, b + picked[0])
        c2 = scg.cost(y * picked[0])
    return c1 + c2


@PROGRAMS.append
def nested_episodes(rng, a, b):
    with scg.episode():
        z = coin(rng, a)
        if z:
            with scg.episode():
                y = coin(rng, b)
                c = scg.cost(3.0 if y else -1.0)
        else:
            c = scg.cost(b * b)
        d = scg.cost(c * a + float(z))
    return c * 0.5 + d


@PROGRAMS.append
def thread_draws_and_main_reads(rng, a, b):
    out = []
    ctx = contextvars.copy_context()
    in_thread(
        ctx.run,
        lambda: out.append(coin(rng, a)),
    )
    return b * 2.0 if out[0] else a * b


@PROGRAMS.append
def thread_own_context_tensor(rng, a, b):
    out = []
    in_thread(lambda: out.append(coin(rng, a)))
    z = out[0]
    return b * 2.0 if z else a * b


@PROGRAMS.append
def thread_own_context_cost_marked(rng, a, b):
    out = []

    def work():
        z = coin(rng, a)
        out.append((z, scg.cost(b * 3.0 if z else b)))

    in_thread(work)
    y = coin(rng, b)
    return out[0][1] * 2.0 + y * a


@PROGRAMS.append
def mark_inside_mark(rng, a, b):
    z = coin(rng, a)
    c = scg.cost(z * b)
    y = coin(rng, b)
    d = scg.cost(c + float(y) * a)
    k = coin(rng, a * b)
    return d * 2.0 + c if k else d


@PROGRAMS.append
def mean_of_marks_random_len(rng, a, b):
    cs = []
    for t in range(3):
        z = coin(rng, a)
        cs.append(scg.cost(z * b + t * 0.1))
        if z and t > 0:
            break
    return scg.stack(cs).mean()


@PROGRAMS.append
def while_marked_discount(rng, a, b):
    g, total, t = 1.0, 0.0, 0
    state = 0.0
    while t < 3:
        act = coin(rng, a + b * state)
        r = (act - 0.3) * (1 + state)
        total = total + scg.cost(g * float(r))
        state = 0.5 * state + float(act)
        g *= 0.9
        t += 1
        if state > 1.2:
            break
    return total


@PROGRAMS.append
def mark_in_thread_added(rng, a, b):
    out = []

    def work():
        z = coin(rng, a)
        out.append(scg.cost(b * 3.0 if z else b))

    in_thread(work)
    return out[0] + coin(rng, b) * a


@PROGRAMS.append
def scaled_in_thread(rng, a, b):
    c = scg.cost(coin(rng, a) * b)
    out = []

    def work():
        z = coin(rng, a)
        out.append(2.0 * c + z * 0.5 if z else c)

    in_thread(work)
    return out[0]


@PROGRAMS.append
def episode_in_thread(rng, a, b):
    out = []

    def work():
        with scg.episode():
            z = coin(rng, a)
            out.append(scg.cost(b * 3.0 if z else b))

    in_thread(work)
    return out[0] + coin(rng, b) * a


@PROGRAMS.append
def thread_reads_main_draw_and_draws(rng, a, b):
    z = coin(rng, a)
    out = []

    def work():
        out.append(coin(rng, b * 2.0) if z else coin(rng, b))

    in_thread(work)
    return (out[0] + 0.5) * b


@PROGRAMS.append
def two_threads_tensor_each(rng, a, b):
    out = []

    def work(logit):
        z = coin(rng, logit)
        y = coin(rng, a if z else b)
        out.append(y * logit)

    for logit in (a, b):
        in_thread(
            work,
            logit,
        )
    return out[0] * 2.0 + out[1] * out[0]


@PROGRAMS.append
def closure_generator_interleaved(rng, a, b):
    def g(logit):
        for _ in range(2):
            z = coin(rng, logit)
            yield (z, scg.cost(z * logit))

    total = 0.0
    for (z, c), (y, d) in zip(g(a), g(b), strict=False):
        total = total + c + d * 0.5
        if z and y:
            break
    return total


@PROGRAMS.append
def recursion_with_marks(rng, a, b):
    def f(d):
        z = coin(rng, a)
        c = scg.cost(z * b + 0.3)
        if z and d:
            return c + 0.5 * f(d - 1)
        return c

    return f(2)


@PROGRAMS.append
def stop_by_exception_inside_cost(rng, a, b):
    def risky():
        z = coin(rng, a)
        c = scg.cost(z * b)
        if z:
            raise RuntimeError(c)
        return c

    try:
        t = risky() * 1.0
    except RuntimeError as e:
        t = e.args[0] * 3.0
    return t + coin(rng, b) * a


@PROGRAMS.append
def mark_scaled_in_episode(rng, a, b):
    c = scg.cost(coin(rng, a) * b)
    with scg.episode():
        z = coin(rng, b)
        d = c * 3.0 if z else c
    return d


@PROGRAMS.append
def two_episodes_scale_one_mark(rng, a, b):
    c = scg.cost(coin(rng, a) * b + 0.2)
    t = 0.0
    for logit in (a, b):
        with scg.episode():
            z = coin(rng, logit)
            t = t + (c * 2.0 if z else c * 0.5)
    return t


@PROGRAMS.append
def cost_in_list_popped(rng, a, b):
    cs = [scg.cost(coin(rng, logit) * b) for logit in (a, b)]
    k = coin(rng, a)
    first = cs.pop(0 if k else 1)
    return first * 1.0 + 2.0 * cs[0]


@PROGRAMS.append
def mark_of_mark_scaled(rng, a, b):
    c = scg.cost(coin(rng, a) * b)
    k = coin(rng, b)
    d = scg.cost(c * 2.0 if k else c)
    m = coin(rng, a)
    return d * 3.0 if m else d


@PROGRAMS.append
def same_mark_twice_in_different_branches(rng, a, b):
    c = scg.cost(coin(rng, a) * b + 0.3)
    k = coin(rng, b)
    t = c if k else c + c
    m = coin(rng, a + b)
    return t + c if m else t - c


@PROGRAMS.append
def cost_slice_len_by_draw(rng, a, b):
    c = scg.cost(coin(rng, scg.stack([a, b, a])) * scg.stack([b, a, 1.0 * b]))
    k = scg.Categorical(logits=scg.stack([a, b])).sample(rng=rng)
    return c[: int(k) + 1].mean()


@PROGRAMS.append
def try_finally(rng, a, b):
    log = []

    def f():
        try:
            z = coin(rng, a)
            return z * b
        finally:
            log.append(coin(rng, b))

    t = f()
    return t * log[0] + (a if log[0] else b)


@PROGRAMS.append
def lru_cache_memo(rng, a, b):
    @functools.lru_cache
    def f(i):
        return coin(rng, a)

    return f(0) * b + f(1) * f(0) * a + f(1)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_the_gradient(program):
    assert_unbiased(program, VALUES)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_the_second_derivative(program):
    assert_second_derivative(program, VALUES)

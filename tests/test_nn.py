"""Modules: finding parameters, state; layers: values, initial weights, refusals; a fit."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import scg
from scg import nn, optim
from scg.errors import CheckpointError, DTypeError, OptionError, ShapeError

DTYPES = (np.float32, np.float64)


class Pair(nn.Module):
    def __init__(self):
        self.head = nn.Linear(2, 3, rng=0)
        self.blocks = [nn.Linear(3, 3, rng=1), {"skip": scg.parameter([1.0])}]
        self.shift = scg.parameter([0.5])
        self.constant = scg.tensor([7.0])
        self.label = "pair"

    def __call__(self, x):
        return self.blocks[0](self.head(x)) * self.blocks[1]["skip"] + self.shift


PATHS = ["head.weight", "head.bias", "blocks.0.weight", "blocks.0.bias", "blocks.1.skip", "shift"]


# --- finding parameters ----------------------------------------------------------------------


def test_parameters_are_found_in_the_order_of_assignment():
    model = Pair()
    assert list(model.named_parameters()) == PATHS
    assert model.parameters() == list(model.named_parameters().values())
    assert [p.name for p in model.parameters()] == PATHS


def test_what_is_appended_later_is_found():
    model = Pair()
    model.blocks.append(nn.Linear(1, 1, bias=False, rng=0))
    assert "blocks.2.weight" in model.named_parameters()


def test_a_part_does_not_shorten_the_names_the_whole_gave():
    model = Pair()
    model.parameters()
    assert list(model.head.named_parameters()) == ["weight", "bias"]
    assert model.head.weight.name == "head.weight"


def test_the_whole_lengthens_the_names_of_a_part_and_keeps_a_users():
    part = nn.Linear(2, 2, rng=0)
    part.parameters()
    whole = nn.Sequential(part)
    whole.extra = scg.parameter(1.0, name="temperature")
    whole.parameters()
    assert part.weight.name == "0.weight"
    assert whole.extra.name == "temperature"


def test_tied_weights_count_once():
    model = nn.Module()
    model.a = nn.Linear(2, 2, rng=0)
    model.b = model.a
    model.again = [model.a.weight]
    assert list(model.named_parameters()) == ["a.weight", "a.bias"]


def test_modules_may_point_at_each_other():
    parent, child = nn.Module(), nn.Module()
    parent.child, child.parent, child.w = child, parent, scg.parameter(1.0)
    parent.loop = [parent]
    parent.loop.append(parent.loop)
    assert list(parent.named_parameters()) == ["child.w"]


def test_an_empty_list_shared_by_two_modules_hides_nothing():
    shared = []
    model = nn.Module()
    model.a, model.b = shared, shared
    shared.append(scg.parameter(1.0))
    assert list(model.named_parameters()) == ["a.0"]


def test_paths_that_read_the_same_are_refused():
    model = nn.Module()
    model.d = {"a.b": scg.parameter(1.0), "a": {"b": scg.parameter(2.0)}}
    with pytest.raises(OptionError, match=r"two parameters are at 'd\.a\.b'"):
        model.parameters()


def test_a_set_of_parameters_is_refused():
    model = nn.Module()
    model.kinds = {"a", "b"}
    assert model.parameters() == []
    model.bag = {scg.parameter(1.0)}
    with pytest.raises(OptionError, match="'bag' is a set"):
        model.parameters()


def test_a_deep_copy_is_another_model():
    model = Pair()
    twin = copy.deepcopy(model)
    twin.shift.assign([9.0])
    assert scg.peek(model.shift)[0] == 0.5
    assert list(twin.named_parameters()) == PATHS


# --- state -----------------------------------------------------------------------------------


def test_state_goes_round_and_is_a_copy():
    model, other = Pair(), Pair()
    for p in model.parameters():
        p.assign(scg.peek(p) + 1)
    state = model.state()
    assert list(state) == PATHS
    other.load_state(state)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert scg.peek(p).tobytes() == scg.peek(q).tobytes()
        p.assign(scg.peek(p) * 0)
    assert state["shift"][0] == 1.5


def test_loading_makes_a_pending_backward_refuse():
    model = Pair()
    loss = (model.shift**2).sum()
    model.load_state(model.state())
    with pytest.raises(scg.GradientError, match="shift was updated"):
        loss.backward()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("head.bias"), "the array head.bias is not in it"),
        (lambda s: s.update(other=np.zeros(1)), "its array other has no place here"),
        (lambda s: s.update(shift=np.zeros(2)), r"shift has shape \(2,\) there and \(1,\) here"),
        (lambda s: s.update(shift=np.zeros(1, np.float32)), "float32 there and float64 here"),
        (lambda s: s.update(shift=["x"]), "shift has dtype"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    model = Pair()
    before = model.state()
    state = {k: v + 1 for k, v in before.items()}
    change(state)
    with pytest.raises(CheckpointError, match=f"given to Pair .*{message}"):
        model.load_state(state)
    assert all(np.array_equal(before[k], v) for k, v in model.state().items())
    assert all(p.version == 0 for p in model.parameters())


# --- layers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", [(), (5,), (2, 5), (0,)])
def test_linear_is_affine(dtype, lead, rng):
    layer = nn.Linear(3, 2, rng=0, dtype=dtype)
    layer.bias.assign([1.0, -1.0])
    x = rng.standard_normal((*lead, 3)).astype(dtype)
    y = layer(x)
    assert y.dtype == dtype
    assert y.shape == (*lead, 2)
    expected = x.astype(np.float64) @ scg.peek(layer.weight) + [1.0, -1.0]
    np.testing.assert_allclose(scg.peek(y), expected, rtol=0, atol=16 * np.finfo(dtype).eps)


def test_linear_without_bias():
    layer = nn.Linear(3, 2, bias=False, rng=0)
    assert layer.bias is None
    assert list(layer.named_parameters()) == ["weight"]
    assert not scg.peek(layer(np.zeros((1, 3), np.float32))).any()


def test_the_gradient_is_that_of_the_formula(rng):
    net = nn.MLP([3, 4, 2], activation="tanh", rng=0, dtype=np.float64)
    x = rng.standard_normal((5, 3))

    def formula(w, b, v, c):
        return (scg.tanh(x @ w + b) @ v + c).sum()

    net(x).sum().backward()
    values = [scg.peek(p) for p in net.parameters()]
    scg.testing.check_grads(formula, *values)
    _, pull = scg.vjp(formula, *values)
    for p, expected in zip(net.parameters(), pull(), strict=True):
        np.testing.assert_allclose(p.grad, scg.peek(expected), rtol=1e-12)


def deviation(init, rows, columns):
    return {
        "glorot": math.sqrt(2 / (rows + columns)), "he": math.sqrt(2 / rows),
        "lecun": math.sqrt(1 / rows), "normal": 0.01,
    }[init]  # fmt: skip


@pytest.mark.parametrize("init", ["glorot", "he", "lecun", "normal"])
def test_initial_weights_have_their_variance(init):
    rows, columns = 200, 300
    w = scg.peek(nn.Linear(rows, columns, rng=0, dtype=np.float64, init=init).weight)
    expected = deviation(init, rows, columns)
    # For normal weights the mean square of n numbers deviates by sqrt(2 / n) relatively, for
    # uniform ones by less: five of these, and of the mean's deviations, are missed by chance with
    # a probability under 1e-6. The seed is fixed.
    n = w.size
    assert abs(np.mean(w**2) / expected**2 - 1) < 5 * math.sqrt(2 / n)
    assert abs(w.mean()) < 5 * expected / math.sqrt(n)
    if init == "glorot":
        assert np.max(np.abs(w)) <= math.sqrt(3) * expected


def test_the_seed_decides_and_layers_differ():
    a, b, c = (nn.MLP([4, 4, 4], rng=seed) for seed in (1, 1, 2))
    assert a.state().keys() == c.state().keys()
    assert all(np.array_equal(a.state()[k], v) for k, v in b.state().items())
    assert not np.array_equal(scg.peek(a[0].weight), scg.peek(c[0].weight))
    assert not np.array_equal(scg.peek(a[0].weight), scg.peek(a[2].weight))
    mlp = nn.MLP([4, 4, 4], rng=np.random.default_rng(1))
    assert np.array_equal(scg.peek(mlp[2].weight), scg.peek(a[2].weight))


def test_without_rng_the_common_seed_decides():
    def weights():
        layers = nn.Linear(4, 4), nn.Conv2d(1, 2, 3), nn.MLP([4, 4])
        return [scg.peek(p) for layer in layers for p in layer.parameters()]

    scg.seed(3)
    first, then = weights(), weights()
    scg.seed(3)
    assert all(np.array_equal(a, b) for a, b in zip(first, weights(), strict=True))
    assert not np.array_equal(first[0], then[0])


def test_sequential_applies_in_order_and_takes_functions():
    net = nn.Sequential(lambda x: x + 1.0, scg.exp, nn.Linear(1, 1, rng=0, dtype=np.float64))
    x = np.array([[0.5]])
    np.testing.assert_allclose(scg.peek(net(x)), scg.peek(net[2](np.exp(x + 1.0))))
    assert len(net) == 3
    assert list(net)[1] is scg.exp
    assert list(net.named_parameters()) == ["2.weight", "2.bias"]


def test_a_subclass_of_sequential_may_hold_more():
    net = nn.Sequential(nn.Linear(1, 1, bias=False, rng=0))
    net.scale = scg.parameter(1.0)
    assert list(net.named_parameters()) == ["0.weight", "scale"]


def test_mlp_alternates_and_ends_as_asked():
    net = nn.MLP([5, 4, 3, 2], activation="relu", rng=0, final=scg.sigmoid)
    assert repr(net) == (
        "MLP(Linear(5, 4), relu, Linear(4, 3), relu, Linear(3, 2), sigmoid)"
    )  # fmt: skip
    y = scg.peek(net(np.ones((1, 5), np.float32)))
    assert y.dtype == np.float32
    assert ((y > 0) & (y < 1)).all()
    assert repr(nn.MLP([5, 2], activation=np.tanh, rng=0)) == "MLP(Linear(5, 2))"


@pytest.mark.parametrize(("activation", "init"), [("relu", "he"), ("tanh", "glorot")])
def test_the_activation_decides_the_initial_weights(activation, init):
    w = nn.MLP([30, 20], activation=activation, rng=0)[0].weight
    same = nn.Linear(30, 20, rng=0, init=init).weight
    assert np.array_equal(scg.peek(w), scg.peek(same))
    forced = nn.MLP([30, 20], activation=activation, rng=0, init="normal")[0].weight
    assert np.abs(scg.peek(forced)).max() < 0.06


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(0, 2, rng=0), "Linear: in_features=0 must be a whole number from 1"),
        (lambda: nn.Linear(2, 2.0, rng=0), "out_features=2.0 must be a whole number"),
        (lambda: nn.Linear(True, 2, rng=0), "in_features=True"),
        (lambda: nn.Linear(2, 2, rng=0, init="magic"), "init='magic' is unknown; choose one of"),
        (lambda: nn.Linear(2, 2, rng="zero"), "rng='zero' is not a source of noise"),
        (lambda: nn.MLP([3], rng=0), r"sizes=\[3\] needs at least"),
        (lambda: nn.MLP([3, 2], activation="sum", rng=0), "activation='sum' is unknown"),
        (lambda: nn.MLP([3, 2], final="tahn", rng=0), "final='tahn' is unknown.*tanh"),
        (lambda: nn.Sequential([scg.exp]), "layer 0 is .*cannot be called"),
        (lambda: nn.Conv2d(1, 1, 0, rng=0), "Conv2d: height=0"),
        (lambda: nn.Conv2d(1, 1, (3, 3, 3), rng=0), r"kernel_size=\(3, 3, 3\)"),
    ],
)
def test_wrong_options_get_one_sentence(make, message):
    with pytest.raises(OptionError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_module_that_cannot_be_called_says_what_to_define():
    class Net(nn.Module):
        pass

    class Other(nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(NotImplementedError, match=r"^Net defines no __call__; give it one, def __"):
        Net()(1.0)
    with pytest.raises(NotImplementedError, match="Other defines no __call__; rename its forward"):
        Other()(1.0, extra=2)


@pytest.mark.parametrize("dtype", [int, np.float16, np.complex64])
def test_only_floats_can_be_trained(dtype):
    with pytest.raises(DTypeError, match="use float32 or float64"):
        nn.Linear(2, 2, rng=0, dtype=dtype)


@pytest.mark.parametrize("shape", [(), (4,), (5, 4), (3, 5)])
def test_a_wrong_input_is_told_where(shape):
    model = Pair()
    x = np.ones(shape, np.float32)
    with pytest.raises(ShapeError, match=r"^Linear\(2, 3\): the input has shape") as caught:
        model(x)
    assert str(shape) in str(caught.value)
    model.parameters()
    with pytest.raises(ShapeError, match=r"Linear\(2, 3\) at 'head': .* must have size 2"):
        model(x)


# --- convolution -----------------------------------------------------------------------------


def correlate(x, w, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], w)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_conv2d_correlates(dtype, stride, padding, rng):
    layer = nn.Conv2d(2, 3, (3, 2), stride=stride, padding=padding, rng=0, dtype=dtype)
    layer.bias.assign([1.0, 2.0, 3.0])
    x = rng.standard_normal((4, 2, 7, 6)).astype(dtype)
    expected = correlate(x, scg.peek(layer.weight), stride, padding) + np.reshape(
        [1, 2, 3], (3, 1, 1)
    )
    y = layer(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(scg.peek(y), expected, rtol=0, atol=100 * np.finfo(dtype).eps)
    y.sum().backward()
    assert layer.bias.grad.tolist() == [y.size / 3] * 3


def test_conv2d_refuses_other_channels():
    with pytest.raises(ShapeError, match=r"must be \(images, 2, height, width\)"):
        nn.Conv2d(2, 3, 3, rng=0)(np.ones((1, 3, 8, 8), np.float32))


def test_conv2d_same_padding_keeps_the_size():
    assert nn.Conv2d(1, 2, (4, 3), padding="same", rng=0)(np.ones((1, 1, 7, 6))).shape == (
        1,
        2,
        7,
        6,
    )


def test_conv2d_weights_sum_over_windows():
    w = scg.peek(nn.Conv2d(20, 30, (5, 4), rng=0, dtype=np.float64).weight)
    assert w.shape == (30, 20, 5, 4)
    # Five deviations of the mean square of normals, as for Linear.
    assert abs(np.mean(w**2) * 20 * 5 * 4 / 2 - 1) < 5 * math.sqrt(2 / w.size)


# --- a fit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_mlp_fits_xor(dtype):
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype)
    y = np.array([[0], [1], [1], [0]], dtype)
    net = nn.MLP([2, 8, 1], activation="tanh", rng=0, dtype=dtype)
    optimizer = optim.Adam(net, lr=0.05)
    start = scg.peek(((net(x) - y) ** 2).mean())
    for _ in range(300):
        optimizer.zero_grad()
        ((net(x) - y) ** 2).mean().backward()
        optimizer.step()
    assert start > 0.1
    assert np.abs(scg.peek(net(x)) - y).max() < 0.01

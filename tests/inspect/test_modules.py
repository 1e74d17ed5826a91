"""Which module a node belongs to."""

import numpy as np
import pytest

import scg
from scg.inspect._expressions import Expressions
from scg.inspect._modules import homes, path_of_parameter
from scg.inspect._scene import scene_of


class Encoder(scg.nn.Module):
    def __init__(self):
        self.fc1, self.fc2 = (scg.nn.Linear(3, 3, rng=0, dtype=np.float64) for _ in range(2))

    def __call__(self, x):
        return self.fc2(scg.tanh(self.fc1(x)) * 2.0)


class Model(scg.nn.Module):
    def __init__(self):
        self.encoder = Encoder()
        self.decoder = scg.nn.MLP([3, 4, 3], rng=1, dtype=np.float64)

    def __call__(self, x):
        return self.decoder(scg.exp(self.encoder(x)))


def paths(x):
    points = scene_of(x.sum()).points
    found = homes(points, Expressions())
    return [(p.name, found[p].path) for p in reversed(points) if p in found]


def test_what_lies_between_the_layers_of_a_module_is_of_it():
    model = Model()
    model.named_parameters()
    assert paths(model(np.ones((2, 3)))) == [
        ("linear", ("encoder", "fc1")), ("tanh", ("encoder",)), ("multiply", ("encoder",)),
        ("linear", ("encoder", "fc2")),
        ("linear", ("decoder", "0")), ("tanh", ("decoder",)), ("linear", ("decoder", "2")),
    ]  # fmt: skip


@pytest.mark.parametrize("named", [True, False])
def test_a_network_alone_is_called_as_its_variable(named):
    policy = scg.nn.MLP([3, 4, 1], rng=0, dtype=np.float64)
    if named:
        policy.named_parameters()
    found = paths(policy(np.ones((2, 3))))
    assert [name for name, _ in found] == ["linear", "tanh", "linear"]
    assert {path[0] for _, path in found} == {"policy"}


def test_a_network_without_a_variable_is_called_by_its_class():
    found = paths(scg.nn.MLP([3, 4, 1], rng=0, dtype=np.float64)(np.ones((2, 3))))
    assert {path[0] for _, path in found} == {"MLP"}


def test_a_parameter_alone_is_in_no_module():
    w = scg.parameter(1.0)
    assert path_of_parameter(w._node, Expressions()) == ()
    assert paths(w * 2.0) == []


def test_a_step_between_two_runs_of_a_network_is_not_of_it():
    net, x = scg.nn.Linear(3, 3, rng=0, dtype=np.float64), scg.parameter(np.ones(3), name="x")
    net.named_parameters()
    points = scene_of(net(scg.tanh(net(x))).sum()).points
    found = homes(points, Expressions())
    runs = [found[p].run for p in reversed(points) if p in found]
    assert [p.name for p in points if p in found] == ["linear", "linear"]
    assert runs == [0, 1]

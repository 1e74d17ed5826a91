"""Every program: exact gradient, the route of every draw, exact variance."""

import importlib

import numpy as np
import pytest
from conformance.catalogue import PROGRAMS
from conformance.pending import PENDING
from conformance.program import flat, routes, score_everywhere
from hypothesis import HealthCheck, Phase, given, settings

pytestmark = [
    pytest.mark.filterwarnings("ignore::scg.EscapeWarning"),
    pytest.mark.filterwarnings("ignore::scg.HandmadeSurrogateWarning"),
]

names = pytest.mark.parametrize("name", PROGRAMS)
compared = pytest.mark.parametrize("name", [n for n, p in PROGRAMS.items() if p.everywhere])
misread = pytest.mark.parametrize("name", [n for n, p in PROGRAMS.items() if p.wrong])


def exactly(ours, truth, tolerance=1e-8):
    error = np.abs(ours - truth)
    assert np.all(error <= tolerance * np.maximum(1.0, np.abs(truth))), (ours, truth)


@names
def test_the_gradient_and_its_variance(name):
    program = PROGRAMS[name]

    @settings(
        max_examples=program.examples,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],  # an example may take seconds: none is shrunk
    )
    @given(program.strategy())
    def check(values):
        mean, variance = program.estimate(values)
        # The truth of a Hessian is known from differences.
        exactly(mean, flat(program.truth(values)), 1e-8 if program.order == 1 else 1e-7)
        stated = program.stated_variance(values)
        if stated is not None:
            exactly(variance, stated, 1e-7)

    check()


@names
def test_routes(name):
    program = PROGRAMS[name]
    assert routes(program.fn, program.at) == program.routes


@compared
def test_the_score_function_everywhere_is_right_and_noisier(name):
    """What a library without routing and pruning would do; the rows that it wins say so."""
    program = PROGRAMS[name]
    mean, variance = score_everywhere(program, program.at)
    exactly(mean, flat(program.truth(program.at)), 1e-7)
    _, ours = program.estimate(program.at)
    assert (ours.sum() > variance.sum() * (1 + 1e-9)) == program.noisier, (ours, variance)


@misread
def test_the_hurried_readings_are_wrong(name):
    """Were one of them right, a pass above would prove nothing."""
    program = PROGRAMS[name]
    truth = flat(program.truth(program.at))
    for reading, gradient in program.wrong.items():
        found = flat(gradient(*program.at))
        assert np.max(np.abs(found - truth[: found.size])) > 1e-3, reading


@pytest.mark.parametrize("name", PENDING)
def test_what_a_pending_program_waits_for_does_not_exist_yet(name):
    module, _, wanted = PENDING[name][1].partition(".")
    here = importlib.import_module(f"scg.{module}")
    assert not hasattr(here, wanted), f"{name} can be entered into the programs now"

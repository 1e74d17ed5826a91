"""Random programs of the conformance suite, compiled: those that Python decides nothing in."""

import warnings

import numpy as np
from alike import check
from hypothesis import HealthCheck, Phase, given, seed, settings

import scg
from scg.errors import BiasedGradientError, EscapeWarning, GradientError, SupportError, TraceError
from scg.testing import programs
from scg.testing._programs.runs import compiled as as_function

WRITTEN, COMPILED = 500, 100
SEED = 2015


def corpus():
    """Return programs that are not meant to be refused, the same in every run."""
    found = {}

    @seed(SEED)
    @settings(
        max_examples=WRITTEN, database=None, deadline=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(programs(shrink=False))
    def collect(program):
        if not program.refusal:
            found.setdefault(str(program), program)

    collect()
    return list(found.values())


def build_of(program):
    run = as_function(program)

    def build():
        leaves = [scg.parameter(np.asarray(v, float), name=n) for n, v in program.parameters]

        def step():
            for leaf in leaves:
                leaf.zero_grad()
            loss = scg.as_tensor(run(*leaves))
            loss.backward()
            return loss

        return step, leaves

    return build


def moved(number, parameters):
    for p in parameters:
        p.assign(scg.peek(p) + 0.01 * number)


def runs_compiled(program):
    """Check a program if it can be compiled, and tell whether it can."""
    try:
        check(build_of(program), [(), (), (), ()], before=moved)
    except TraceError as error:
        assert "only known when the compiled step runs" in str(error) or "external" in str(error), (
            f"{error}\n{program}"
        )
        return False
    except (BiasedGradientError, SupportError):
        return False
    except GradientError as error:
        if not str(error).startswith("nothing trainable"):
            raise
        return False
    except AssertionError as error:
        raise AssertionError(f"{error}\n{program}") from error
    return True


def test_random_programs_do_the_same_compiled(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EscapeWarning)
        outcomes = [runs_compiled(program) for program in corpus()]
    with capsys.disabled():
        print(f"\n{sum(outcomes)} of {len(outcomes)} random programs were compiled")
    assert sum(outcomes) >= COMPILED

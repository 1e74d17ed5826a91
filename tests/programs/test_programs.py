"""Random programs: every gradient is unbiased, and every planted fault is found."""

from collections import Counter

import pytest
from corpus import CI, NIGHTLY, SEED, corpus, each, truth
from faults import FAULTS, programs_until_found
from features import FEATURES, features

import scg
from scg.testing import check_program
from scg.testing._programs.runs import compiled

SHARE = 0.15  # of the programs that have a feature, at least


def prove(count, start, *, shrink=False):
    """Prove so many programs, and return the verdicts."""
    found = {}

    @each(count, start=start, shrink=shrink)
    def one(program):
        known = truth(program) if count == CI else None
        found[program] = check_program(program, truth=known)

    one()
    return found


def report(found, capsys):
    """Print what was proved and return the share of each feature."""
    counts = Counter(f for program in found for f in features(program))
    shares = {name: counts[name] / len(found) for name in FEATURES}
    refused = sum(v.refused for v in found.values())
    with capsys.disabled():
        print(
            f"\n{len(found)} programs, {sum(v.runs for v in found.values())} paths, {refused} "
            f"refused as they must be, largest error {max(v.error for v in found.values()):.1e}"
        )
        for name, share in shares.items():
            print(f"  {name:22}{share:6.0%}")
    return shares


def test_gradients_of_random_programs_are_unbiased(capsys):
    found = prove(CI, SEED)
    shares = report(found, capsys)
    assert len(found) >= 200
    assert min(shares.values()) > SHARE
    assert 0.02 < sum(v.refused for v in found.values()) / len(found) < 0.4


def test_programs_that_shrink_are_unbiased():
    assert len(prove(20, SEED, shrink=True)) > 10


@pytest.mark.slow
def test_gradients_of_many_random_programs_are_unbiased(capsys):
    found = prove(NIGHTLY, SEED + 1)
    shares = report(found, capsys)
    assert len(found) >= 2000
    assert min(shares.values()) > SHARE


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault, capsys):
    number = programs_until_found(fault)
    with capsys.disabled():
        print(f"\n  {fault.name:50} found by program {number:3}")


def test_the_programs_are_the_same_every_time():
    first, second = [], []
    each(5)(lambda program: first.append(program))()
    each(5)(lambda program: second.append(program))()
    assert first == second


def test_the_reference_agrees_with_the_general_tool():
    """Differences of an adaptive integral of the program itself know nothing of the reference."""
    whole = [p for p in corpus() if len(p.wrt) == len(p.parameters)]
    for program in [p for p in whole if len(truth(p).paths) < 40][::8]:
        leaves = [scg.parameter(v) for _, v in program.parameters]
        exact = scg.testing.exact_gradient(compiled(program), *leaves)
        for ours, theirs in zip(truth(program).gradient, exact, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-8)

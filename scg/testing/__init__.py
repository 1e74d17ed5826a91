"""Tools that prove gradients right: for this library's tests and for yours."""

from scg.testing._distributions import check_distribution
from scg.testing._exact import (
    Estimate,
    check_unbiased,
    exact_expectation,
    exact_gradient,
    expected_estimate,
)
from scg.testing._grads import check_grads
from scg.testing._limits import ExactnessError
from scg.testing._programs import Program, Verdict, check_program, programs

__all__ = [
    "Estimate", "ExactnessError", "Program", "Verdict", "check_distribution", "check_grads",
    "check_program", "check_unbiased", "exact_expectation", "exact_gradient", "expected_estimate",
    "programs",
]  # fmt: skip

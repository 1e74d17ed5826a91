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

__all__ = [
    "Estimate", "ExactnessError", "check_distribution", "check_grads", "check_unbiased",
    "exact_expectation", "exact_gradient", "expected_estimate",
]  # fmt: skip

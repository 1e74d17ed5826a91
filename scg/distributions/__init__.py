"""Distributions: parameters, support, sampler, log-probability; one family per file."""

from scg.distributions._base import Distribution
from scg.distributions.normal import Normal

__all__ = ["Distribution", "Normal"]

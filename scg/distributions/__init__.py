"""Distributions: parameters, support, sampler, log-probability; one family per file."""

from scg.distributions._base import Distribution
from scg.distributions._kl import kl_divergence
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.normal import Normal

__all__ = ["Bernoulli", "Distribution", "Normal", "kl_divergence"]

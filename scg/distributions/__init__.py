"""Distributions: parameters, support, sampler, log-probability; one family per file."""

from scg.distributions._base import Distribution
from scg.distributions._kl import kl_divergence
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.categorical import Categorical
from scg.distributions.exponential import Exponential
from scg.distributions.gamma import Gamma
from scg.distributions.normal import Normal
from scg.distributions.one_hot_categorical import OneHotCategorical
from scg.distributions.uniform import Uniform

__all__ = [
    "Bernoulli", "Categorical", "Distribution", "Exponential", "Gamma", "Normal",
    "OneHotCategorical", "Uniform", "kl_divergence",
]  # fmt: skip

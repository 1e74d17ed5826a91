"""Distributions: parameters, support, sampler, log-probability; one family per file."""

from scg.distributions._base import Distribution
from scg.distributions._kl import kl_divergence
from scg.distributions.bernoulli import Bernoulli
from scg.distributions.binomial import Binomial
from scg.distributions.categorical import Categorical
from scg.distributions.exponential import Exponential
from scg.distributions.gamma import Gamma
from scg.distributions.geometric import Geometric
from scg.distributions.mixture import Mixture
from scg.distributions.multivariate_normal import MultivariateNormal
from scg.distributions.normal import Normal
from scg.distributions.one_hot_categorical import OneHotCategorical
from scg.distributions.poisson import Poisson
from scg.distributions.rank_one_normal import RankOneNormal
from scg.distributions.uniform import Uniform

__all__ = [
    "Bernoulli", "Binomial", "Categorical", "Distribution", "Exponential", "Gamma", "Geometric",
    "Mixture", "MultivariateNormal", "Normal", "OneHotCategorical", "Poisson", "RankOneNormal",
    "Uniform", "kl_divergence",
]  # fmt: skip

"""Objectives made of expectations: the evidence lower bound and its parts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scg._op import OPS
from scg._tensor import Tensor
from scg.distributions import Distribution, kl_divergence
from scg.errors import OptionError, ShapeError

__all__ = ["Elbo", "elbo", "iwae", "minibatch_scale"]


@dataclass(frozen=True, slots=True)
class Elbo:
    """The evidence lower bound of a minibatch and its two parts, in nats per example.

    Attributes
    ----------
    value : Tensor, shape (batch,)
        `reconstruction - kl`; its negative mean is the loss.
    reconstruction : Tensor, shape (batch,)
        `log p(x | z)`.
    kl : Tensor, shape (batch,)
        `KL(q(z | x) || p(z))`, exact or sampled.

    Examples
    --------
    >>> import scg
    >>> bound = scg.Elbo(scg.tensor([-3.0]), scg.tensor([-2.0]), scg.tensor([1.0]))
    >>> bound.value
    Tensor([-3.])
    """

    value: Tensor
    reconstruction: Tensor
    kl: Tensor


def elbo(
    log_likelihood: Tensor, posterior: Distribution, prior: Distribution, z: Tensor, *,
    kl: str = "analytic",
) -> Elbo:  # fmt: skip
    """Form the evidence lower bound `E_q[log p(x | z)] - KL(q(z | x) || p(z))` of each example.

    Parameters
    ----------
    log_likelihood : Tensor, shape (batch, ...)
        `log p(x | z)` at the drawn `z`; axes after the first are summed.
    posterior, prior : Distribution
        `q(z | x)` and `p(z)`; axes after the first are summed.
    z : Tensor
        The draw from `posterior`.
    kl : {"analytic", "sampled"}
        Estimator B of Kingma and Welling, with the KL term in closed form, or estimator A, with
        `log q(z | x) - log p(z)` at the drawn `z`. A needs no closed form and has more variance.

    Returns
    -------
    Elbo

    Raises
    ------
    OptionError
        If `kl` is neither, or the pair has no closed form.
    ShapeError
        If the batch axes of likelihood and posterior differ.

    Notes
    -----
    Unbiased. Source: Kingma and Welling (2014), "Auto-Encoding Variational Bayes", eq. 6 and 7,
    arXiv 1312.6114.

    Examples
    --------
    >>> import scg
    >>> q, p = scg.Normal([0.5], 1.0), scg.Normal([0.0], 1.0)
    >>> scg.elbo(scg.tensor([-1.0]), q, p, q.sample(rng=0)).value
    Tensor([-1.125])
    """
    reconstruction = per_example(log_likelihood)
    if kl == "analytic":
        divergence = per_example(kl_divergence(posterior, prior))
    elif kl == "sampled":
        divergence = per_example(posterior.log_prob(z)) - per_example(prior.log_prob(z))
    else:
        raise OptionError(f'scg.elbo: kl={kl!r} is not "analytic" or "sampled"')
    if divergence.shape != reconstruction.shape:
        raise ShapeError(
            f"scg.elbo: the likelihood has batch shape {reconstruction.shape}, the posterior "
            f"{divergence.shape}"
        )
    return Elbo(reconstruction - divergence, reconstruction, divergence)


def iwae(log_weights: Tensor, *, axis: int = 0) -> Tensor:
    """Form the importance-weighted bound `E[log 1/k sum_i w_i]` of each example from k samples.

    Parameters
    ----------
    log_weights : Tensor, shape (k, batch)
        `log p(x, z_i) - log q(z_i | x)` for k independent draws of z.
    axis : int
        Of the samples.

    Returns
    -------
    Tensor, shape (batch,)
        Its negative mean is the loss. With one sample it is the evidence lower bound; with more it
        never falls in expectation, and it approaches log p(x).

    Raises
    ------
    ShapeError
        If there is no such axis, or no sample along it.

    Notes
    -----
    The gradient is unbiased for the bound with k samples, which is a bias as a gradient of
    log p(x). Where draws are scored, each is weighted with the whole bound. Source: Burda, Grosse
    and Salakhutdinov (2016), "Importance Weighted Autoencoders", eq. 8, arXiv 1509.00519.

    Examples
    --------
    >>> import numpy as np, scg
    >>> scg.iwae(scg.tensor(np.log([[1.0], [3.0]])))
    Tensor([0.69314718])
    """
    if not -log_weights.ndim <= axis < log_weights.ndim or not log_weights.shape[axis]:
        raise ShapeError(
            f"scg.iwae: log_weights of shape {log_weights.shape} have no samples along axis {axis}"
        )
    total: Tensor = OPS["logsumexp"].public(log_weights, axis=axis)
    return total - math.log(log_weights.shape[axis])


def per_example(x: Tensor) -> Tensor:
    """Sum over all axes but the first."""
    if x.ndim < 2:
        return x
    return OPS["sum"].public(x, axis=tuple(range(1, x.ndim)))  # type: ignore[no-any-return]


def minibatch_scale(data_size: int, batch_size: int) -> float:
    """Return n / m, by which the sum over a minibatch estimates the sum over the data.

    Parameters
    ----------
    data_size, batch_size : int
        n and m, positive.

    Returns
    -------
    float

    Raises
    ------
    OptionError
        If either is not positive or the batch is larger than the data.

    Notes
    -----
    Unbiased when the minibatch is drawn uniformly. Source: Kingma and Welling (2014), eq. 8.

    Examples
    --------
    >>> import scg
    >>> scg.minibatch_scale(60000, 100)
    600.0
    """
    values: Any = (data_size, batch_size)
    if not 0 < batch_size <= data_size:
        raise OptionError(f"scg.minibatch_scale: data size and batch size {values} do not fit")
    return data_size / batch_size

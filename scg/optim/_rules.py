"""The update rules; `scg.kernels.optim` applies each in one pass over memory."""

from __future__ import annotations

from typing import Any

from scg.kernels import optim as kernels
from scg.optim._optimizer import Optimizer
from scg.optim._options import Parameters, Schedule, fraction, nonnegative, positive

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Momentum", "RMSProp"]


class SGD(Optimizer):
    """Stochastic gradient descent: `p -= lr * (g + weight_decay * p)`.

    Parameters
    ----------
    params : Module, dict or iterable of Tensor
        What to train. A parameter without a gradient is skipped by `step`.
    lr : float or callable
        The step size, or a schedule of the number of steps done.
    weight_decay : float
        Coefficient of the quadratic penalty `weight_decay / 2 * sum(p**2)`.
    check_finite : bool
        Whether `step` refuses gradients with NaN or infinities before it changes anything. Off by
        default, because it costs another pass over the gradients.

    Raises
    ------
    OptionError
        If a number is out of range, or `params` is empty or holds a parameter twice.
    GradientError
        If an entry of `params` was not made by `scg.parameter`.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter(3.0)
    >>> optimizer = scg.optim.SGD([x], lr=0.25)
    >>> for _ in range(20):
    ...     optimizer.zero_grad()
    ...     ((x - 1.0) ** 2).backward()
    ...     optimizer.step()
    >>> f"{scg.peek(x):.4f}"
    '1.0000'
    """

    _rule = kernels.SGD

    def __init__(
        self, params: Parameters, lr: float | Schedule, *, weight_decay: float = 0.0,
        check_finite: bool = False,
    ) -> None:  # fmt: skip
        (self._decay,) = nonnegative(type(self).__name__, weight_decay=weight_decay)
        super().__init__(params, lr, check_finite=check_finite, weight_decay=self._decay)

    def _scalars(self, rate: float, count: int) -> kernels.Scalars:
        return kernels.SGD.scalars(rate, self._decay)


class Momentum(Optimizer):
    """Descent along a decaying sum of gradients: `v = beta * v + g`, then `p -= lr * v`.

    Parameters
    ----------
    params, lr, weight_decay, check_finite
        As in `SGD`.
    beta : float
        Decay of the velocity, in [0, 1).
    nesterov : bool
        Step along `g + beta * v`, the gradient seen from where the velocity leads
        (Sutskever et al. 2013).

    Raises
    ------
    OptionError, GradientError
        As in `SGD`.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter(1.0)
    >>> optimizer = scg.optim.Momentum([x], lr=0.1, beta=0.5)
    >>> x.grad = 1.0
    >>> optimizer.step(); optimizer.step()
    >>> f"{scg.peek(x):.2f}"
    '0.75'
    """

    _rule, _slots = kernels.MOMENTUM, ("velocity",)

    def __init__(
        self, params: Parameters, lr: float | Schedule, *, beta: float = 0.9,
        nesterov: bool = False, weight_decay: float = 0.0, check_finite: bool = False,
    ) -> None:  # fmt: skip
        who = type(self).__name__
        (self._beta,) = fraction(who, beta=beta)
        (self._decay,) = nonnegative(who, weight_decay=weight_decay)
        self._nesterov = bool(nesterov)
        super().__init__(params, lr, check_finite=check_finite, beta=self._beta,
                         nesterov=self._nesterov, weight_decay=self._decay)  # fmt: skip

    def _scalars(self, rate: float, count: int) -> kernels.Scalars:
        return kernels.MOMENTUM.scalars(
            rate, self._beta, nesterov=self._nesterov, weight_decay=self._decay
        )


class RMSProp(Optimizer):
    """Gradients divided by their running root mean square (Tieleman and Hinton 2012).

    Parameters
    ----------
    params, lr, weight_decay, check_finite
        As in `SGD`.
    alpha : float
        Decay of the running mean of squares, in [0, 1).
    eps : float
        Added to the root, outside it; positive.

    Raises
    ------
    OptionError, GradientError
        As in `SGD`.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter(1.0)
    >>> optimizer = scg.optim.RMSProp([x], lr=0.5, alpha=0.75)
    >>> x.grad = 8.0
    >>> optimizer.step()
    >>> abs(float(x)) < 1e-8
    True
    """

    _rule, _slots = kernels.RMSPROP, ("square",)

    def __init__(
        self, params: Parameters, lr: float | Schedule = 0.01, *, alpha: float = 0.99,
        eps: float = 1e-8, weight_decay: float = 0.0, check_finite: bool = False,
    ) -> None:  # fmt: skip
        who = type(self).__name__
        (self._alpha,), (self._eps,) = fraction(who, alpha=alpha), positive(who, eps=eps)
        (self._decay,) = nonnegative(who, weight_decay=weight_decay)
        super().__init__(params, lr, check_finite=check_finite, alpha=self._alpha, eps=self._eps,
                         weight_decay=self._decay)  # fmt: skip

    def _scalars(self, rate: float, count: int) -> kernels.Scalars:
        return kernels.RMSPROP.scalars(rate, self._alpha, self._eps, weight_decay=self._decay)


class AdaGrad(Optimizer):
    """Gradients divided by the root of their sum of squares so far (Duchi et al. 2011).

    Parameters
    ----------
    params, lr, weight_decay, check_finite
        As in `SGD`.
    eps : float
        Added to the root, outside it; positive.

    Raises
    ------
    OptionError, GradientError
        As in `SGD`.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter(1.0)
    >>> optimizer = scg.optim.AdaGrad([x], lr=0.5)
    >>> x.grad = 8.0
    >>> optimizer.step()
    >>> f"{scg.peek(x):.4f}"
    '0.5000'
    """

    _rule, _slots = kernels.ADAGRAD, ("total",)

    def __init__(
        self, params: Parameters, lr: float | Schedule = 0.01, *, eps: float = 1e-10,
        weight_decay: float = 0.0, check_finite: bool = False,
    ) -> None:  # fmt: skip
        who = type(self).__name__
        (self._eps,) = positive(who, eps=eps)
        (self._decay,) = nonnegative(who, weight_decay=weight_decay)
        super().__init__(params, lr, check_finite=check_finite, eps=self._eps,
                         weight_decay=self._decay)  # fmt: skip

    def _scalars(self, rate: float, count: int) -> kernels.Scalars:
        return kernels.ADAGRAD.scalars(rate, self._eps, weight_decay=self._decay)


class Adam(Optimizer):
    """Running means of the gradient and its square, corrected for their start at zero.

    Kingma and Ba (2015), "Adam: a method for stochastic optimization", arXiv 1412.6980.

    Parameters
    ----------
    params, lr, check_finite
        As in `SGD`.
    beta1, beta2 : float
        Decays of the two means, in [0, 1).
    eps : float
        Added to the root of the corrected second moment, outside it; positive.
    weight_decay : float
        Coefficient of a quadratic penalty, part of the gradient; see `AdamW` for the other kind.

    Raises
    ------
    OptionError, GradientError
        As in `SGD`.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter(1.0)
    >>> optimizer = scg.optim.Adam([x], lr=0.25)
    >>> x.grad = 1000.0
    >>> optimizer.step()
    >>> f"{scg.peek(x):.4f}"
    '0.7500'
    """

    _rule, _slots = kernels.ADAM, ("mean", "square")
    _decoupled = False

    def __init__(
        self, params: Parameters, lr: float | Schedule = 1e-3, *, beta1: float = 0.9,
        beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.0,
        check_finite: bool = False,
    ) -> None:  # fmt: skip
        who = type(self).__name__
        self._beta1, self._beta2 = fraction(who, beta1=beta1, beta2=beta2)
        (self._eps,) = positive(who, eps=eps)
        (self._decay,) = nonnegative(who, weight_decay=weight_decay)
        super().__init__(params, lr, check_finite=check_finite, beta1=self._beta1,
                         beta2=self._beta2, eps=self._eps, weight_decay=self._decay)  # fmt: skip

    def _scalars(self, rate: float, count: int) -> kernels.Scalars:
        return kernels.ADAM.scalars(
            rate, self._beta1, self._beta2, self._eps, step=count, weight_decay=self._decay,
            decoupled=self._decoupled,
        )  # fmt: skip


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters beside the step, not through the gradient.

    Loshchilov and Hutter (2019), "Decoupled weight decay regularization", arXiv 1711.05101.

    Parameters
    ----------
    params, lr, check_finite, beta1, beta2, eps
        As in `Adam`.
    weight_decay : float
        Each step multiplies the parameters by `1 - lr * weight_decay`.

    Raises
    ------
    OptionError, GradientError
        As in `SGD`.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter(1.0)
    >>> optimizer = scg.optim.AdamW([x], lr=0.5, weight_decay=0.5)
    >>> x.grad = 0.0
    >>> optimizer.step()
    >>> float(x)
    0.75
    """

    _decoupled = True

    def __init__(
        self, params: Parameters, lr: float | Schedule = 1e-3, *, weight_decay: float = 0.01,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay=weight_decay, **options)

"""Stochastic computation graphs with unbiased gradients, on NumPy and Numba."""

import importlib
from typing import TYPE_CHECKING, Any

from scg import _interrupt  # first: it watches over the imports that follow

# isort: split

from scg import checkpoint, estimators, nn, optim, testing
from scg import distributions as _distributions
from scg import ops as _ops
from scg._custom import custom_op as op
from scg._run import episode
from scg._surrogate import Tag, cost, external, stateless, strict, surrogate
from scg._tensor import Tensor, as_tensor, parameter, peek, tensor
from scg.autodiff import grad, hessian, hvp, jacobian, vjp
from scg.distributions import *  # noqa: F403
from scg.errors import *  # noqa: F403
from scg.inspect import audit, formula, render, to_graphviz
from scg.noise import seed
from scg.objectives import Elbo, elbo, minibatch_scale
from scg.ops import *  # noqa: F403
from scg.tape import no_grad

if TYPE_CHECKING:
    from scg import data

__version__ = "0.1.0"
__all__ = [
    "Elbo", "Tag", "Tensor", "as_tensor", "audit", "checkpoint", "cost", "data", "elbo", "episode",
    "estimators", "external", "formula", "grad", "hessian", "hvp", "jacobian", "minibatch_scale",
    "nn", "no_grad", "op", "optim", "parameter", "peek", "render", "seed", "stateless", "strict",
    "surrogate", "tensor", "testing", "to_graphviz", "vjp", *_distributions.__all__, *_ops.__all__,
]  # fmt: skip


_interrupt.imported()


def __getattr__(name: str) -> Any:
    """Import `scg.data` when it is first asked for: it brings HTTP along, which costs time."""
    if name == "data":
        return importlib.import_module("scg.data")
    raise AttributeError(f"module 'scg' has no attribute '{name}'")

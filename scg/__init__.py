"""Stochastic computation graphs with unbiased gradients, on NumPy and Numba."""

import sys
from typing import TYPE_CHECKING, Any

from scg import _interrupt  # first: it watches over the imports that follow

# isort: split

from scg import distributions as _distributions
from scg import ops as _ops
from scg._compile import jit, warmup
from scg._custom import custom_op as op
from scg._peek import peek
from scg._run import episode
from scg._surrogate import Tag, cost, external, stateless, strict, surrogate
from scg._tensor import Tensor, as_tensor, parameter, tensor
from scg.autodiff import grad, hessian, hvp, jacobian, vjp
from scg.distributions import *  # noqa: F403
from scg.errors import *  # noqa: F403
from scg.noise import seed
from scg.objectives import Elbo, elbo, iwae, minibatch_scale
from scg.ops import *  # noqa: F403
from scg.tape import no_grad

if TYPE_CHECKING:
    from scg import checkpoint, data, estimators, nn, optim, testing
    from scg import experiment as experiment
    from scg import inspect as inspect  # not in __all__: it would hide Python's
    from scg.inspect import audit, formula, render, to_graphviz

__version__ = "0.1.0"
__all__ = [
    "Elbo", "Tag", "Tensor", "as_tensor", "audit", "checkpoint", "cost", "data", "elbo", "episode",
    "estimators", "external", "formula", "grad", "hessian", "hvp", "iwae", "jacobian", "jit",
    "minibatch_scale", "nn", "no_grad", "op", "optim", "parameter", "peek", "render", "seed",
    "stateless", "strict", "surrogate", "tensor", "testing", "to_graphviz", "vjp", "warmup",
    *_distributions.__all__, *_ops.__all__,
]  # fmt: skip


_interrupt.imported()

if not TYPE_CHECKING:  # a type checker would take every misspelt name for one of these

    def __getattr__(name: str) -> Any:
        """Import a public submodule when it is first asked for: all of them cost too much time."""
        import importlib

        if name in ("audit", "formula", "render", "to_graphviz"):
            return getattr(importlib.import_module("scg.inspect"), name)
        if not name.startswith("_"):
            try:
                return importlib.import_module(f"scg.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"scg.{name}":
                    raise
        text = f"module 'scg' has no attribute '{name}'"
        raise AttributeError(text, name=name, obj=sys.modules["scg"])  # Python suggests another

    def __dir__() -> list[str]:
        """Return all names, those of submodules that nobody has asked for yet too."""
        import pkgutil

        submodules = (module.name for module in pkgutil.iter_modules(__path__))  # noqa: F405
        return sorted({*globals(), *__all__, *(n for n in submodules if not n.startswith("_"))})

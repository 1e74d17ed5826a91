"""Branch-free elementary functions that LLVM vectorises inside any loop that calls them.

LLVM has no packed exp or log of its own, so that a loop over `math.exp` calls the C library once
per element. These functions are straight lines of arithmetic: both sides of every choice are
computed and one is selected. Each exists for float32 (`_f32`) and float64 (`_f64`), takes and
returns one scalar of that dtype. `simd_elementary.py` and `simd_special.py` state the accuracy.
"""

from __future__ import annotations

from scg.kernels.simd_elementary import (
    exp_f32,
    exp_f64,
    expm1_f32,
    expm1_f64,
    log1p_f32,
    log1p_f64,
    log_f32,
    log_f64,
    log_sigmoid_f32,
    log_sigmoid_f64,
    sigmoid_f32,
    sigmoid_f64,
    softplus_f32,
    softplus_f64,
    tanh_f32,
    tanh_f64,
)
from scg.kernels.simd_special import (
    digamma_f32,
    digamma_f64,
    erf_f32,
    erf_f64,
    erfc_f32,
    erfc_f64,
    gammaln_f32,
    gammaln_f64,
)

__all__ = [
    "digamma_f32", "digamma_f64", "erf_f32", "erf_f64", "erfc_f32", "erfc_f64", "exp_f32",
    "exp_f64", "expm1_f32", "expm1_f64", "gammaln_f32", "gammaln_f64", "log1p_f32", "log1p_f64",
    "log_f32", "log_f64", "log_sigmoid_f32", "log_sigmoid_f64", "sigmoid_f32", "sigmoid_f64",
    "softplus_f32", "softplus_f64", "tanh_f32", "tanh_f64",
]  # fmt: skip

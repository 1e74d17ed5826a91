"""Gradient estimators of draws: pass one as `dist.sample(estimator=...)`. One per file."""

from scg.estimators._base import Estimator
from scg.estimators.enumerate import Enumerate
from scg.estimators.gaussian_hessian import GaussianHessian
from scg.estimators.gumbel_softmax import GumbelSoftmax
from scg.estimators.leave_one_out import BatchMean, LeaveOneOut
from scg.estimators.pathwise import Pathwise
from scg.estimators.running_mean import RunningMean
from scg.estimators.score import Score

__all__ = [
    "BatchMean", "Enumerate", "Estimator", "GaussianHessian", "GumbelSoftmax", "LeaveOneOut",
    "Pathwise", "RunningMean", "Score",
]  # fmt: skip

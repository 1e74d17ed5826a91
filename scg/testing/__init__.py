"""Tools that prove gradients right: for this library's tests and for yours."""

from scg.testing._grads import check_grads

__all__ = ["check_grads"]

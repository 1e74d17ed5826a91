"""The ops by name, and the two namespaces that a vjp may compute with: on arrays, or on tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scg._op import Op

__all__ = ["OPS", "RAW", "TRACED"]

OPS: dict[str, Op] = {}


class _Namespace:
    """What a vjp computes with: every op under its own name, on arrays or on tensors."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        if name not in OPS:
            raise AttributeError(f"no op is named '{name}'")
        function = getattr(OPS[name], self._kind)
        setattr(self, name, function)
        return function


RAW = _Namespace("forward")
TRACED = _Namespace("public")

"""Checks of options: one sentence for each mistake."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from scg._tensor import Tensor
from scg.errors import GradientError, OptionError
from scg.nn import Module

__all__ = ["Parameters", "Schedule", "fraction", "named", "nonnegative", "positive"]

Schedule: TypeAlias = Callable[[int], float]
Parameters: TypeAlias = Module | Mapping[str, Tensor] | Iterable[Tensor]


def named(who: str, params: Parameters) -> dict[str, Tensor]:
    """Return parameters by name: a module's paths, a dict's keys, or the places in a list."""
    entries = dict(_entries(who, params))
    if not entries:
        raise OptionError(f"{who}: there are no parameters; pass a module or a list of them")
    seen: dict[int, str] = {}
    for name, p in entries.items():
        if not isinstance(p, Tensor) or not p.is_parameter:
            what = f"{type(p).__name__} of shape {p.shape}" if hasattr(p, "shape") else repr(p)
            raise GradientError(f"{who}: entry '{name}' is a {what}, which scg.parameter did not "
                                "make; only such tensors can be trained")  # fmt: skip
        if id(p) in seen:
            raise OptionError(
                f"{who}: entries '{seen[id(p)]}' and '{name}' are the same parameter, which would "
                "be updated twice; pass it once"
            )
        seen[id(p)] = name
    return entries


def _entries(who: str, params: Any) -> Iterable[tuple[str, Tensor]]:
    if isinstance(params, Module):
        return params.named_parameters().items()
    if isinstance(params, Mapping):
        return ((str(key), p) for key, p in params.items())
    if isinstance(params, Tensor | set | frozenset) or not isinstance(params, Iterable):
        raise OptionError(
            f"{who}: params is a {type(params).__name__}; pass a module, or a list or dict of "
            "parameters"
        )
    return ((str(index), p) for index, p in enumerate(params))


def _number(who: str, name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise OptionError(f"{who}: {name}={value!r} must be a finite number")
    return number


def nonnegative(who: str, **values: Any) -> tuple[float, ...]:
    """Return finite numbers that are not negative."""
    numbers = [_number(who, name, value) for name, value in values.items()]
    for name, number in zip(values, numbers, strict=True):
        if number < 0:
            raise OptionError(f"{who}: {name}={number} must not be negative")
    return tuple(numbers)


def positive(who: str, **values: Any) -> tuple[float, ...]:
    """Return finite numbers above zero."""
    numbers = nonnegative(who, **values)
    for name, number in zip(values, numbers, strict=True):
        if number == 0:
            raise OptionError(f"{who}: {name}={number} must be positive")
    return numbers


def fraction(who: str, **values: Any) -> tuple[float, ...]:
    """Return numbers in [0, 1)."""
    numbers = [_number(who, name, value) for name, value in values.items()]
    for name, number in zip(values, numbers, strict=True):
        if not 0 <= number < 1:
            raise OptionError(f"{who}: {name}={number} must lie in [0, 1)")
    return tuple(numbers)

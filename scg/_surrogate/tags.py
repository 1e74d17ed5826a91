"""What is known of a gradient beyond its value: bias, and how often it can be differentiated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from scg.errors import BiasedGradientError

__all__ = ["Tag", "check_strict", "derived", "is_strict", "strict"]


@dataclass(frozen=True, slots=True)
class Tag:
    """A fact about a gradient.

    Attributes
    ----------
    kind : {"BIASED", "max_order"}
        Its expectation is not the gradient; or it cannot be differentiated further.
    reason : str
        What made it so.
    where : str
        The user's line.
    left : int
        Of `max_order`: how many more derivatives are right.
    surrogate : bool
        Of `max_order`: it stands on what came from `scg.surrogate`, whose recorded value must not
        be differentiated further either.

    Examples
    --------
    >>> import scg
    >>> theta = scg.parameter(0.5)
    >>> noise = scg.Normal(0.0, 1.0).sample()
    >>> (theta * scg.detach(theta + noise)).backward()
    >>> [(tag.kind, tag.reason) for tag in theta.tags]
    [('BIASED', 'detach')]
    """

    kind: str
    reason: str
    where: str = ""
    left: int = 0
    surrogate: bool = False

    def __str__(self) -> str:
        where = f" at {self.where}" if self.where else ""
        return f"{self.kind}({self.reason}){where}"


def derived(tags: Iterable[Tag]) -> frozenset[Tag]:
    """Return what is to be known of a derivative of what has these tags."""
    return frozenset(replace(tag, left=tag.left - 1) if tag.left else tag for tag in tags)


_strict: ContextVar[bool] = ContextVar("scg_strict", default=False)


@contextmanager
def strict() -> Iterator[None]:
    """Refuse biased gradients even where the user asked for them, inside a `with` block.

    Examples
    --------
    >>> import scg
    >>> a = scg.parameter(0.3)
    >>> z = scg.Normal(a, 1.0).sample()
    >>> with scg.strict():
    ...     (z * z).backward()
    """
    token = _strict.set(True)
    try:
        yield
    finally:
        _strict.reset(token)


def is_strict() -> bool:
    """Tell whether the user wants no biased gradient here."""
    return _strict.get()


def check_strict(tags: Iterable[Tag]) -> None:
    """Raise for the first biased tag if the user wants none."""
    biased = [tag for tag in tags if tag.kind == "BIASED"]
    if biased and _strict.get():
        raise BiasedGradientError(
            f"scg.strict: this gradient is tagged {biased[0]}; remove that step, or leave strict() "
            "to accept the bias"
        )

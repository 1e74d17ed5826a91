"""What an estimator is: how to draw, which route to take, what to subtract, what to confess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from scg._tensor import Tensor
from scg._typing import Shape
from scg.noise import Source

__all__ = ["Estimator"]


class Estimator:
    """How the gradient of one draw is estimated.

    A subclass sets `route`, and may define `draw` (another way to draw), `baseline_of(weighted)`
    (what to subtract from the weight of the score) and `importance(probability)` (by how much
    each element counts: a tensor, differentiated in place of a score). Nothing else has to know.

    Attributes
    ----------
    route : {"auto", "pathwise", "score"}
        What backward does with the draw.
    biased : str or None
        Why the gradient is biased, if it is; the gradient is tagged with it.
    averaged : bool
        The importances are those in a mean over the leading axis of the draw; a loss that takes the
        elements together otherwise is refused.

    Examples
    --------
    >>> import scg
    >>> class Mine(scg.estimators.Estimator):
    ...     route = "score"
    ...     def baseline_of(self, weighted):
    ...         return 0.5
    >>> scg.Bernoulli(0.5).sample(estimator=Mine(), rng=0).shape
    ()
    """

    route: ClassVar[str] = "auto"
    biased: str | None = None
    averaged: ClassVar[bool] = False

    def draw(
        self, distribution: Any, source: Source, sizes: Shape, options: Mapping[str, Any]
    ) -> Tensor:
        """Return a draw of `sizes + batch_shape + event_shape` that is recorded as this one's."""
        return distribution._draw(source, sizes, self.route, self, options)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if not k.startswith("_"))
        return f"{type(self).__name__}({given})"

"""The errors that scg raises, each also a subclass of the built-in it resembles."""

from __future__ import annotations

__all__ = [
    "BiasedGradientError",
    "CheckpointError",
    "DTypeError",
    "DataError",
    "EscapeWarning",
    "ExternalError",
    "GradientError",
    "HandmadeSurrogateWarning",
    "NonFiniteError",
    "OptionError",
    "OutOfMemoryError",
    "PictureWarning",
    "RetraceWarning",
    "ScgError",
    "ShapeError",
    "SupportError",
    "TraceError",
]


class ScgError(Exception):
    """Base of every error that scg raises on purpose."""


class ShapeError(ScgError, ValueError, IndexError):
    """Shapes, axes, ranks or indices that do not fit together."""


class DTypeError(ScgError, TypeError):
    """A value whose type or dtype an operation cannot take."""


class SupportError(ScgError, ValueError):
    """A parameter or value outside the set on which a distribution is defined."""


class GradientError(ScgError, RuntimeError):
    """A derivative that does not exist, was already consumed, or belongs to changed data."""


class BiasedGradientError(GradientError):
    """A gradient that would be wrong in expectation, refused instead of returned."""


class NonFiniteError(ScgError, ValueError):
    """A NaN or an infinity where a finite number is needed."""


class OptionError(ScgError, ValueError):
    """An unknown or contradictory option."""


class OutOfMemoryError(ScgError, MemoryError):
    """Sizes for which the memory has no room."""


class DataError(ScgError, ValueError):
    """A data file that is missing, truncated, corrupt, or of another shape."""


class CheckpointError(ScgError, ValueError):
    """A checkpoint that cannot be written, read, or does not fit the model."""


class TraceError(ScgError, TypeError):
    """A Python-level decision on a value that is only known when a compiled step runs."""


class ExternalError(ScgError, RuntimeError):
    """Something outside, such as a simulator, that failed while it was asked."""


class EscapeWarning(UserWarning):
    """A raw read alone made a gradient noisier: unbiased, but it need not be so."""


class RetraceWarning(UserWarning):
    """A compiled function was called with another signature and is compiled again."""


class HandmadeSurrogateWarning(UserWarning):
    """A loss already contains a draw's log-probability as a factor, and gets its score as well."""


class PictureWarning(UserWarning):
    """A picture was written as its source, because the program that draws it is missing."""

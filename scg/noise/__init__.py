"""Where randomness comes from: every draw in the library asks a `Source` for its noise.

The default source wraps a NumPy Generator. Another source may mirror its noise, replay what was
recorded or enumerate outcomes; distributions cannot tell the difference.
"""

from scg.noise._antithetic import AntitheticSource
from scg.noise._default import as_source, default_rng, in_use, seed, using
from scg.noise._source import GeneratorSource, Source

__all__ = [
    "AntitheticSource", "GeneratorSource", "Source", "as_source", "default_rng", "in_use", "seed",
    "using",
]  # fmt: skip

"""Make the programs importable as `conformance.<module>`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

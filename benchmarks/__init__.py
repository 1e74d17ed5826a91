"""Benchmarks: `python -m benchmarks` times training steps, `python -m benchmarks.NAME` the rest."""

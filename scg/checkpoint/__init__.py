"""Checkpoints: one safetensors file with its state as JSON, whole or not there, never pickle."""

from scg.checkpoint._file import load, save
from scg.checkpoint._match import require_match
from scg.checkpoint._tree import flatten, unflatten

__all__ = ["flatten", "load", "require_match", "save", "unflatten"]

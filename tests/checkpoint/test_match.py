"""A checkpoint of another model is refused with what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scg.checkpoint import load, require_match, save
from scg.errors import CheckpointError

LIKE = {"w": np.zeros((2, 3)), "b": np.zeros(3, np.float32)}
SETTINGS = {"model": "vae", "latent": 2}
STATE = {**SETTINGS, "step": 7}


def test_what_was_saved_fits(tmp_path: Path) -> None:
    save(tmp_path / "c", {name: array + 1 for name, array in LIKE.items()}, STATE)
    arrays, state = load(tmp_path / "c")
    require_match(tmp_path / "c", arrays, state, like=LIKE, settings=SETTINGS)
    require_match(tmp_path / "c", arrays, state, like=LIKE)


@pytest.mark.parametrize(
    ("arrays", "state", "why"),
    [
        ({"w": np.zeros((3, 2))}, {}, r"w has shape \(3, 2\) there and \(2, 3\) here"),
        ({"w": np.zeros((2, 3, 1))}, {}, r"w has shape \(2, 3, 1\) there"),
        ({"b": np.zeros(3)}, {}, "b has dtype float64 there and float32 here"),
        ({"c": np.zeros(3)}, {}, "its array c has no place here"),
        ({}, {"model": "flow"}, "model is 'flow' there and 'vae' here"),
        ({}, {"latent": 3}, "latent is 3 there and 2 here"),
    ],
)
def test_what_differs_is_named(arrays: dict[str, Any], state: dict[str, Any], why: str) -> None:
    with pytest.raises(CheckpointError, match=why) as caught:
        require_match("run/c", {**LIKE, **arrays}, {**STATE, **state}, like=LIKE, settings=SETTINGS)
    assert str(caught.value).startswith("run/c does not fit this run: ")
    assert "resume with the options it was saved with, or start anew" in str(caught.value)


def test_what_is_absent_is_named() -> None:
    with pytest.raises(CheckpointError, match="model is not in it; the array b is not in it"):
        require_match("c", {"w": LIKE["w"]}, {"latent": 2}, like=LIKE, settings=SETTINGS)


def test_a_wholly_different_model_is_told_briefly() -> None:
    other = {f"layer{i}": np.zeros(1) for i in range(50)}
    with pytest.raises(CheckpointError, match="and 47 more; resume") as caught:
        require_match("c", other, STATE, like=LIKE, settings=SETTINGS)
    assert len(str(caught.value)) < 400

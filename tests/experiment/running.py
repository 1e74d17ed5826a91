"""Runs a task as its script would, and reads what it wrote."""

import json
from pathlib import Path

import pytest

from scg import experiment


def run_task(task, *arguments):
    """Return the exit status."""
    with pytest.raises(SystemExit) as end:
        experiment.run(task, list(map(str, arguments)))
    return end.value.code


def metrics(out):
    """Return what does not depend on the clock."""
    read = json.loads((Path(out) / "metrics.json").read_text())
    for row in (read, *read["history"]):
        row.pop("seconds_per_epoch", row.pop("seconds", None))
    return read

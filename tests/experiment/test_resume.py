"""Going on with a run: bitwise the same, and only from a checkpoint of it."""

from pathlib import Path

import numpy as np
import pytest
from running import metrics
from walk import Walk, run

from scg import checkpoint


@pytest.mark.parametrize("interrupt_at", [1, 2, 3, 4, 7])
def test_an_interrupted_run_goes_on_bitwise(tmp_path, capsys, interrupt_at):
    options = ("--epochs", 3, "--batch-size", 20, "--size", 5)
    run("--out", tmp_path / "whole", *options)

    class Interrupted(Walk):
        pass

    Interrupted.interrupt_at = interrupt_at
    out = tmp_path / "parts"
    assert run("--out", out, *options, task=Interrupted) == 130
    assert "--resume" in capsys.readouterr().out
    assert run("--out", out, "--resume", task=Walk) == 0
    assert metrics(out)["history"] == metrics(tmp_path / "whole")["history"]
    assert metrics(out)["options"] == metrics(tmp_path / "whole")["options"]


def test_a_finished_run_can_be_prolonged(tmp_path):
    run("--out", tmp_path / "long", "--epochs", 4)
    run("--out", tmp_path / "short", "--epochs", 2)
    assert run("--out", tmp_path / "short", "--resume", "--epochs", 4) == 0
    assert metrics(tmp_path / "short")["history"] == metrics(tmp_path / "long")["history"]


def test_the_command_to_go_on_with_can_be_pasted(tmp_path, capsys, monkeypatch):
    class Interrupted(Walk):
        interrupt_at = 1

    out = tmp_path / "my runs"
    assert run("--out", out, "--batch-size", 20, task=Interrupted) == 130
    assert f"--out '{out}'" in capsys.readouterr().out


def test_a_checkpoint_with_other_options_is_refused(tmp_path, capsys):
    run("--out", tmp_path, "--epochs", 1)
    assert run("--out", tmp_path, "--resume", "--size", 3) == 2
    assert "--size 3 now, 8 then" in capsys.readouterr().err


def test_an_option_that_only_pictures_depend_on_may_change(tmp_path):
    class Compared(Walk):
        free = ("beside",)

        @staticmethod
        def add_options(parser):
            Walk.add_options(parser)
            parser.add_argument("--beside", type=Path)

    run("--out", tmp_path, "--epochs", 1, "--beside", tmp_path, task=Compared)
    assert run("--out", tmp_path, "--resume", "--beside", "other", task=Compared) == 0
    assert "beside" not in metrics(tmp_path)["options"]


def test_a_checkpoint_of_another_experiment_is_refused(tmp_path, capsys):
    class Other(Walk):
        name = "other"

    run("--out", tmp_path, "--epochs", 1, task=Other)
    assert run("--out", tmp_path, "--resume") == 2
    assert "'other'" in capsys.readouterr().err


def test_a_checkpoint_of_another_model_is_refused(tmp_path, capsys):
    class Longer(Walk):
        def __init__(self, options):
            super().__init__(options)
            self.w = np.zeros(options.size + 1)

    run("--out", tmp_path, "--epochs", 1, task=Longer)
    assert run("--out", tmp_path, "--resume", "--epochs", 2) == 2
    error = capsys.readouterr().err
    assert "does not fit this run: w has shape (9,) there and (8,) here; resume with" in error
    assert error.count("\n") == 1
    assert metrics(tmp_path)["epochs"] == 1


@pytest.mark.parametrize("then", ["0.0.1", None])
def test_a_checkpoint_of_another_version_is_refused(tmp_path, capsys, then):
    run("--out", tmp_path, "--epochs", 1)
    arrays, state = checkpoint.load(tmp_path / "checkpoint.safetensors")
    del state["scg"]
    checkpoint.save(
        tmp_path / "checkpoint.safetensors", arrays, {**state, **({"scg": then} if then else {})}
    )
    assert run("--out", tmp_path, "--resume") == 2
    error = capsys.readouterr().err
    assert f"was written with scg {then or 'of another version'}, and this is scg" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("state", [{}, {"experiment": "walk"}])
def test_a_checkpoint_of_no_experiment_is_refused(tmp_path, capsys, state):
    path = tmp_path / "mine.safetensors"
    checkpoint.save(path, {"w": np.zeros(8)}, state)
    assert run("--out", tmp_path / "out", "--resume", path) == 2
    error = capsys.readouterr().err
    assert "is not the checkpoint of an experiment, since it lacks batches" in error
    assert not (tmp_path / "out").exists()


def test_a_finished_run_says_so_and_can_be_moved(tmp_path, capsys):
    run("--out", tmp_path / "a", "--epochs", 2)
    saved = tmp_path / "a" / "checkpoint.safetensors"
    assert run("--out", tmp_path / "b", "--resume", saved, "--epochs", 1) == 0
    assert "All 2 epochs are done; go on with a larger --epochs" in capsys.readouterr().out
    assert run("--out", tmp_path / "b", "--resume", "--epochs", 3) == 0
    assert metrics(tmp_path / "b")["epochs"] == 3


def test_a_named_checkpoint_goes_on_in_its_own_folder(tmp_path, capsys, monkeypatch):
    run("--out", tmp_path / "a", "--epochs", 1)
    monkeypatch.chdir(tmp_path)
    assert run("--resume", "a/checkpoint.safetensors", "--epochs", 2) == 0
    assert metrics("a")["epochs"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    saved = Path("a") / "checkpoint.safetensors"
    said = f"Going on after epoch 1, batch 0 of {saved}; results go to a\n"
    assert said in capsys.readouterr().out
    assert run("--resume", saved, "--out", "b", "--epochs", 3) == 0
    assert (metrics("a")["epochs"], metrics("b")["epochs"]) == (2, 3)

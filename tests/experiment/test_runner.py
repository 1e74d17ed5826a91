"""The runner behind the examples: options, resume, interruption, and mistakes in one sentence."""

import os
import shlex
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from running import metrics
from walk import Walk, run

import scg
from scg import experiment, nn
from scg.errors import ShapeError
from scg.experiment import _loop


def test_a_run_writes_metrics_pictures_and_a_checkpoint(tmp_path, capsys):
    assert run("--out", tmp_path, "--epochs", 3, "--batch-size", 20) == 0
    found = metrics(tmp_path)
    assert found["epochs"] == 3
    assert found["seed"] == 0
    assert found["options"]["size"] == 8
    assert found["test_loss"] == found["history"][-1]["test_loss"]
    assert found["made_with"]["numpy"] == np.__version__
    assert found["notice"] == ""
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "curves.png" in capsys.readouterr().out


def test_same_seed_same_numbers_other_seed_others(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("--out", tmp_path / name, "--seed", seed, "--epochs", 2)
    a, b, c = (metrics(tmp_path / n)["history"] for n in "abc")
    assert a == b != c


def test_smoke_sets_what_was_not_typed(tmp_path):
    run("--smoke", "--out", tmp_path)
    assert metrics(tmp_path)["options"]["size"] == 4
    run("--smoke", "--out", tmp_path, "--size", 3)
    assert metrics(tmp_path)["options"]["size"] == 3


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--epochs", "0"], "at least 1"),
        (["--seed", "-1"], "at least 0"),
        (["--speed", "9"], "unrecognized"),
        (["--size", "big"], "whole number"),
        (["--size", "\u00b2"], "whole number"),
        (["--out", ""], "name a folder"),
        (["--resume", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_mistakes_end_with_one_sentence(tmp_path, capsys, arguments, word):
    assert run("--out", tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert word in error
    assert "Traceback" not in error


def test_help_shows_every_option(capsys):
    assert run("--help") == 0
    text = capsys.readouterr().out
    for option in (
        "--epochs",
        "--seed",
        "--out",
        "--resume",
        "--smoke",
        "--graph",
        "--size",
        "random walk",
    ):
        assert option in text


class Chosen(Walk):
    presets = {"size": {4: {"epochs": 2, "note": 1}}}
    free = ("note",)

    @staticmethod
    def add_options(parser):
        Walk.add_options(parser)
        parser.add_argument("--note", type=experiment.positive, default=7)


@pytest.mark.parametrize(
    ("arguments", "epochs"),
    [(["--size", 4], 2), (["--size", 4, "--epochs", 1], 1), (["--size", 4, "--smoke"], 1)],
)
def test_a_choice_brings_defaults_unless_they_are_typed(tmp_path, arguments, epochs):
    assert run("--out", tmp_path, *arguments, task=Chosen) == 0
    assert metrics(tmp_path)["epochs"] == epochs


def test_help_tells_the_defaults_of_a_choice(capsys):
    run("--help", task=Chosen)
    assert "defaults with --size 4: --epochs 2 --note 1" in capsys.readouterr().out


def test_a_choice_keeps_its_defaults_when_resumed(tmp_path):
    run("--out", tmp_path, "--size", 4, "--epochs", 1, task=Chosen)
    assert run("--out", tmp_path, "--resume", task=Chosen) == 0
    assert (metrics(tmp_path)["epochs"], metrics(tmp_path)["options"]["size"]) == (1, 4)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, capsys):
    class Exploding(Walk):
        explode = True

    assert run("--out", tmp_path, task=Exploding) == 2
    error = capsys.readouterr().err
    assert "loss became nan, in epoch 1; try a smaller --lr\n" in error
    assert not list(tmp_path.iterdir())


def test_a_metric_that_is_not_finite_is_not_written(tmp_path, capsys):
    class Vague(Walk):
        def evaluate(self):
            return {"test_loss": np.inf if self.count > 1 else 0.0}

    assert run("--out", tmp_path, "--batch-size", 50, task=Vague) == 2
    error = capsys.readouterr().err
    assert "test_loss became inf, in epoch 2" in error
    assert "checkpoint.safetensors is as the last epoch left it" in error
    assert metrics(tmp_path)["epochs"] == 1


def test_a_parameter_that_overflows_is_blamed_on_the_step_size(tmp_path, capsys):
    class Overflowing(Walk):
        def step(self, batch):
            scg.Normal(0.0, np.exp(np.float64(1000.0)))  # nor a warning, which would be an error

    assert run("--out", tmp_path, task=Overflowing) == 2
    error = capsys.readouterr().err
    assert "scale must be positive and finite" in error
    assert "in epoch 1; try a smaller --lr" in error


def test_too_little_memory_is_explained(tmp_path, capsys):
    class Huge(Walk):
        def __init__(self, options):
            np.zeros(2**50)  # more than 64-bit machines address

    assert run("--out", tmp_path, task=Huge) == 2
    error = capsys.readouterr().err
    assert "memory does not suffice" in error and "Traceback" not in error


def test_sizes_for_which_there_is_no_memory_are_named(tmp_path, capsys):
    class Huge(Walk):
        def __init__(self, options):
            nn.Linear(784, 10**12)

    assert run("--out", tmp_path, task=Huge) == 2
    error = capsys.readouterr().err
    assert "Linear: weights of shape (784, 1000000000000) need 6272000.0 GB of memory" in error
    assert error.endswith("GB are available; choose smaller sizes\n") and error.count("\n") == 1


def test_a_wrong_number_of_threads_is_told_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SCG_NUM_THREADS", "0")
    assert run("--out", tmp_path / "out") == 2
    assert "SCG_NUM_THREADS is '0'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["tqdm", "safetensors", "matplotlib"])
def test_a_missing_package_is_told_before_the_training(tmp_path, capsys, monkeypatch, name):
    monkeypatch.setattr(_loop, "find_spec", lambda asked: None if asked == name else asked)
    assert run("--out", tmp_path / "out") == 2
    assert f"{name} is not installed; run pip install" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_interrupt_is_answered_at_once(tmp_path, capfd):
    class Interrupted(Walk):
        interrupt_at = 1

        def step(self, batch):
            result = super().step(batch)
            self.heard = capfd.readouterr().err
            return result

        def state(self):
            assert "Stopping after this batch; once more, and it stops at once\n" in self.heard
            return super().state()

    assert run("--out", tmp_path, "--batch-size", 20, task=Interrupted) == 130
    python = capfd.readouterr().out.partition("Go on with: ")[2].partition(" --resume")[0]
    python, script = shlex.split(python)  # not any python: it may lack the library
    assert (Path.cwd() / python, script) == (Path(sys.executable), sys.argv[0])


def test_a_second_interrupt_stops_at_once(tmp_path, capsys):
    class Impatient(Walk):
        def step(self, batch):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    assert run("--out", tmp_path, task=Impatient) == 130
    assert "Stopped at once; no checkpoint was written yet" in capsys.readouterr().err
    run("--out", tmp_path, "--epochs", 1)
    assert run("--out", tmp_path, "--resume", "--epochs", 2, task=Impatient) == 130
    assert f"{tmp_path / 'checkpoint.safetensors'} is that of" in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_made_is_explained_at_once(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run("--out", tmp_path / "file" / "out") == 2
    assert "--out" in capsys.readouterr().err


def test_a_full_disk_loses_nothing(tmp_path, capsys, monkeypatch):
    run("--out", tmp_path, "--epochs", 1)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run("--out", tmp_path, "--epochs", 2) == 2
    error = capsys.readouterr().err
    assert "No space left on device" in error
    assert "Traceback" not in error
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_a_full_disk_leaves_no_half_picture(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        experiment.image_grid(tmp_path / "g.png", np.zeros((7, 6)), (2, 3))
    assert not list(tmp_path.iterdir())


def test_tiles_and_grid(tmp_path):
    images = np.linspace(0, 1, 7 * 6).reshape(7, 6)
    grid = experiment.tiles(images, (2, 3), 4)
    assert grid.shape == (5, 15)
    np.testing.assert_array_equal(grid[:2, 4:7], images[1].reshape(2, 3))
    assert experiment.image_grid(tmp_path / "g.png", images, (2, 3), columns=4, title="t").exists()
    with pytest.raises(ShapeError, match="3 x 3"):
        experiment.tiles(images, (3, 3), 4)


def test_graph_draws_the_loss_and_trains_nothing(tmp_path, capsys):
    path = tmp_path / "graph.dot"
    assert run("--graph", path, "--out", tmp_path / "run") == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    source = path.read_text()
    assert "weights" in source
    assert "place ~ Normal" in source
    assert list((tmp_path / "run").iterdir()) == []


def test_graph_needs_a_loss(tmp_path, capsys):
    class Bare(Walk):
        loss = experiment.Task.loss

    assert run("--graph", tmp_path / "g.dot", "--out", tmp_path, task=Bare) == 2
    assert "defines no loss(batch)" in capsys.readouterr().err


def test_graph_into_a_wrong_place_is_one_sentence(tmp_path, capsys):
    assert run("--graph", tmp_path / "g.jpg", "--out", tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith("walk.py: error: ") and "'.jpg'" in error
    assert error.count("\n") == 1


def test_graph_without_dot_says_how_to_get_the_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert run("--graph", tmp_path / "g.svg", "--out", tmp_path / "run") == 0
    said = capsys.readouterr()
    assert said.out == f"wrote {tmp_path / 'g.dot'}\n"
    assert "install Graphviz" in said.err
    assert said.err.count("\n") == 1

"""The runner behind the examples: options, resume, interruption, and mistakes in one sentence."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from running import metrics, run_task

import scg
from scg import checkpoint, data, experiment, nn
from scg.errors import ShapeError
from scg.experiment import _loop


class Walk(experiment.Task):
    """A random walk that stands for training."""

    name = "walk"
    smoke = {"epochs": 1, "size": 4}
    interrupt_at = None
    explode = False

    @staticmethod
    def add_options(parser):
        parser.add_argument("--size", type=experiment.positive, default=8)

    def __init__(self, options):
        self.options = options
        self.rng = np.random.default_rng(options.seed)
        self.w = np.zeros(options.size)
        self.count = 0
        examples = np.arange(50.0)
        self.batches = data.minibatches(examples, options.batch_size, rng=self.rng)

    def step(self, batch):
        self.count += 1
        self.w += self.rng.standard_normal(self.w.size) * batch.mean()
        if self.count == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        return {"loss": float("nan") if self.explode else float(self.w.sum())}

    def evaluate(self):
        return {"test_loss": float(np.abs(self.w).sum())}

    def loss(self, batch):
        w = scg.parameter(self.w, name="weights")
        return scg.Normal(w, 1.0).sample(name="place").sum() * batch.mean()

    def state(self):
        return {"w": self.w}, {"count": self.count, "rng": self.rng.bit_generator.state}

    def load_state(self, arrays, state):
        self.w, self.count = arrays["w"], state["count"]
        self.rng.bit_generator.state = state["rng"]

    def pictures(self, out, history):
        return [experiment.curves(out / "curves.png", history, {"loss": ["loss", "test_loss"]})]


def run(*arguments, task=Walk):
    return run_task(task, *arguments)


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

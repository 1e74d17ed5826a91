"""What a task keeps without being told how: modules, optimisers, generators and plain values."""

import numpy as np
import pytest
from scipy import stats

import scg
from scg import experiment, nn, optim
from scg.errors import CheckpointError, ExternalError, OptionError
from scg.experiment import _pictures


class Small(experiment.Task):
    saved = ("model", "optimizer", "rng", "best")

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.model = nn.MLP([2, 3, 1], rng=self.rng)
        self.optimizer = optim.Adam(self.model, lr=0.1)
        self.best = {"score": 0.0, "image": np.zeros(2)}

    def train(self):
        self.optimizer.zero_grad()
        (self.model(self.rng.standard_normal((4, 2), np.float32)) ** 2).mean().backward()
        self.optimizer.step()
        self.best = {"score": float(self.rng.random()), "image": self.rng.random(2)}
        return [scg.peek(p).copy() for p in self.model.parameters()], self.best


def same(first, second):
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[1]["score"] == second[1]["score"]
    np.testing.assert_array_equal(first[1]["image"], second[1]["image"])


def test_training_goes_on_bitwise_from_a_state():
    task, other = Small(0), Small(1)
    task.train()
    other.load_state(*task.state())
    same(([], task.best), ([], other.best))
    same(task.train(), other.train())


def test_a_state_without_one_of_the_parts_changes_nothing():
    task = Small(0)
    arrays, state = task.state()
    del arrays[next(name for name in arrays if name.startswith("optimizer"))]
    trained = task.train()
    with pytest.raises(CheckpointError, match="optimizer"):
        task.load_state(arrays, state)
    same(trained, ([scg.peek(p) for p in task.model.parameters()], task.best))


def test_an_average_over_many_parts_is_compiled_and_the_rest_is_not():
    images, sizes = np.random.default_rng(0).random((101, 3)), []
    rng = np.random.default_rng(1)

    def noisy(part):
        sizes.append(len(part))
        return scg.Normal(part.sum(axis=-1), 1.0).sample(rng=rng), part.sum(axis=-1)

    found = experiment.average(images, 2, noisy, compiled=True)
    assert sizes == [2, 2, 1]  # traced twice
    rng = np.random.default_rng(1)
    np.testing.assert_allclose(found, experiment.average(images, 2, noisy), rtol=1e-12)
    sizes.clear()
    experiment.average(images[:98], 2, noisy, compiled=True)
    assert sizes == [2] * 49


def test_the_band_of_runs_and_a_film(tmp_path):
    run = [{"mean_return": float(n)} for n in range(4)]
    assert experiment.band(tmp_path / "b.png", [run, run[:3]], "mean_return").stat().st_size > 1000
    frames = [np.full((8, 8, 3), 40 * n, np.uint8) for n in range(3)]
    assert experiment.film(tmp_path / "f.gif", frames).read_bytes().startswith(b"GIF89a")


def test_a_folder_without_a_history_is_explained(tmp_path):
    with pytest.raises(OptionError, match=r"metrics\.json cannot be read"):
        experiment.history(tmp_path)
    (tmp_path / "metrics.json").write_text("[]")
    with pytest.raises(OptionError, match="name the --out folder"):
        experiment.history(tmp_path)


def test_a_history_without_a_metric_is_explained(tmp_path):
    (tmp_path / "metrics.json").write_text('{"history": [{"loss": 1.0}]}')
    assert experiment.history(tmp_path, "loss") == [{"loss": 1.0}]
    with pytest.raises(OptionError, match=r"metrics\.json has no mean_return"):
        experiment.history(tmp_path, "loss", "mean_return")


def test_runs_are_told_apart_by_the_ends_of_their_paths(tmp_path):
    folders = [tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "score"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text('{"history": [{"loss": 1.0}]}')
    assert list(experiment.histories(folders[1:])) == ["run", "score"]
    assert list(experiment.histories([*folders, folders[0]])) == ["a/run", "b/run", "score"]
    assert experiment.histories([]) == {}
    with pytest.raises(OptionError, match=r"metrics\.json has no elbo"):
        experiment.histories(folders, "elbo")


def test_the_band_is_the_confidence_interval_of_the_mean():
    values = np.random.default_rng(0).standard_normal((5, 3))
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    np.testing.assert_allclose(_pictures._half_width(values), (interval.high - interval.low) / 2)


def test_mistakes_outside_are_told_apart_from_interruptions():
    with pytest.raises(ExternalError, match="--env X failed with KeyError: 'leg'"):
        with experiment.outside("--env X"):
            raise KeyError("leg")
    with pytest.raises(KeyboardInterrupt), experiment.outside("--env X"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "x"])
def test_a_number_that_is_negative_or_none_is_refused(text):
    with pytest.raises(Exception, match="neither 0 nor a positive number"):
        experiment.nonnegative_float(text)
    assert experiment.nonnegative_float("0") == 0

"""Pictures as files and in notebooks."""

import shutil
import sys
from pathlib import Path

import graphviz
import pytest

import scg
from scg.inspect import _groups, _scene

sys.path.insert(0, str(Path(__file__).parent))
from pictures import chain, readme

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")


@pytest.fixture
def without_dot(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@needs_dot
@pytest.mark.parametrize(
    ("suffix", "begins"),
    [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF"), (".SVG", b"<?xml")],
)
def test_the_suffix_is_the_format(tmp_path, suffix, begins):
    path = tmp_path / f"graph{suffix}"
    scg.render(readme(), path)
    assert path.read_bytes().startswith(begins)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["dot", "gv"])
def test_the_source_needs_no_program(tmp_path, without_dot, suffix):
    path = tmp_path / f"graph.{suffix}"
    picture = scg.render(readme(), str(path))
    assert path.read_text() == picture.source == scg.to_graphviz(readme()).source


def test_without_the_program_the_source_is_written_and_a_sentence_says_so(tmp_path, without_dot):
    path = tmp_path / "graph.svg"
    with pytest.warns(scg.PictureWarning, match="install Graphviz") as said:
        scg.render(readme(), path)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert f"dot -Tsvg {tmp_path / 'graph.dot'} -o {path}" in str(said[0].message)
    assert (tmp_path / "graph.dot").read_text().startswith("digraph")
    assert not path.exists()


def test_a_notebook_shows_a_picture_or_says_what_is_missing(without_dot):
    picture = scg.render(readme())
    assert picture._repr_svg_() is None
    assert "install Graphviz" in repr(picture)


@needs_dot
def test_a_notebook_shows_a_picture():
    picture = scg.render(readme())
    assert "<svg" in picture._repr_svg_()
    assert "install" not in repr(picture)


def test_a_tensor_itself_is_no_picture():
    assert not hasattr(readme(), "_repr_svg_")


@needs_dot
def test_what_dot_says_is_passed_on(tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise graphviz.CalledProcessError(1, ["dot"], b"", b"no such renderer\nmore")

    monkeypatch.setattr(graphviz.Digraph, "pipe", fail)
    with pytest.raises(scg.OptionError, match="no such renderer"):
        scg.render(readme(), tmp_path / "graph.pdf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["graph.jpg", "graph", "graph.", ".svg"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path, name):
    with pytest.raises(scg.OptionError, match=r"\.svg, \.png, \.pdf, \.dot"):
        scg.render(readme(), tmp_path / name)


def test_a_wrong_name_is_found_before_the_work(tmp_path):
    with pytest.raises(scg.OptionError, match="suffix"):
        scg.render(scg.tensor(1.0), tmp_path / "graph.jpg")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(scg.OptionError, match=r"folder .*missing' of 'graph\.svg' does not exist"):
        scg.render(readme(), tmp_path / "missing" / "graph.svg")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "graph.dot").mkdir()
    with pytest.raises(scg.OptionError, match="cannot be written"):
        scg.render(readme(), tmp_path / "graph.dot")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"depth": -1}, "depth=-1"), ({"depth": 1.5}, "depth=1.5"), ({"depth": True}, "depth=True"),
        ({"only": "cost"}, "only='cost' is not one of draws, costs, surrogate"),
    ],
)  # fmt: skip
def test_unknown_options_are_refused(options, words):
    with pytest.raises(scg.OptionError, match=words):
        scg.render(readme(), **options)


def test_only_tensors_are_drawn():
    with pytest.raises(scg.OptionError, match="not float"):
        scg.render(3.0)


def test_a_graph_too_large_to_look_at_is_refused(monkeypatch):
    monkeypatch.setattr(_scene, "MOST_NODES", 100)
    with pytest.raises(scg.OptionError, match="more than 100 nodes"):
        scg.render(chain(60))


def test_a_picture_too_large_to_read_is_refused(monkeypatch):
    monkeypatch.setattr("scg.inspect._draw.MOST", 3)
    with pytest.raises(scg.OptionError, match="more than anybody can read; choose depth=0"):
        scg.render(readme())


def test_a_deep_graph_is_drawn_without_recursion():
    x = scg.Normal(scg.parameter(0.3, name="a"), 1.0).sample(rng=0)
    for _ in range(20_000):
        x = x * 1.0001
    source = scg.render(x * x).source
    assert "20000 times" in source
    assert len(source) < 5_000


def test_many_draws_with_names_of_their_own_are_one_circle():
    a = scg.parameter(0.3, name="a")
    total = 0.0
    for turn in range(2_000):
        total = total + scg.cost(scg.Bernoulli(a).sample(name=f"z{turn}") ** 2)
    source = scg.render(total).source
    assert "z0 … z1999" in source
    assert source.count("ellipse") == 1


def test_the_page_is_where_folding_begins():
    below, above = scg.to_graphviz(chain(8)), scg.to_graphviz(chain(_groups.PAGE))
    assert below.source.count("ellipse") == 8
    assert above.source.count("ellipse") == 1

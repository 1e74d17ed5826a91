"""Named entry points for developers: `nox -s lint types tests docs examples bench`.

The gate itself is `.ci/run`; these are its parts, each in an environment that nox keeps.
"""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests", "docs"]
nox.options.reuse_existing_virtualenvs = True

PYTHONS = ["3.11", "3.12", "3.13"]


def scripts(folder: str) -> list[Path]:
    """List the scripts of a folder; a leading underscore marks a helper."""
    return sorted(p for p in Path(folder).glob("*.py") if not p.name.startswith("_"))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and import contracts."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check the annotations of the package."""
    session.install("-e", ".[dev]")
    session.run("mypy", "--strict")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, then the doctests; arguments after `--` go to pytest (`-- -m slow`)."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)
    pages = [str(page) for page in Path("docs").glob("*.md")]
    session.run(
        "python", "-m", "pytest", "--doctest-modules", "--doctest-glob=*.md",
        "scg", "README.md", *pages,
    )  # fmt: skip


@nox.session
def external(session: nox.Session) -> None:
    """Compare values and gradients with JAX, which nothing else here needs."""
    session.install("-e", ".[test]", "jax")
    session.run("python", "-m", "pytest", "tests/external", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def examples(session: nox.Session) -> None:
    """Run every example for a few steps."""
    session.install("-e", ".[examples]")
    for script in scripts("examples"):
        session.run("python", str(script), "--smoke")


@nox.session
def bench(session: nox.Session) -> None:
    """Run every benchmark; `nox -s bench -- --smoke` only shows that they run.

    The libraries to compare with are `.[peers]`; they are large, and the tables do without them.
    """
    session.install("-e", ".[examples]")
    session.run("python", "-m", "benchmarks", *session.posargs)
    for script in scripts("benchmarks"):
        session.run("python", "-m", f"benchmarks.{script.stem}", *session.posargs)

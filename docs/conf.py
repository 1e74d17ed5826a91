"""Sphinx settings; the build runs with warnings as errors."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # op_table

project = "scg"
author = "The scg developers"
copyright = "The scg developers, Apache-2.0"
release = version = installed_version("scg")

extensions = [
    "myst_parser",
    "op_table",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give types with their shapes
napoleon_google_docstring = False
napoleon_use_rtype = False
# "dtype" in a parameter's type is NumPy's word, not the property of one of our classes.
suppress_warnings = ["ref.python"]
# Sections that NumPy's convention lacks: every public docstring says what its derivative or
# estimator is and where it comes from.
napoleon_custom_sections = ["Gradient", "Estimator", "Source"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

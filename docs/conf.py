"""Configuration of the documentation site: `sphinx-build -W -b html docs site`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import make_pages

import seqtasks

project = "seqtasks"
author = "The seqtasks contributors"
copyright = author
version = release = seqtasks.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx_copybutton"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"seqtasks {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "html_image"]
myst_heading_anchors = 3
# Notebooks are run from a folder of their own: they write runs/ beside themselves. SITE_NOTEBOOKS=off shows them unrun.
nb_execution_mode = os.environ.get("SITE_NOTEBOOKS", "cache")
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
autodoc_default_options = {"show-inheritance": False}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
suppress_warnings = ["misc.highlighting_failure"]


def write_pages(app: Any) -> None:
    """Writes the pages that follow from the code before Sphinx looks for documents."""
    make_pages.write_all()


def setup(app: Any) -> None:
    """Connects the generator of pages."""
    app.connect("builder-inited", write_pages, priority=1)

"""Configuration of the documentation site: `sphinx-build -W -b html docs site`."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import latex2mathml.converter
import make_pages
from docutils import nodes

import seqtasks

project = "seqtasks"
author = "The seqtasks contributors"
copyright = author
version = release = seqtasks.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
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
nb_output_stderr = "error"  # a tutorial that prints warnings is not finished
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
default_role = "code"  # docstrings put names between single backticks
html_math_renderer = "mathml"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
suppress_warnings = ["misc.highlighting_failure"]


def write_pages(app: Any) -> None:
    """Writes the pages that follow from the code before Sphinx looks for documents."""
    make_pages.write_all()


def true_signature(app: Any, what: str, name: str, thing: Any, options: Any, signature: Any, returns: Any) -> Any:
    """The arguments of a class's constructor: classes of Keras show `(*args, **kwargs)`."""
    if what != "class" or dataclasses.is_dataclass(thing):
        return None
    parameters = list(inspect.signature(thing.__init__).parameters.values())[1:]
    return str(inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in parameters])), returns


def visit_math(translator: Any, node: Any) -> None:
    """Writes an equation as MathML, which browsers show without a script or a network."""
    display = "block" if node.tagname == "math_block" else "inline"
    text = node.astext()
    if display == "block" and ("\\\\" in text or "&" in text):
        text = rf"\begin{{align*}}{text}\end{{align*}}"
    mathml = latex2mathml.converter.convert(text, display=display)
    translator.body.append(f'<div class="math">{mathml}</div>' if display == "block" else mathml)
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Connects the generator of pages, signatures and equations."""
    app.connect("builder-inited", write_pages, priority=1)
    app.connect("autodoc-process-signature", true_signature)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))

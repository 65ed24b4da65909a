"""Reporter: prints messages to the user on standard error."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter notebook."""
    return Console().is_jupyter


def message_stream() -> TextIO:
    """Standard error; in a notebook, which paints standard error red, standard output."""
    return sys.stdout if in_notebook() else sys.stderr


class Reporter:
    """Prints messages and progress to `message_stream`; results go to standard output.

    Args:
        quiet: Print nothing but warnings.

    Attributes:
        notebook: Whether the code runs in a Jupyter notebook.
    """

    def __init__(self, quiet: bool = False):
        self.quiet = quiet
        self.notebook = in_notebook()
        # As text, not as a widget of rich: in a notebook that would be one output for each line.
        self.console = Console(file=message_stream(), force_jupyter=False, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Prints one line, unless quiet."""
        if not self.quiet:
            self.console.print(text, markup=False)

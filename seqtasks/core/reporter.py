"""Reporter: prints messages to the user on standard error."""

from __future__ import annotations

import sys

from rich.console import Console


class Reporter:
    """Prints messages and progress to standard error; results go to standard output instead.

    Args:
        quiet: Print nothing.
    """

    def __init__(self, quiet: bool = False):
        self.quiet = quiet
        self.console = Console(file=sys.stderr, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Prints one line, unless quiet."""
        if not self.quiet:
            self.console.print(text, markup=False)

"""Reporter: prints messages to the user on standard error."""

from __future__ import annotations

import sys

from rich.console import Console


class Reporter:
    """Where messages and progress go. They go to standard error; results go to standard output.

    Args:
        quiet: say nothing but warnings.
    """

    def __init__(self, quiet: bool = False):
        self.quiet = quiet
        self.console = Console(file=sys.stderr, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """One line for the user."""
        if not self.quiet:
            self.console.print(text, markup=False)

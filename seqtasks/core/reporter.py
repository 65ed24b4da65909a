"""Reporter: prints messages to the user on standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from logging.handlers import BufferingHandler
from typing import TextIO

from rich.console import Console


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter notebook."""
    return Console().is_jupyter


def message_stream() -> TextIO:
    """Standard error; in a notebook, which paints standard error red, standard output."""
    return sys.stdout if in_notebook() else sys.stderr


@contextlib.contextmanager
def held_messages() -> Iterator[list[logging.LogRecord]]:
    """Holds back the log messages of seqtasks in the body; at its end, logs those that are still in the list.

    Example:
        >>> log = logging.getLogger("seqtasks.example")
        >>> with held_messages() as messages:
        ...     log.warning("the first of two attempts")
        ...     messages.clear()
    """
    logger = logging.getLogger("seqtasks")
    buffer = BufferingHandler(sys.maxsize)
    messages = buffer.buffer
    handlers, propagate = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [buffer], False
    try:
        yield messages
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        for record in messages:
            logging.getLogger(record.name).handle(record)


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

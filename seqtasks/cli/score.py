"""`seqtasks score`: log-probabilities of lines of text under a language model."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text as Colored

from seqtasks.cli.predict_command import utf8
from seqtasks.core.errors import ConfigError
from seqtasks.core.files import usable
from seqtasks.data.text.reader import read_lines
from seqtasks.experiments import run_folder

# Background of a unit by its negative log-probability: up to 1, 2, 4, 6 nats, and above.
SHADES = ("default", "on grey23", "on orange4", "on dark_orange3", "on red3")
BOUNDS = (1.0, 2.0, 4.0, 6.0)


@dataclass(frozen=True)
class Scored:
    """A line of text and the log-probabilities of its units (characters or words).

    Attributes:
        line: The text.
        units: Each unit but the first, with its log-probability in nats.
    """

    line: str
    units: list[tuple[str, float]]

    def row(self) -> dict[str, Any]:
        """The line as a row of a table: text, number of units, log-probability and perplexity."""
        total = sum(value for _, value in self.units)
        perplexity = math.exp(min(700.0, -total / len(self.units))) if self.units else None
        return {"text": self.line, "units": len(self.units), "log-probability": total, "perplexity": perplexity}


def score(folder: run_folder.Run, lines: Sequence[str], file: str | None = None, trust: bool = False) -> list[Scored]:
    """Scores lines of text independently.

    The first unit of a line has no score, because no context comes before it.

    Args:
        folder: Finished run of a language model.
        lines: Lines of text.
        file: File to read instead of `lines`; its empty lines are left out.
        trust: Run the Python code that is stored in the run folder.

    Returns:
        The scored lines, in order.

    Raises:
        ConfigError: No text to score, texts and a file, or a run that is not of a language model.
        DataError: The file cannot be read.
    """
    from seqtasks.task_types import LanguageTask
    from seqtasks.training.saved_model import open_trained

    if bool(lines) == bool(file):
        received = "both texts and --file" if file else "no text"
        raise ConfigError(
            f'got {received}; allowed: lines of text, or --file FILE; write seqtasks score RUN "a sentence"'
        )
    if file is None:
        read = [utf8(line) for line in lines]
    else:
        read = [line for line in read_lines(usable(file, "--file")) if line]
    task, _, model = open_trained(folder, trust)
    if not isinstance(task, LanguageTask):
        raise ConfigError(
            f"{folder.path} is a run of {task.name}, which cannot score text; allowed: a run of a language model; "
            "train one with seqtasks run char_lm"
        )
    return [Scored(line, task.log_probabilities(model, line)) for line in read]


def print_heat(scored: Sequence[Scored]) -> None:
    """Prints lines with a background that shows unlikely units; only in a terminal."""
    console = Console(highlight=False)
    if not sys.stdout.isatty():
        return
    for line in scored:
        shown = Colored(line.line[:1])
        for unit, value in line.units:
            shown.append(unit, style=SHADES[sum(-value > bound for bound in BOUNDS)])
        console.print(shown)
    print()

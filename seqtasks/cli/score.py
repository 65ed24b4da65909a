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

SHADES = ("default", "on grey23", "on orange4", "on dark_orange3", "on red3")  # up to 1, 2, 4, 6 nats, and more
BOUNDS = (1.0, 2.0, 4.0, 6.0)


@dataclass(frozen=True)
class Scored:
    """A line and the log-probability of each of its units but the first."""

    line: str
    units: list[tuple[str, float]]

    def row(self) -> dict[str, Any]:
        """For a table."""
        total = sum(value for _, value in self.units)
        perplexity = math.exp(min(700.0, -total / len(self.units))) if self.units else None
        return {"text": self.line, "units": len(self.units), "log-probability": total, "perplexity": perplexity}


def score(folder: run_folder.Run, lines: Sequence[str], file: str | None = None, trust: bool = False) -> list[Scored]:
    """Scores lines, each on its own; the first unit is given, as nothing comes before it.

    Args:
        folder: a finished run of a language model.
        lines: of text.
        file: read instead of `lines`; empty lines are left out.
        trust: see `use.task_of`.

    Raises:
        ConfigError: nothing to score, or the run is not of a language model.
        DataError: the file cannot be read.
    """
    from seqtasks.task_types import LanguageTask
    from seqtasks.training.saved_model import open_trained

    if bool(lines) == bool(file):
        raise ConfigError('give either lines of text or --file FILE: seqtasks score RUN "a sentence"')
    if file is None:
        read = [utf8(line) for line in lines]
    else:
        read = [line for line in read_lines(usable(file, "--file")) if line]
    task, _, model = open_trained(folder, trust)
    if not isinstance(task, LanguageTask):
        raise ConfigError(f"{folder.path} is a run of {task.name}, which scores no text; give a language model's")
    return [Scored(line, task.log_probabilities(model, line)) for line in read]


def print_heat(scored: Sequence[Scored]) -> None:
    """Prints the lines, shaded by how unlikely each unit was; nothing where colours cannot be shown."""
    console = Console(highlight=False)
    if not sys.stdout.isatty():
        return
    for line in scored:
        shown = Colored(line.line[:1])
        for unit, value in line.units:
            shown.append(unit, style=SHADES[sum(-value > bound for bound in BOUNDS)])
        console.print(shown)
    print()

"""Classification or regression of series of measurements.

    Input:   30 to 60 steps of pressure and temperature: noise, and one bump in each
    Target:  pressure first

`files:PATH` takes a table (CSV, TSV, Parquet; a row for each step, or for each series), an `.npz` file, or `.ts` and
`.tsv` files of the UEA and UCR archives; or a folder with one of them for each split. Where the targets are numbers, a
number is predicted, and the score is the RMSE. `aeon:NAME` reads a set inside the installed package aeon. In the
built-in series only the order of two events counts; one label in twenty is wrong, so no score above 95 % can last.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import SeriesTask


@register_task("series")
class Series(SeriesTask):
    """Classification or regression of series of measurements."""

    topology = "many-to-one"
    metric = "accuracy"
    builtin = "events"

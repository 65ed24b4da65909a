"""Labels of the steps of series of measurements: a class, several labels, or numbers at each step.

    Input:   commands to a pump, a valve and a heater in noise: 1 on, -1 off, mostly 0
    Target:  at each step the devices that are on: pump, heater

`files:PATH` takes a table (CSV, TSV, Parquet) with a row for each step, or an `.npz` file; or a folder with one of them
for each split. A target is a column of classes, several columns of 0 and 1, or columns of numbers. In the built-in
series most steps have no command, so that only a memory of the last one tells which devices are on.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import SeriesLabelingTask


@register_task("step_labels")
class StepLabels(SeriesLabelingTask):
    """Labels of the steps of series of measurements."""

    topology = "synced"
    metric = "macro_f1"
    builtin = "switches"

"""Anomaly detection in series of measurements: a score for each step.

    Input:   flow and pressure, step by step
    Output:  the distance of each step from what normal series would have there

`files:PATH` takes a table (CSV, TSV, Parquet) with a row for each step, an `.npz` or `.ts` file, or a text of numbers
of the UCR anomaly archive, whose first steps are normal; or a folder with a file of normal series, `train.csv`, and
one to score, `test.csv`. A column such as `is_anomaly` marks anomalies, if they are known. `aeon:NAME` reads a set
inside the installed package aeon. In the built-in series the anomalies are waves that run backwards in time, which no
single value shows.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import AnomalyTask


@register_task("anomaly")
class Anomaly(AnomalyTask):
    """Anomaly detection in series of measurements: a score for each step."""

    topology = "synced"
    metric = "roc_auc"
    builtin = "reversed_waves"

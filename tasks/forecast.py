"""Forecasting of series of numbers: the next values, with intervals.

    Input:   3 years of months: 21.3 24.0 22.8 …
    Target:  the next 12 months: 23.1 25.9 …

`files:PATH` takes a table (CSV, TSV, Parquet) with a row for each step, an `.npz` file, or a `.tsf` file of the Monash
archive. `statsmodels:NAME` (sunspots, co2, elec_equip) and `aeon:NAME` (Airline, m1_yearly_dataset) read files inside
installed packages. The built-in set has 20 series of 144 months, a pattern of 12 steps in autocorrelated noise: no
forecast has an expected MASE below 0.67.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import ForecastTask


@register_task("forecast")
class Forecast(ForecastTask):
    """Forecasting of series of numbers: the next values, with intervals."""

    topology = "many-to-many"
    metric = "mase"
    higher_is_better = False
    builtin = "months"

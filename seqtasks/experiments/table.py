"""Result tables: `Table`, and the functions that build it from finished runs.

    cell                 encoder.units      accuracy % ↑  encoder params  params  s/epoch  engine
    logistic regression  –                     92.60 (1)               –   7,850        –  scikit-learn
    gru                  128            98.91 ± 0.05 (3)          60,672  61,962     9.10  keras

The parts: `table_rows` groups the rows and raises an error for rows that are not comparable, `significance` compares
the models with the best one, `doubts` and `provenance` write the notes below, `table_formats` renders.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seqtasks.core.collector import paused_collector
from seqtasks.core.errors import TableError, listed
from seqtasks.experiments import results, significance, table_formats
from seqtasks.experiments.provenance import notes_of
from seqtasks.experiments.results import Row
from seqtasks.experiments.table_rows import Group, group_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Group", "Table", "build", "load_table"]


@dataclass(frozen=True, repr=False)
class Table:
    """A result table: baselines, then models from best to worst; HTML in a notebook.

    Attributes:
        task: Name of the task, or of several that share data and metric.
        metric: The score that is compared.
        higher_is_better: Whether a larger score is better.
        columns: Settings that vary, as dotted keys.
        groups: Rows that differ by seed only.
        notes: Lines on data, software and machine of the rows.
        tested: Whether the models were compared with the best one, as far as their runs store outputs.

    Example:
        >>> import seqtasks
        >>> table = seqtasks.compare("adding", "encoder.cell=gru,lstm")  # doctest: +SKIP
        >>> print(table)  # doctest: +SKIP
        >>> table.to_frame()[["cell", "mean"]]  # doctest: +SKIP
    """

    task: str
    metric: str
    higher_is_better: bool
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...]
    tested: bool = False

    def to_frame(self) -> pd.DataFrame:
        """The table as a pandas data frame with one row for each group; numbers are not rounded."""
        import pandas

        return pandas.DataFrame(table_formats.records(self))

    def __repr__(self) -> str:
        return table_formats.render(self)

    def _repr_html_(self) -> str:
        return table_formats.render(self, "html")


@paused_collector()
def load_table(runs_dir: Path, tasks: Sequence[str] = (), by: Sequence[str] = (), where: Sequence[str] = ()) -> Table:
    """Builds the table of the finished runs in a folder.

    Args:
        runs_dir: Folder of all runs.
        tasks: Names of the tasks to show, which share their data; empty: the only task with finished runs.
        by: See `build`.
        where: See `build`.

    Raises:
        TableError: No finished run, runs of several tasks if none is named, or as for `build`.
    """
    rows = results.rows(runs_dir, *tasks)
    if {row.task for row in rows} != set(tasks):  # the error names those that there are
        rows = results.rows(runs_dir)
    available = sorted({row.task for row in rows})
    absent = [task for task in tasks if task not in available]
    if absent or not rows:
        of = f" of {absent[0]}" if absent else ""
        others = f"; it has runs of {listed(available)}" if rows else ""
        raise TableError(
            f"no finished run{of} in {runs_dir}{others}; train one with `seqtasks run {(*absent, 'TASK')[0]}` or give "
            "another --runs folder"
        )
    if not tasks and len(available) > 1:
        raise TableError(
            f"{runs_dir} has runs of {len(available)} tasks: {listed(available)}; allowed: one task, or several on the "
            f"same data; name them: seqtasks table {available[0]}"
        )
    return build([row for row in rows if not tasks or row.task in tasks], by, where, runs_dir)


def build(
    rows: Sequence[Row], by: Sequence[str] = (), where: Sequence[str] = (), runs_dir: Path | None = None
) -> Table:
    """Builds a table of rows of one task, or of several tasks with the same data and metric.

    Columns are the settings that vary within a task.

    Args:
        rows: Finished runs and baselines.
        by: Settings to group by, as dotted keys; empty: all that vary.
        where: Filters `key=value` on settings and fields of a row. Filters on encoder, train and seed
            keep all baselines.
        runs_dir: Folder of the runs, whose stored outputs tell which models cannot be told from the best one; None:
            no model is marked.

    Raises:
        TableError: No rows, unknown key, or rows that are not comparable.
        ConfigError: A filter without `=`.
    """
    tasks = sorted({row.task for row in rows})
    if not tasks:
        raise TableError("there are no finished runs; train one with `seqtasks run TASK`")
    if trials := [row.run for row in rows if row.kind == "trial"]:
        raise TableError(
            f"{listed(trials)}: trials of a search, which were not scored on the test split; allowed: finished runs; "
            "train the best settings: seqtasks run TASK --config best.yaml, or give another --runs folder"
        )
    columns, groups = group_rows(rows, by, where)
    if runs_dir is not None:
        models = [group.rows for group in groups if group.kind == "model"]
        p_values = iter(significance.p_values(models, runs_dir))
        groups = [
            dataclasses.replace(group, p_best=next(p_values)) if group.kind == "model" else group for group in groups
        ]
    first = groups[0].rows[0]
    notes = notes_of([row for group in groups for row in group.rows])
    return Table(
        " and ".join(tasks), first.metric, first.higher_is_better, columns, tuple(groups), notes, runs_dir is not None
    )

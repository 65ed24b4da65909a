"""Contract tests of cells and tasks, for seqtasks itself and for authors of plugins."""

from seqtasks.testing.cell import check_cell
from seqtasks.testing.task import check_task

__all__ = ["check_cell", "check_task"]

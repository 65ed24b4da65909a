"""The contracts of cells and tasks, for our tests and for those of plugin authors."""

from seqtasks.testing.cell import check_cell
from seqtasks.testing.task import check_task

__all__ = ["check_cell", "check_task"]

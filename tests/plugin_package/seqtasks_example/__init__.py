"""A task and a cell for seqtasks from another package."""

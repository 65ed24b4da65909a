"""Bundled tasks, one file each, named after the task."""

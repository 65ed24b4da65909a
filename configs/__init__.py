"""Bundled configurations: `base.yaml` for all tasks, `<task>.yaml` for each task, and named variants."""

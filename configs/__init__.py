"""Bundled configurations: `base.yaml`, and one `<task>.yaml` a task."""

"""The command line: `app` has all commands, `main` is the entry point.

Results go to standard output; progress, warnings and errors go to standard error.
"""

from seqtasks.cli.app import app, main

from seqtasks.cli.interface import training, results, deployment, project  # isort: skip  # the order of --help

__all__ = ["app", "deployment", "main", "project", "results", "training"]

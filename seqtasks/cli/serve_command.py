"""`seqtasks serve`: opens runs and serves them over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqtasks.core import keras_import
from seqtasks.core.reporter import Reporter
from seqtasks.deploy.serving.limits import Limits
from seqtasks.deploy.serving.server import Address, serve
from seqtasks.experiments import run_folder


def main(
    names: Sequence[str],
    runs: Path,
    address: Mapping[str, Any],
    limits: Mapping[str, Any],
    *,
    log_requests: bool = False,
    quiet: bool = False,
    trust: bool = False,
) -> None:
    """Serves runs until Ctrl-C or SIGTERM.

    Args:
        names: Run folders, or their names.
        runs: Folder of all runs.
        address: Fields of `Address`.
        limits: Fields of `Limits`.
        log_requests: Print a line for each request.
        quiet: Print no progress.
        trust: Run the Python code that is stored in the run folders.

    Raises:
        SeqtasksError: A package is not installed, a run cannot be used, or the port cannot be opened.
    """
    where = Address(**address)
    where.check()
    folders = [run_folder.with_model(run_folder.find(name, runs)) for name in dict.fromkeys(names)]
    reporter = Reporter(quiet)

    def open_runs() -> list[Any]:
        keras_import.import_keras()
        from seqtasks.deploy.opened_run import OpenedRun

        opened = []
        for folder in folders:
            opened.append(OpenedRun.open(folder, trust))
            reporter.say(opened[-1].title)
        return opened

    serve(open_runs, where, Limits(**limits), log_requests=log_requests)

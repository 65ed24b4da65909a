"""`seqtasks app`: opens runs and serves the playground."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqtasks.core import keras_import
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder


def main(
    names: Sequence[str],
    runs: Path,
    host: str,
    port: int,
    password: str | None,
    *,
    browser: bool,
    quiet: bool,
    trust: bool,
) -> None:
    """Serves a page to try runs in the browser, until Ctrl-C.

    Args:
        names: Run folders, or their names.
        runs: Folder of all runs.
        host: Name or address of the interface to serve on.
        port: Port; 0: any free one.
        password: Password of the page; None: none.
        browser: Whether to open the page in a browser.
        quiet: Print no progress.
        trust: Run the Python code that is stored in the run folders.

    Raises:
        SeqtasksError: Gradio is not installed, a run cannot be used, or the port cannot be opened.
    """
    from seqtasks.views.playground.server import Address, serve

    address = Address(host, port, password)
    address.check()
    folders = [run_folder.with_model(run_folder.find(name, runs)) for name in dict.fromkeys(names)]
    reporter = Reporter(quiet)

    def build() -> tuple[Any, str]:
        keras_import.import_keras()
        from seqtasks.views.playground import page
        from seqtasks.views.playground.opened import OpenedRun

        opened = []
        for folder in folders:
            opened.append(OpenedRun.open(folder, trust))
            reporter.say(opened[-1].title)
        panels = page.panels_of(opened)
        for panel in panels.values():
            for run in panel.runs:
                panel.warm(run)
        gc.collect()
        keras_import.return_freed()  # else the server stays at its peak, and each thread adds to it
        return page.build(panels), page.css()

    serve(build, address, browser)

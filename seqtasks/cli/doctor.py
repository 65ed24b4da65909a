"""`seqtasks doctor`: checks versions, backend, devices, engines, data and network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from rich.console import Console

from seqtasks.cli.console import plain, print_table
from seqtasks.core import environment, keras_import, plugins
from seqtasks.core.errors import SeqtasksError


def main() -> int:
    """Prints the report and returns the exit code: 1 if something does not work, else 0."""
    problems: list[str] = []
    table = plain("item", "status")
    for name, text in _facts(problems):
        table.add_row(name, text)
    console = Console(highlight=False, soft_wrap=True)
    print_table(table)
    for problem in problems:
        console.print(f"problem: {problem}", markup=False)
    count = len(problems)
    console.print(f"{count} problem{'s' * (count > 1)}, see above" if problems else "no problems")
    return 1 if problems else 0


def _facts(problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yields items and their status; appends what does not work to `problems`."""
    try:
        keras_import.import_keras()
    except SeqtasksError as error:  # everything below needs Keras
        problems.append(str(error))
        return
    from seqtasks.engines.backend import devices

    versions = environment.versions()
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items() if name != "backend")
    yield "commit", environment.commit() or "installed package"
    chosen = os.environ.get("KERAS_BACKEND")
    yield "backend", f"{versions['backend']} ({f'KERAS_BACKEND={chosen}' if chosen else 'KERAS_BACKEND is not set'})"
    cores, threads = environment.cores(), environment.threads()
    yield "processor", f"{environment.machine()}, cores: {cores}, threads used: {threads}"
    yield "devices", ", ".join(("cpu", *devices.gpus()))
    yield from _engines(problems)
    yield from _data(problems)


def _engines(problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yields the state of the native engine, and the engines that run each cell."""
    import numpy as np

    from seqtasks import engines
    from seqtasks.cells.registration import make_cell
    from seqtasks.engines.native import availability, library
    from seqtasks.layers.recurrent import Recurrent

    if missing := availability.not_built_reason():
        advice = "use Linux, e.g. in WSL" if sys.platform == "win32" else "install one, then install seqtasks again"
        yield "engine native", f"{missing}; {advice}"
    else:
        reason = availability.unavailable_reason()
        used = f"; not used: {reason}" if reason else ""
        yield "engine native", f"instruction set {library.instructions()}, threads: {library.threads()}{used}"
    for name in plugins.cells.names():
        try:
            cell = make_cell(name, 4)
            usable = engines.available(cell)
            for engine in usable:
                Recurrent(make_cell(name, 4), engine=engine)(np.zeros((2, 3, 5), "float32"))
        except (SeqtasksError, ValueError, RuntimeError) as error:
            problems.append(f"cell {name}: {' '.join(str(error).split())}")
            continue
        yield f"cell {name}", f"engines {', '.join(usable)}; auto uses {engines.choose('auto', cell)}"


def _data(problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yields the folders of data, the sources of each task, and the state of the network."""
    from seqtasks.data import cache, package_data
    from seqtasks.data.source import Source, data_dir, network, prepared_folder

    yield "tfds folder", str(data_dir())
    yield "cache", str(cache.cache_dir())
    for name in plugins.tasks.names():
        try:
            task = plugins.load_task(name)
        except SeqtasksError as error:
            problems.append(str(error))
            continue
        sources = []
        for tfds in task.tfds_names():
            folder = prepared_folder(Source("tfds", tfds, data_dir()))
            sources.append(f"tfds:{tfds} " + (f"prepared in {folder}" if folder else "not prepared"))
        if task.builtin:
            sources.append(f"builtin:{task.builtin}")
        for package, patterns in task.packages.items():
            sources.append(f"{package}: {package_data.summary(package, patterns)}")
        yield f"task {name}", "; ".join(sources) or "reads files"
    yield "network", "available: datasets can be downloaded" if network() else "none: only prepared and built-in data"

"""`seqtasks doctor`: checks versions, backend, data and network; with --full also Keras, devices and engines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import SimpleNamespace

from rich.console import Console

from seqtasks.cli.console import plain, print_table
from seqtasks.core import environment, keras_import, plugins
from seqtasks.core.declared import FACTS
from seqtasks.core.errors import SeqtasksError
from seqtasks.data import cache, package_data
from seqtasks.data.network import Probe
from seqtasks.data.resolve import source_forms
from seqtasks.data.source import Source, data_dir, prepared_folder

PATIENCE, PATIENCE_FULL = 0.2, 10.0  # seconds to wait for the answer of the network when all else is known


def main(full: bool = False) -> int:
    """Prints the report and returns the exit code: 1 if something does not work, else 0.

    Args:
        full: Also import Keras and its backend, and run every cell on each of its engines.
    """
    problems: list[str] = []
    table = plain("item", "status")
    for name, text in _facts(problems, full):
        table.add_row(name, text)
    console = Console(highlight=False, soft_wrap=True)
    print_table(table)
    for problem in problems:
        console.print(f"problem: {problem}", markup=False)
    if not full:
        console.print("seqtasks doctor --full also imports Keras, looks for GPUs and runs every cell on its engines")
    count = len(problems)
    console.print(f"{count} problem{'s' * (count > 1)}, see above" if problems else "no problems")
    return 1 if problems else 0


def _facts(problems: list[str], full: bool) -> Iterator[tuple[str, str]]:
    """Yields items and their status; appends what does not work to `problems`."""
    try:
        if full:
            keras_import.import_keras()
        else:
            keras_import.check_backend()
    except SeqtasksError as error:  # everything below needs Keras
        problems.append(str(error))
        return
    with Probe() as probe:
        yield from _local_facts(problems, full)
        online = probe.answer(PATIENCE_FULL if full else PATIENCE)
    if online is None:
        yield "network", "no answer" if full else "no answer yet; --full waits longer"
    else:
        yield "network", "available: datasets can be downloaded" if online else "none: only prepared and built-in data"


def _local_facts(problems: list[str], full: bool) -> Iterator[tuple[str, str]]:
    """Yields the items that need no network; appends what does not work to `problems`."""
    versions = environment.versions()
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items() if name != "backend")
    yield "commit", environment.commit() or "installed package"
    chosen = os.environ.get("KERAS_BACKEND")
    yield "backend", f"{versions['backend']} ({f'KERAS_BACKEND={chosen}' if chosen else 'KERAS_BACKEND is not set'})"
    cores, threads = environment.cores(), environment.threads()
    yield "processor", f"{environment.machine()}, cores: {cores}, threads used: {threads}"
    if full:
        from seqtasks.engines.backend import devices

        yield "devices", ", ".join(("cpu", *devices.gpus()))
        yield from _engines(problems)
    else:
        kernel = environment.native_kernel()
        yield "engine native", f"compiled, {kernel}" if kernel else "not compiled; --full gives the reason"
        for entry in plugins.cells.entries():
            yield f"cell {entry.name}", f"engines {entry.about.get('engines', 'unknown before its import')}"
    yield from _data(problems, full)


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


def _data(problems: list[str], full: bool) -> Iterator[tuple[str, str]]:
    """Yields the folders of data and the sources of each task."""
    yield "tfds folder", str(data_dir())
    yield "cache", str(cache.cache_dir())
    for name in plugins.tasks.names():
        try:
            facts = {} if full else plugins.declared(name)
            if not full and not facts.keys() >= set(FACTS):
                yield f"task {name}", "unknown before its import; --full imports it"
                continue
            task = plugins.load_task(name) if full else SimpleNamespace(**facts)
        except SeqtasksError as error:
            problems.append(str(error))
            continue
        sources = []
        for form in source_forms(task):
            kind, _, tfds = form.partition(":")
            folder = prepared_folder(Source("tfds", tfds, data_dir())) if kind == "tfds" else None
            if kind == "tfds":
                sources.append(f"{form} " + (f"prepared in {folder}" if folder else "not prepared"))
            elif kind == "builtin":
                sources.append(form)
        sources += [f"{package}: {package_data.summary(package, names)}" for package, names in task.packages.items()]
        yield f"task {name}", "; ".join(sources) or "reads files"

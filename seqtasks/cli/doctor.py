"""`seqtasks doctor`: checks versions, backend, devices, engines, data and network."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rich.console import Console

from seqtasks.cli.console import plain, print_table
from seqtasks.core import environment, keras_import, plugins
from seqtasks.core.errors import SeqtasksError


def main() -> int:
    """Prints the report; returns the exit code, 1 if something does not work."""
    problems: list[str] = []
    table = plain("what", "found")
    for name, text in _facts(problems):
        table.add_row(name, text)
    console = Console(highlight=False, soft_wrap=True)
    print_table(table)
    for problem in problems:
        console.print(f"problem: {problem}", markup=False)
    console.print("everything works" if not problems else f"{len(problems)} problem(s), see above")
    return 1 if problems else 0


def _facts(problems: list[str]) -> Iterator[tuple[str, str]]:
    try:
        keras_import.import_keras()
    except SeqtasksError as error:  # nothing below can be found out without Keras
        problems.append(str(error))
        return
    from seqtasks.engines.backend import devices

    versions = environment.versions()
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items() if name != "backend")
    yield "commit", environment.commit() or "installed package"
    yield "backend", f"{versions['backend']} (KERAS_BACKEND={os.environ.get('KERAS_BACKEND', 'not set')})"
    yield "processor", f"{environment.machine()}, {environment.cores()} cores, {environment.threads()} threads used"
    yield "devices", ", ".join(("cpu", *devices.gpus()))
    yield from _engines(problems)
    yield from _data(problems)


def _engines(problems: list[str]) -> Iterator[tuple[str, str]]:
    import numpy as np

    from seqtasks import engines
    from seqtasks.cells.base import make_cell
    from seqtasks.engines.native import availability, library
    from seqtasks.layers.recurrent import Recurrent

    if library.library() is None:
        yield (
            "engine native",
            ("not built, as there was no C compiler when seqtasks was installed; install one, then seqtasks again"),
        )
    else:
        why = availability.unavailable_reason()
        used = f"; not used: {why}" if why else ""
        yield "engine native", f"{library.instructions()} instructions, {library.threads()} threads{used}"
    for name in plugins.cells.names():
        try:
            cell = make_cell(name, 4)
            able = engines.available(cell)
            for engine in able:
                Recurrent(make_cell(name, 4), engine=engine)(np.zeros((2, 3, 5), "float32"))
        except (SeqtasksError, ValueError, RuntimeError) as error:
            problems.append(f"cell {name}: {' '.join(str(error).split())}")
            continue
        yield f"cell {name}", f"engines {', '.join(able)}; auto takes {engines.choose('auto', cell)}"


def _data(problems: list[str]) -> Iterator[tuple[str, str]]:
    from seqtasks.data import cache
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
        yield f"task {name}", "; ".join(sources) or "reads files"
    yield "network", "datasets can be downloaded" if network() else "none: prepared and built-in data only"

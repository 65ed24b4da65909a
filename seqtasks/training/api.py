"""The Python interface to runs: `seqtasks.run`, `seqtasks.compare`, `seqtasks.load_run`."""

from __future__ import annotations

import contextlib
import functools
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.core import keras_import, plugins
from seqtasks.core.errors import Interrupted, RunError
from seqtasks.core.reporter import Reporter, in_notebook
from seqtasks.experiments import compare as grids
from seqtasks.experiments import matrix, results, run_folder, suites, table
from seqtasks.experiments.executor import Ended, Executor, Point, drive
from seqtasks.experiments.executor_choice import make_executor
from seqtasks.experiments.local_executor import LocalExecutor
from seqtasks.experiments.matrix import Matrix
from seqtasks.experiments.results import Row
from seqtasks.experiments.table import Table
from seqtasks.training import known_runs, requests, verdict

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from seqtasks.core.config import Config
    from seqtasks.task_types.base import Task

RUNS = Path("runs")


@dataclass(frozen=True)
class Result:
    """A finished run. A notebook shows it as HTML.

    Attributes:
        row: The result row: scores, settings, versions.
        path: The run folder.
        trust: Whether `model`, `predict` and `evaluate` may run the copies of Python files in the run folder, which a
            run of a task or cell given as a file has.

    Example:
        >>> import seqtasks
        >>> result = seqtasks.load_run("mnist_rows-lstm-0123abcd")  # doctest: +SKIP
        >>> result.predict(["three.png", "seven.png"])  # doctest: +SKIP
        >>> result.model.summary()  # doctest: +SKIP
    """

    row: Row
    path: Path
    trust: bool = False

    @property
    def value(self) -> float:
        """Test score in the task's metric."""
        return self.row.value

    @functools.cached_property
    def model(self) -> keras.Model:
        """The trained Keras model.

        Raises:
            RunError: The run has no model, or it cannot be loaded.
        """
        return self._opened[2]

    @functools.cached_property
    def task(self) -> Task:
        """The task with the options of the run and the facts of its data, such as `task.classes`.

        Raises:
            RunError: As `model`.
        """
        return self._opened[0]

    @functools.cached_property
    def _opened(self) -> tuple[Task, Config, keras.Model]:
        keras_import.import_keras()
        from seqtasks.training.saved_model import open_trained

        return open_trained(run_folder.open_run(self.path), self.trust)

    @property
    def history(self) -> pd.DataFrame:
        """Losses and metrics, one row for each epoch."""
        import pandas

        return pandas.read_csv(self.path / "history.csv")

    @property
    def plots(self) -> list[Path]:
        """Paths of the plots of the run, PNG files."""
        return sorted((self.path / "plots").glob("*.png"))

    def predict(self, inputs: str | Sequence[str] = (), **options: Any) -> list[dict[str, Any]] | str:
        """Predicts with the trained model.

        Args:
            inputs: One or several texts or paths of files, whichever the task reads.
            **options: Options of `seqtasks predict`, such as `num_beams=5`.

        Returns:
            A dictionary for each prediction; for a language model, the generated text.

        Raises:
            ConfigError: An unknown option, or inputs that the task cannot read.
        """
        keras_import.import_keras()
        from seqtasks.training import inference

        inputs = [inputs] if isinstance(inputs, str) else list(map(str, inputs))
        predicted = inference.predict(run_folder.open_run(self.path), inputs, options, self.trust)
        return predicted if isinstance(predicted, list) else "".join(predicted)

    def evaluate(self) -> dict[str, float]:
        """Scores the saved model on the test split again.

        Returns:
            Test scores by name.

        Raises:
            RunError: The data differs from that of the run.
        """
        keras_import.import_keras()
        from seqtasks.training import inference

        rows = inference.evaluate(run_folder.open_run(self.path), Reporter(quiet=True), self.trust)
        return {row["score"]: row["now"] for row in rows}

    def __repr__(self) -> str:
        return f"Result({self.row.task}, {self.row.cell}, {self.row.metric} {self.row.value:.4f}, {str(self.path)!r})"

    def _repr_html_(self) -> str:
        row = self.row
        facts: dict[str, Any] = {
            "task": row.task,
            "data": row.source,
            "cell": row.cell,
            "parameters": f"{row.params:,}",
        }
        facts |= {f"test {name}": f"{value:.4f}" for name, value in row.scores.items()}
        facts |= {"epochs": row.epochs, "seconds": f"{row.seconds:.0f}", "folder": self.path}
        lines = [
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in facts.items()
        ]
        notes = [f"<p>{html.escape(note)}</p>" for note in row.notes]
        return "\n".join(["<table>", *lines, "</table>", *notes])


def run(
    task: str,
    *settings: str,
    config: str | Path | None = None,
    runs: str | Path = RUNS,
    force: bool = False,
    quiet: bool = False,
    **values: Any,
) -> Result:
    """Trains and scores a task, like the command `seqtasks run`.

    An interrupted run is continued, and a finished one is returned at once.

    Args:
        task: Name of a task, or path of its Python file.
        *settings: Settings as `"key=value"`.
        config: YAML file of settings, or the name of a bundled one.
        runs: Folder of all runs.
        force: Train again even if the run is finished.
        quiet: Print no progress.
        **values: Settings by keyword, such as `seed=1`; dotted keys as `**{"encoder.units": 64}`.

    Returns:
        The finished run.

    Raises:
        SeqtasksError: An unknown task or setting, data that cannot be read, or a folder that cannot be written.

    Example:
        >>> import seqtasks
        >>> result = seqtasks.run("mnist_rows", "encoder.cell=gru", seed=1)  # doctest: +SKIP
        >>> result.value  # doctest: +SKIP
        0.98
    """
    runs = Path(runs)
    reporter = Reporter(quiet)
    row, _ = requests.train(task, _overrides(settings, values), _text(config), runs, reporter, force=force)
    for note in verdict.of_result(row, results.baselines_of(row, runs)):
        reporter.say(note)
    return Result(row, runs / row.run, _same_code(runs / row.run, task, settings))


def compare(
    task: str,
    *settings: str,
    config: str | Path | None = None,
    runs: str | Path = RUNS,
    jobs: int | None = None,
    baseline: bool = True,
    on: str = "local",
    cpus: float | None = None,
    gpus: float | None = None,
    **values: Any,
) -> Table | Matrix:
    """Trains all combinations of settings and returns their table, as `seqtasks compare`.

    Args:
        task: Name of a task, path of its Python file, or name of a suite.
        *settings: Settings as `"key=a,b"`.
        config: YAML file of settings, or the name of a bundled one.
        runs: Folder of all runs.
        jobs: Number of runs at the same time, in as many processes; None: 1 here, as many as fit on a cluster.
        baseline: Also fit the baselines of the task.
        on: "local", or a Ray cluster: "ray", "ray:auto" or "ray=ADDRESS".
        cpus: Processor cores for each run on a cluster; None: 1.
        gpus: GPUs for each run on a cluster; None: none.
        **values: Settings by keyword; a list has the values to compare, such as `seed=[0, 1, 2]`.

    Returns:
        The table; for a suite the matrix of cells and tasks.

    Raises:
        SeqtasksError: As for `run`; also if a run fails, after all others have ended.

    Example:
        >>> import seqtasks
        >>> table = seqtasks.compare("adding", "encoder.cell=gru,lstm", seed=[0, 1])  # doctest: +SKIP
        >>> table.to_frame()  # doctest: +SKIP
    """
    executor = make_executor(on, jobs, cpus, gpus)
    suite, overrides = suites.suite_of(task), _overrides(settings, values)
    if suite is not None:
        grid, of_suite = run_suite(suite, overrides, _text(config), Path(runs), executor, baseline)
        grid.check()
        return of_suite
    grid = run_grid(task, overrides, _text(config), Path(runs), executor, baseline)
    grid.check()
    return table.build(grid.rows, runs_dir=Path(runs))


def load_run(path: str | Path, runs: str | Path = RUNS, trust: bool = False) -> Result:
    """Loads a finished run.

    Args:
        path: The run folder, or its name in `runs`.
        runs: Folder of all runs.
        trust: Allow the result to run the Python files in the run folder; read them before.

    Raises:
        RunError: There is no such run, or it is not finished.

    Example:
        >>> import seqtasks
        >>> seqtasks.load_run("mnist_rows-lstm-0123abcd").row.value  # doctest: +SKIP
        0.98
    """
    folder = run_folder.find(str(path), Path(runs))
    if not folder.finished:
        raise RunError(
            f"{folder.path} is not finished ({folder.status()}); allowed: a finished run; continue it: "
            f"{folder.command('resume')}"
        )
    return Result(results.read(folder.path), folder.path, trust)


def run_grid(
    task: str, overrides: Sequence[str], config_file: str | None, runs: Path, executor: Executor, baseline: bool
) -> grids.Grid:
    """Checks all combinations of settings, fits baselines, trains runs in processes.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=a,b`.
        config_file: YAML file of settings, or the name of a bundled one.
        runs: Folder of all runs.
        executor: Where the runs are trained.
        baseline: Also fit the baselines.

    Returns:
        The rows, and the labels of skipped and failed runs.

    Raises:
        SeqtasksError: A combination that cannot be run, or baselines that fail.
    """

    for point in grids.expand(overrides):
        requests.check(task, point, config_file)
    _use_known_runs(executor, config_file)
    fit = (lambda: _fit_baselines([(task, overrides)], config_file, runs, executor)[0]) if baseline else None
    return grids.run_grid(task, overrides, runs_dir=runs, executor=executor, config_file=config_file, baseline=fit)


def run_suite(
    suite: suites.Suite,
    overrides: Sequence[str],
    config_file: str | None,
    runs: Path,
    executor: Executor,
    baseline: bool,
) -> tuple[grids.Grid, Matrix]:
    """Trains all combinations of settings on all tasks of a suite; arguments as for `run_grid`.

    Returns:
        The rows, with the labels of skipped and failed runs, and the matrix of the results.

    Raises:
        SeqtasksError: As for `run_grid`.
    """
    parts = [(column.task, column.overrides(overrides)) for column in suite.columns]
    for task, settings in parts:
        for point in grids.expand(settings):
            requests.check(task, point, config_file)
    _use_known_runs(executor, config_file)
    of_baselines: list[list[Row]] = [[] for _ in parts]

    def fit() -> list[Row]:
        of_baselines[:] = _fit_baselines(parts, config_file, runs, executor)
        return [row for rows in of_baselines for row in rows]

    planned = [
        grids.plan(task, settings, runs_dir=runs, config_file=config_file, name=column.name)
        for column, (task, settings) in zip(suite.columns, parts, strict=True)
    ]
    data = [words for task, settings in parts for words in grids.data_of(task, settings, config_file)]
    points = [point for of_task in planned for point in of_task]
    grid = grids.run_points(
        points, data, suite.name, runs_dir=runs, executor=executor, baseline=fit if baseline else None
    )
    columns = [
        [*rows, *(grid.by_point[point] for point in of_task if point in grid.by_point)]
        for rows, of_task in zip(of_baselines, planned, strict=True)
    ]
    return grid, matrix.build(suite, columns, overrides)


def _use_known_runs(executor: Executor, config_file: str | None) -> None:
    """Lets an executor skip runs that are finished, and adopt those of other machines."""
    executor.recall = lambda point: requests.recall(point.words[1], point.words[2:], config_file, point.runs)
    executor.adopt = known_runs.adopt


def _fit_baselines(
    parts: Sequence[tuple[str, Sequence[str]]], config_file: str | None, runs: Path, executor: Executor
) -> list[list[Row]]:
    """Fits the baselines of several tasks, one data set after the other.

    Args:
        parts: Task and settings as `key=a,b` of each.
        config_file: YAML file of settings, or the name of a bundled one.
        runs: Folder of all runs.
        executor: Where the runs are trained; baselines are fitted here.

    Returns:
        The rows of each part.

    Raises:
        RunError: The baselines of a data set failed.
        Interrupted: Stopped by Ctrl-C or SIGTERM.
    """
    options = ["--json", *(["--config", config_file] if config_file else [])]
    options += ["--quiet"] if in_notebook() else []  # the child writes to standard error
    of_parts: list[list[Row]] = []
    with contextlib.ExitStack() as stack:
        # Baselines are fitted on this machine, in the process that then trains the first run here.
        local = executor if isinstance(executor, LocalExecutor) else stack.enter_context(LocalExecutor())
        for task, overrides in parts:
            words = grids.expand(grids.of_data(overrides))
            points = [Point("", ("baseline", task, *one), tuple(options), runs) for one in reversed(words)]
            of_parts.append(_fit_one_by_one(points, local))
    return of_parts


def _fit_one_by_one(waiting: list[Point], local: LocalExecutor) -> list[Row]:
    """Fits the baselines of data sets, the last point first; arguments and errors as for `_fit_baselines`."""
    count = len(waiting)
    ended: list[Ended] = []

    def following() -> Point | None:
        """The next data set, after the one before it has ended."""
        failed = any(one.code for one in ended)
        return waiting.pop() if waiting and not failed and len(waiting) + len(ended) == count else None

    if drive(local, following, lambda one, _: ended.append(one)):
        raise Interrupted("stopped in the baselines, before the first run; run the same command again")
    if any(one.code for one in ended):
        raise RunError("the baselines failed; their message is above; correct the cause or add --no-baseline")
    lines = [line for one in ended for line in one.output.splitlines() if line.startswith("{")]
    rows = [results.from_json(line) for line in lines]
    return list({row.run: row for row in rows}.values())


def _same_code(path: Path, task: str, settings: Sequence[str]) -> bool:
    """Whether the Python files of a run folder are copies of the files that `run` was called with."""
    files = [Path(task)] if task.endswith(".py") else []
    files += [place[0] for text in settings if (place := plugins.cell_file(text.partition("=")[2]))]
    named = {file.read_bytes() for file in files if file.is_file()}
    return all(copy.read_bytes() in named for copy in run_folder.open_run(path).copies)


def _text(config: str | Path | None) -> str | None:
    return None if config is None else str(config)


def _overrides(settings: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Settings as `key=value`, from texts and keyword arguments; a list becomes `key=a,b`."""
    texts = list(settings)
    for key, value in values.items():
        parts = value if isinstance(value, list | tuple) else [value]
        texts.append(f"{key}={','.join(part if isinstance(part, str) else json.dumps(part) for part in parts)}")
    return texts

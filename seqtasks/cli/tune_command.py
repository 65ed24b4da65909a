"""`seqtasks tune`: searches for settings, then trains the best ones over several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtasks.core import config as configuration
from seqtasks.core import config_files
from seqtasks.core.config import split_override
from seqtasks.core.errors import ConfigError, Interrupted, RunError
from seqtasks.experiments import search_report, table, table_formats
from seqtasks.experiments.compare import Grid, of_data
from seqtasks.experiments.executor import Executor, announce_line, data_facts
from seqtasks.experiments.search import Budget, Search, folder_name, import_optuna
from seqtasks.experiments.search_space import parse_space
from seqtasks.training import api, requests

TRIALS = 50  # number of trials if neither --trials nor --minutes is given


@dataclass(frozen=True)
class Request:
    """Arguments of the command; see `cli.interface.training.tune`."""

    task: str
    overrides: Sequence[str]
    config: str | None
    runs: Path
    trials: int | None
    minutes: float | None
    per: str | None
    seeds: int
    prune: bool
    format: str


def main(request: Request, make: Callable[[], Executor]) -> None:
    """Runs the command.

    Args:
        request: Arguments of the command.
        make: Function that makes the executor.

    Raises:
        SeqtasksError: Wrong settings, Optuna is not installed, or no trial was successful.
        Interrupted: A signal stopped it.
    """
    optuna = import_optuna()
    make()  # checks the options
    task, config = request.task, request.config
    space = parse_space(request.overrides)
    spaces = {"search": space} if request.per is None else space.split(request.per)
    for one in spaces.values():
        for settings in one.corners() if one.axes else [list(one.fixed)]:
            requests.check(task, settings, config)
    if request.per is not None and any(not one.axes for one in spaces.values()):
        raise ConfigError(
            f"--per is {request.per}, and no other setting varies; allowed: --per beside other settings; add a range, "
            "or use seqtasks compare"
        )
    fixed = dict(split_override(text) for text in space.fixed)
    seed = int(fixed.get("seed", "0"))
    checked = requests.check(task, space.fixed, config)
    name, task_file = checked.name, checked.task_file
    defaults = configuration.resolve(name, None, space.fixed, config, task_file).flat()
    data = (task, *of_data(space.fixed), *(["--config", config] if config else []))
    facts = data_facts(data)
    texts = None if config is None else config_files.paths(name, config, task_file)[-1].read_text(encoding="utf-8")
    folder = request.runs / folder_name(task, request.overrides, request.per, texts)
    search = Search(folder, task, spaces, facts, seed=seed, config_file=config, prune=request.prune)
    search.enqueue(defaults)
    trials = TRIALS if request.trials is None and request.minutes is None else request.trials
    announce_line(f"search: {folder}; the same command continues it, more --trials extend it")
    with make() as executor:
        executor.prepare(folder / "trials", [data], None if trials is None else trials * len(spaces))
        stopped = search.run(executor, Budget(trials, request.minutes))
    paths = _report(search, request, facts, optuna)
    if stopped:
        raise Interrupted(f"stopped; run the same command again, which continues the search in {folder}")
    if not paths:
        raise RunError("no trial was successful; their messages are above; correct the cause, run the command again")
    _final(request, paths, seed, make)


def _report(search: Search, request: Request, facts: dict[str, object], optuna: object) -> dict[str, Path]:
    """Writes the files of the search and prints the best trial of each study."""
    folder, config = search.folder, request.config
    base = {}
    if config is not None:
        path = config_files.paths(Path(request.task).stem, config, None)[-1]
        size = facts["train"]
        base = config_files.read(path, str(facts["source"]), size if isinstance(size, int) else None)
    paths = search_report.write_best(folder, request.task, search.studies, base)
    files = [search_report.write_trials(folder, search.studies)]
    files.append(search_report.write_importances(folder, search.studies, optuna))
    files.append(search_report.draw(folder, search.studies, str(facts["monitor"]), optuna))
    for study in search.studies:
        best = study.best()
        if best is not None:
            settings = " ".join(best.user_attrs["settings"])
            announce_line(f"best of {study.begun} trials: {facts['monitor']} {best.value:.4g} with {settings}")
    announce_line(f"files: {', '.join(map(str, [*paths.values(), *files]))}")
    return paths


def _final(request: Request, paths: dict[str, Path], seed: int, make: Callable[[], Executor]) -> None:
    """Trains the best settings anew with seeds that no trial had, scores them on the test, and prints the table."""
    if not request.seeds:
        return
    seeds = ",".join(str(seed + 1 + i) for i in range(request.seeds))
    total = Grid()
    for path in paths.values():
        announce_line(f"training {path} with seed={seeds}; the test split is read now, once for each seed")
        grid = api.run_grid(request.task, [f"seed={seeds}"], str(path), request.runs, make(), baseline=False)
        total.rows += grid.rows
        total.failed |= {f"{path.name} {label}": reason for label, reason in grid.failed.items()}
    if total.rows:
        print(table_formats.render(table.build(total.rows), request.format))
    total.check()

"""Commands that train: run, resume, compare, tune, baseline."""

from __future__ import annotations

from typing import Annotated

import typer

from seqtasks.cli.app import command
from seqtasks.cli.interface.options import (
    DEFAULT_RUNS,
    ConfigFile,
    Cpus,
    DryRun,
    Format,
    Gpus,
    Jobs,
    Json,
    On,
    Overrides,
    Quiet,
    RunName,
    Runs,
    TaskName,
    Trust,
    Words,
)

PANEL = "Training"  # of the commands in `seqtasks --help`


@command(PANEL)
def run(
    task: TaskName,
    overrides: Overrides = None,
    config: ConfigFile = None,
    runs: Runs = DEFAULT_RUNS,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Train again even if the run is finished")] = False,
    trial: Annotated[
        bool,
        typer.Option(
            "--trial",
            help="Score validation data only and never the test split; tables refuse the row (`seqtasks tune` runs its "
            "trials so)",
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Read the data of a finished run again, and do not trust the size and time of change of its files",
        ),
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train a task and score it on the test split.

    The same command again prints the result of a finished run, and continues an interrupted one.

    Examples:

      seqtasks run mnist_rows

      seqtasks run mnist_rows encoder.cell=gru encoder.layers=2 train.epochs=5 seed=1

      seqtasks run mnist_rows --config mnist_rows_best

      seqtasks run ./my_task.py encoder.cell=./my_cell.py --dry-run
    """
    from seqtasks.cli import commands

    options = {"dry_run": dry_run, "force": force, "quiet": quiet, "json": json, "trial": trial, "verify": verify}
    commands.run(task, overrides or [], config, runs, **options)


@command(PANEL)
def resume(
    run: RunName, runs: Runs = DEFAULT_RUNS, quiet: Quiet = False, json: Json = False, trust: Trust = False
) -> None:
    """Continue an interrupted run; the result equals that of an uninterrupted one.

    Example: seqtasks resume runs/mnist_rows-lstm-0123abcd
    """
    from seqtasks.cli import commands

    commands.resume(run, runs, quiet=quiet, json=json, trust=trust)


@command(PANEL)
def compare(
    task: Annotated[
        str,
        typer.Argument(
            help="Name of a task (see `seqtasks list tasks`), path of its file, or name of a suite of tasks: probes"
        ),
    ],
    overrides: Overrides = None,
    config: ConfigFile = None,
    runs: Runs = DEFAULT_RUNS,
    jobs: Jobs = None,
    baseline: Annotated[bool, typer.Option(help="Also fit the task's baselines, the first rows of the table")] = True,
    on: On = "local",
    cpus: Cpus = None,
    gpus: Gpus = None,
    format: Format = "text",
    report: Annotated[
        str | None, typer.Option("--report", metavar="FILE", help="HTML file to write a report on the runs to")
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option("--plot", metavar="FILE", help="file for the heat map of a suite: .png, .pdf or .svg"),
    ] = None,
) -> None:
    """Train all combinations of settings and print the table of results.

    A setting takes several values, separated by commas; encoder.cell=all stands for every cell. Finished runs are
    skipped, interrupted ones are continued. A suite is a name for several tasks; its results are a matrix of cells and
    tasks.

    Examples:

      seqtasks compare mnist_rows encoder.cell=simple_rnn,gru,lstm seed=0,1,2

      seqtasks compare adding encoder.cell=all --jobs 4

      seqtasks compare mnist_rows encoder.cell=gru,lstm seed=0,1,2 --report cells.html

      seqtasks compare tagging encoder.cell=gru,lstm seed=0,1,2 --on ray:auto --cpus 2

      seqtasks compare probes encoder.cell=lstm,gru,min_gru encoder.match=lstm:64 --plot probes.png
    """
    from seqtasks.cli import commands
    from seqtasks.experiments.executor_choice import make_executor

    executor = make_executor(on, jobs, cpus, gpus)
    commands.compare(task, overrides or [], config, runs, executor, baseline, format, report, plot)


@command(PANEL)
def tune(
    task: TaskName,
    overrides: Annotated[
        Words,
        typer.Argument(
            help="Settings to search, as LOW..HIGH, LOW..HIGH:log, LOW..HIGH:step=N or A,B,C; and fixed ones, "
            "KEY=VALUE",
            metavar="KEY=RANGE…",
        ),
    ] = None,
    config: ConfigFile = None,
    runs: Runs = DEFAULT_RUNS,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials", min=1, help="Number of trials, with --per of each value; default: 50, or none with --minutes"
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0, help="Minutes after which no further trial begins")
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(
            "--per",
            metavar="KEY",
            help="Setting with several values, each of which gets a search of its own with an equal budget, such as "
            "encoder.cell",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", min=0, help="Number of new seeds with which the best settings are trained and tested; 0: none"
        ),
    ] = 3,
    prune: Annotated[
        bool, typer.Option(help="Stop a trial that is worse than the median of the others at the same epoch")
    ] = True,
    jobs: Jobs = None,
    on: On = "local",
    cpus: Cpus = None,
    gpus: Gpus = None,
    format: Format = "text",
) -> None:
    """Search for the best settings on validation data, then train them anew and score them once.

    Trials never read the test split. The same command continues an interrupted search. The folder runs/tune-TASK-HASH
    gets best.yaml for --config, trials.csv, importances.csv and a picture, search.png.

    Examples:

      seqtasks tune tagging encoder.units=32..512:log train.learning_rate=1e-4..1e-2:log encoder.cell=gru,lstm

      seqtasks tune adding encoder.cell=gru,lstm encoder.units=8..128:log --per encoder.cell --trials 20

      seqtasks tune tagging encoder.dropout=0..0.5:step=0.1 train.epochs=5 --minutes 60 --on ray:auto
    """
    from seqtasks.cli import tune_command
    from seqtasks.experiments.executor_choice import make_executor

    request = tune_command.Request(task, overrides or [], config, runs, trials, minutes, per, seeds, prune, format)
    tune_command.main(request, lambda: make_executor(on, jobs, cpus, gpus))


@command(PANEL)
def baseline(
    task: TaskName,
    overrides: Overrides = None,
    config: ConfigFile = None,
    runs: Runs = DEFAULT_RUNS,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Fit the baselines of a task: simple methods that a model should beat.

    A baseline depends on the data and not on encoder or training, so that it is fitted once for each data set.

    Example: seqtasks baseline mnist_rows
    """
    from seqtasks.cli import commands

    commands.baseline(task, overrides or [], config, runs, quiet=quiet, json=json)

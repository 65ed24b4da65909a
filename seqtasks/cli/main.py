"""The command line: results go to standard output, all else to standard error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from seqtasks.cli import scaffold
from seqtasks.cli.app import LITERAL, TaskCommand, app, command, main
from seqtasks.core.errors import ConfigError

__all__ = ["app", "main"]

Words = list[str] | None
TaskName = Annotated[str, typer.Argument(help="Task of `seqtasks list tasks`, or its file, such as ./my_task.py")]
Overrides = Annotated[Words, typer.Argument(help="Settings: encoder.cell=gru train.epochs=5", metavar="KEY=VALUE…")]
Runs = Annotated[Path, typer.Option("--runs", help="Folder of all runs", envvar="SEQTASKS_RUNS")]
ConfigFile = Annotated[str | None, typer.Option("--config", help="YAML file of settings, or the name of a bundled one")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress")]
RunNames = Annotated[list[str], typer.Argument(help="Run folders, or their names", metavar="RUN")]
RunName = Annotated[str, typer.Argument(help="A run folder, or its name", metavar="RUN")]
Format = Annotated[Literal["text", "markdown", "csv", "latex", "html", "json"], typer.Option("--format", "-f")]
Answer = Annotated[Literal["text", "csv", "json"], typer.Option("--format", "-f")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the configuration and the model; train nothing")]
Json = Annotated[bool, typer.Option("--json", help="Print the result row as one JSON line, last on standard output")]
Inputs = Annotated[
    Words,
    typer.Argument(help="Inputs, and options of the task as --name value; after -- texts"),
]
File = Annotated[str | None, typer.Option(metavar="PATH", help="File of texts, one on each line; or of a prompt")]
By = Annotated[str | None, typer.Option("--by", help="Group by these settings, e.g. encoder.cell,encoder.units")]
Lines = Annotated[Words, typer.Argument(help="Lines of text")]
Out = Annotated[str | None, typer.Option(metavar="PATH", help="File for the predictions; of texts line by line")]
Trust = Annotated[bool, typer.Option("--trust", help="Run code that lies in the run folder; read it first")]
_RUNS = Path("runs")


@command()
def run(
    task: TaskName,
    overrides: Overrides = None,
    config: ConfigFile = None,
    runs: Runs = _RUNS,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Train again even if the run is finished")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train a task and score it on the test split.

    Run it again to see the result; if it was killed, running it again continues it.

    Examples:

      seqtasks run mnist_rows

      seqtasks run mnist_rows encoder.cell=gru encoder.layers=2 train.epochs=5 seed=1

      seqtasks run mnist_rows --config mnist_rows_best

      seqtasks run ./my_task.py encoder.cell=./my_cell.py --dry-run
    """
    from seqtasks.cli import commands

    commands.run(task, overrides or [], config, runs, dry_run=dry_run, force=force, quiet=quiet, json=json)


@command()
def resume(run: RunName, runs: Runs = _RUNS, quiet: Quiet = False, json: Json = False, trust: Trust = False) -> None:
    """Continue a run that was stopped or killed, as if nothing had happened.

    Example: seqtasks resume runs/mnist_rows-lstm-0123abcd
    """
    from seqtasks.cli import commands

    commands.resume(run, runs, quiet=quiet, json=json, trust=trust)


@command()
def compare(
    task: TaskName,
    overrides: Overrides = None,
    config: ConfigFile = None,
    runs: Runs = _RUNS,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Number of runs at a time, which share the cores")
    ] = 1,
    baseline: Annotated[bool, typer.Option(help="Fit the task's baselines as first rows")] = True,
    format: Format = "text",
) -> None:
    """Run a grid of settings and print the table. Finished runs are skipped.

    Example: seqtasks compare mnist_rows encoder.cell=simple_rnn,gru,lstm seed=0,1,2
    """
    from seqtasks.cli import commands

    commands.compare(task, overrides or [], config, runs, jobs, baseline, format)


@command()
def baseline(
    task: TaskName,
    overrides: Overrides = None,
    config: ConfigFile = None,
    runs: Runs = _RUNS,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Fit the simple methods that a model has to beat, once for the data.

    Example: seqtasks baseline mnist_rows
    """
    from seqtasks.cli import commands

    commands.baseline(task, overrides or [], config, runs, quiet=quiet, json=json)


@command()
def table(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="Task, or several tasks with the same data; and filters of rows: train.epochs=12",
            metavar="[TASK…] [KEY=VALUE…]",
        ),
    ] = None,
    by: By = None,
    format: Format = "text",
    runs: Runs = _RUNS,
) -> None:
    """Print the finished runs as a table: mean ± sd (n) over seeds, baselines first.

    What is not comparable is refused, naming what differs.

    Example: seqtasks table mnist_rows --by encoder.cell --format markdown

    Example: seqtasks table mnist_vanilla mnist_rows
    """
    from seqtasks.cli import commands

    commands.table(words or [], by, format, runs)


@command()
def evaluate(
    run: RunNames, runs: Runs = _RUNS, format: Answer = "text", quiet: Quiet = False, trust: Trust = False
) -> None:
    """Score a trained model on its test split again; of several runs each, and the mean of their probabilities.

    Examples:

      seqtasks evaluate runs/mnist_rows-lstm-0123abcd

      seqtasks evaluate runs/sentiment-gru-*
    """
    from seqtasks.cli import commands

    commands.evaluate(run, runs, format, quiet=quiet, trust=trust)


@command(cls=TaskCommand)
def predict(
    ctx: typer.Context,
    run: RunName,
    inputs: Inputs = None,
    file: File = None,
    out: Out = None,
    runs: Runs = _RUNS,
    format: Answer = "text",
    trust: Trust = False,
) -> None:
    """Use a trained model. What it reads, and its options, are the task's: see `seqtasks show TASK`.

    Examples:

      seqtasks predict runs/mnist_rows-lstm-0123abcd three.png seven.png

      seqtasks predict runs/mnist_rows-lstm-0123abcd photo.png --invert yes

      seqtasks predict runs/sentiment-gru-0123abcd --file reviews.txt --out answers.txt

      seqtasks predict runs/char_lm-lstm-0123abcd --prompt "ROMEO:" --length 500 --temperature 0.8
    """
    from seqtasks.cli import commands

    commands.predict(run, inputs or [], ctx.meta[LITERAL], runs, file=file, out=out, format=format, trust=trust)


@command()
def score(
    run: RunName,
    texts: Lines = None,
    file: File = None,
    runs: Runs = _RUNS,
    format: Answer = "text",
    trust: Trust = False,
) -> None:
    """Tell how likely a language model finds lines of text: log-probability and perplexity.

    In a terminal each unit is shaded by how much it surprised the model.

    Example: seqtasks score runs/char_lm-lstm-0123abcd "To be, or not to be" "Tu bi, ro tno ot eb"
    """
    from seqtasks.cli import commands

    commands.score(run, texts or [], file, runs, format, trust=trust)


@command(name="list")
def list_(
    what: Annotated[Literal["all", "tasks", "cells", "runs", "configs"], typer.Argument()] = "all", runs: Runs = _RUNS
) -> None:
    """List tasks, cells, runs, and the configurations for --config.

    Example: seqtasks list cells
    """
    from seqtasks.cli import show

    show.print_lists(what, runs)


@command()
def show(
    task: Annotated[str, typer.Argument(help="Task, as in `seqtasks run`; or the word cell", metavar="TASK|cell")],
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Name or file of a cell; or settings of the task", metavar="NAME|KEY=VALUE…"),
    ] = None,
    load: Annotated[bool, typer.Option(help="Also read the task's data and print its sizes")] = True,
) -> None:
    """Describe a task: its data, settings, types and defaults; or a cell: its equations, source and size.

    Examples:

      seqtasks show mnist_rows

      seqtasks show translation data.source=files:multi30k train.batch_size=128

      seqtasks show cell mgu

      seqtasks show cell ./my_cell.py
    """
    from seqtasks.cli import commands

    commands.show(task, words or [], load)


@command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the task or cell, a Python name such as my_task")],
    folder: Annotated[
        Path, typer.Option("--folder", help="Folder to write to, such as a checkout of seqtasks")
    ] = Path(),
    task_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help=f"Type of the task: {', '.join(scaffold.task_types())}")
    ] = None,
    cell: Annotated[bool, typer.Option("--cell", help="Write a recurrent cell and its test")] = False,
) -> None:
    """Write a task, its configuration and its test, or a cell and its test; all work as they are.

    Without --type, the task derives from `Task` itself and generates its data.

    Examples:

      seqtasks new my_task && seqtasks run ./my_task.py

      seqtasks new my_tagger --type tagging && seqtasks run ./my_tagger.py train.epochs=1

      seqtasks new --cell my_cell && seqtasks run mnist_rows encoder.cell=./my_cell.py
    """
    if cell and task_type is not None:
        raise ConfigError(f"both --cell and --type {task_type} are given; a cell has no type: give one of them")
    paths = scaffold.write_cell(name, folder) if cell else scaffold.write_task(name, folder, task_type)
    print(*paths, sep="\n")
    steps = scaffold.next_steps_of_cell if cell else scaffold.next_steps
    print(steps(paths[0], paths[-1]), file=sys.stderr)


@command()
def bench(
    words: Annotated[
        Words,
        typer.Argument(
            help="Shape: mnist, char, imdb, imdb_lengths or ptb; and sizes",
            metavar="[SHAPE] [KEY=VALUE…]",
        ),
    ] = None,
    contenders: Annotated[
        str | None,
        typer.Option(
            help="Contenders: native, native-jax, keras, loop, loop-jit, stock, stock-jax, torch, torch-compile"
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Seconds of training after which no new round begins")] = 30,
    threads: Annotated[int | None, typer.Option(min=1, help="Number of threads; default: all cores")] = None,
    markdown: Annotated[Path | None, typer.Option(help="File to write a Markdown table to")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file to draw a bar chart into")] = None,
    quiet: Quiet = False,
) -> None:
    """Time a training step of your shape: engines of seqtasks, stock Keras, PyTorch. It takes a minute.

    Sizes, with their defaults: cell=lstm (gru, simple_rnn) units=128 layers=1 bidirectional=false batch=32
    time=64 features=128 vocabulary=0 (more: an embedding) outputs=10 sequences=false lengths=[] (ragged batches).

    Examples:

      seqtasks bench

      seqtasks bench cell=gru units=256 batch=64 time=100

      seqtasks bench char --picture char.png
    """
    from seqtasks.cli import bench_command

    bench_command.main(words or [], contenders, seconds, threads, markdown, picture, quiet)


@command()
def doctor() -> None:
    """Tell versions, backend, devices, engines, data and network."""
    from seqtasks.cli import doctor as examine

    sys.exit(examine.main())

"""Commands about tasks, cells, models of Keras and this installation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from seqtasks.cli import scaffold
from seqtasks.cli.app import command
from seqtasks.cli.interface.options import DEFAULT_RUNS, ConfigFile, Quiet, Runs, Words
from seqtasks.core.errors import ConfigError
from seqtasks.core.files import usable

PANEL = "Tasks, cells and this installation"  # of the commands in `seqtasks --help`


@command(PANEL, name="list")
def list_(
    what: Annotated[
        Literal["all", "tasks", "cells", "runs", "configs", "trackers"],
        typer.Argument(help="Kind of entries; all: tasks, cells and runs"),
    ] = "all",
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """List tasks, cells, runs, the bundled configurations for --config, or the trackers for train.trackers.

    Examples:

      seqtasks list

      seqtasks list cells
    """
    from seqtasks.cli import show

    show.print_lists(what, runs)


@command(PANEL)
def show(
    task: Annotated[
        str, typer.Argument(help="Name or file of a task; or the word cell, to describe a cell", metavar="TASK|cell")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="Settings of the task, which replace its defaults; or the name or file of the cell",
            metavar="KEY=VALUE…|NAME",
        ),
    ] = None,
    config: ConfigFile = None,
    load: Annotated[
        bool | None,
        typer.Option(
            help="Load the task's data and print its sizes, or print nothing of it; default: print what an earlier "
            "call found, and load data that a setting names"
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print source, fingerprint and sizes of the data as one line of JSON")
    ] = False,
) -> None:
    """Describe a task (data, settings, defaults) or a cell (equations, paper, parameters).

    Examples:

      seqtasks show mnist_rows

      seqtasks show word_lm --load

      seqtasks show translation data.source=files:multi30k train.batch_size=128

      seqtasks show tagging --json

      seqtasks show cell mgu

      seqtasks show cell ./my_cell.py
    """
    from seqtasks.cli import commands

    commands.show(task, words or [], config, load, json=json)


@command(PANEL)
def schema(
    task: Annotated[
        str | None, typer.Argument(help="Name or file of a task; left out: only the settings that every task has")
    ] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="PATH", help="File to write to; a .json file")] = None,
) -> None:
    """Print the JSON Schema of a task's configuration files, for editors and validators.

    An editor completes and checks a YAML file whose first line names the schema:
    # yaml-language-server: $schema=my_task.schema.json

    Examples:

      seqtasks schema mnist_rows

      seqtasks schema ./my_task.py --out my_task.schema.json
    """
    from seqtasks.cli import schema_command

    schema_command.main(task, out)


@command(PANEL)
def new(
    name: Annotated[
        str, typer.Argument(help="Name of the task or cell: lower-case letters, digits and _, such as my_task")
    ],
    words: Annotated[
        Words,
        typer.Argument(
            help="Roles of columns of the data file that are known, such as options.target=state",
            metavar="[KEY=VALUE…]",
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--folder", help="Folder to write the files to, such as a checkout of seqtasks")
    ] = Path(),
    task_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help=f"Type of the task: {', '.join(scaffold.task_types())}")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="Data file of the task, such as data.csv, whose columns are read and their roles proposed; for the "
            f"types {' and '.join(scaffold.types_from_files())}",
        ),
    ] = None,
    cell: Annotated[bool, typer.Option("--cell", help="Write a recurrent cell instead of a task")] = False,
) -> None:
    """Write a new task or cell, with its test, that runs at once and can be edited.

    A task also gets a configuration. With --type it derives from the class of that type of task; without, it derives
    from `Task` and generates its data.

    Examples:

      seqtasks new my_task && seqtasks run ./my_task.py

      seqtasks new my_tagger --type tagging && seqtasks run ./my_tagger.py train.epochs=1

      seqtasks new walks --type series --from walks.csv && seqtasks run ./walks.py

      seqtasks new sales --type forecast --from sales.csv options.time=month options.known=[holiday]

      seqtasks new --cell my_cell && seqtasks run mnist_rows encoder.cell=./my_cell.py
    """
    for option, value in (("--type", task_type), ("--from", data)):
        if cell and value is not None:
            raise ConfigError(
                f"got both --cell and {option} {value}; allowed: one of them; leave out --cell or {option}"
            )
    if words and data is None:
        raise ConfigError(f"got {words[0]!r} without --from; allowed: one name; give the data file: --from data.csv")
    proposal = None if data is None else scaffold.proposal_of(usable(data, "--from"), task_type, words or ())
    paths = scaffold.write_cell(name, folder) if cell else scaffold.write_task(name, folder, task_type, proposal)
    print(*paths, sep="\n")
    if proposal is not None:
        print(*proposal.lines, f"correct what is wrong in {paths[1]}", sep="\n", file=sys.stderr)
    steps = scaffold.next_steps_of_cell if cell else scaffold.next_steps
    print(steps(paths[0], paths[-1]), file=sys.stderr)


@command(PANEL)
def bench(
    words: Annotated[
        Words,
        typer.Argument(
            help="Shape (mnist, char, imdb, imdb_lengths or ptb), then sizes that differ from it, such as units=256",
            metavar="[SHAPE] [KEY=VALUE…]",
        ),
    ] = None,
    contenders: Annotated[
        str | None,
        typer.Option(
            help="Contenders, separated by commas: native, native-jax, keras, loop, loop-jit, parallel (engines of "
            "seqtasks), stock, stock-jax (Keras), torch, torch-compile; default: those of native, keras, loop, stock, "
            "stock-jax and torch that are installed"
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Seconds of training after which no new round begins")] = 30,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Number of threads of each contender; default: all cores")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="File to write a Markdown table to")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG, PDF or SVG file to draw a bar chart into")] = None,
    quiet: Quiet = False,
) -> None:
    """Time a training step with engines of seqtasks, Keras and PyTorch, for about a minute.

    The model is a recurrent network of the given shape. Sizes and their defaults: cell=lstm (or gru, simple_rnn)
    units=128 layers=1 bidirectional=false batch=32 time=64 features=128 vocabulary=0 (above 0: token input through an
    embedding) outputs=10 sequences=false (true: one prediction for each time step) lengths=[] (lengths of several
    ragged batches, in place of time).

    Examples:

      seqtasks bench

      seqtasks bench cell=gru units=256 batch=64 time=100

      seqtasks bench char --picture char.png
    """
    from seqtasks.cli import bench_command

    bench_command.main(words or [], contenders, seconds, threads, markdown, picture, quiet)


@command(PANEL)
def accelerate(
    model: Annotated[str, typer.Argument(help="File of a Keras model: .keras or .h5", metavar="MODEL")],
    out: Annotated[
        str | None, typer.Option("--out", metavar="PATH", help="File to write the changed model to; a .keras file")
    ] = None,
) -> None:
    """Exchange the recurrent layers of a saved Keras model for those of seqtasks, which are faster on a CPU.

    Prints what is changed, and what is left and why; without --out nothing is written. The changed model has the same
    weights, optimizer and outputs. Where it is loaded, seqtasks has to be installed.

    Examples:

      seqtasks accelerate model.keras

      seqtasks accelerate model.keras --out fast.keras
    """
    from seqtasks.cli import accelerate_command

    accelerate_command.main(model, out)


@command(PANEL)
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="The shell that you use")],
) -> None:
    """Print the script that completes commands, tasks, settings and files at the Tab key.

    Add the line for your shell to the file that it reads at its start: ~/.bashrc, ~/.zshrc or
    ~/.config/fish/config.fish.

    Examples:

      eval "$(seqtasks completion bash)"

      eval "$(seqtasks completion zsh)"

      seqtasks completion fish | source
    """
    from seqtasks.cli import completion as scripts

    print(scripts.script(shell), end="")


@command(PANEL)
def doctor(
    full: Annotated[
        bool, typer.Option("--full", help="Also import Keras, look for GPUs, and run every cell on each of its engines")
    ] = False,
) -> None:
    """Check versions, backend, data and network.

    The exit code is 1 if something does not work.

    Examples:

      seqtasks doctor

      seqtasks doctor --full
    """
    from seqtasks.cli import doctor as examine

    sys.exit(examine.main(full))

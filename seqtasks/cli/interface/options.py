"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Words = list[str] | None
TaskName = Annotated[
    str, typer.Argument(help="Name of a task (see `seqtasks list tasks`), or path of its file, such as ./my_task.py")
]
Overrides = Annotated[
    Words,
    typer.Argument(
        help="Settings, such as encoder.cell=gru train.epochs=5; `seqtasks show TASK` lists all", metavar="KEY=VALUE…"
    ),
]
Runs = Annotated[Path, typer.Option("--runs", help="Folder that holds all run folders", envvar="SEQTASKS_RUNS")]
ConfigFile = Annotated[
    str | None,
    typer.Option("--config", help="YAML file of settings, or name of a bundled one (see `seqtasks list configs`)"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress")]
RunNames = Annotated[list[str], typer.Argument(help="Run folders, or their names in --runs", metavar="RUN…")]
RunName = Annotated[str, typer.Argument(help="Run folder, or its name in --runs", metavar="RUN")]
Format = Annotated[
    Literal["text", "markdown", "csv", "latex", "html", "json"],
    typer.Option("--format", "-f", help="Format of the table"),
]
RowFormat = Annotated[Literal["text", "csv", "json"], typer.Option("--format", "-f", help="Format of the output")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the configuration and the model; train nothing")]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result row as one line of JSON, the last of standard output")
]
Inputs = Annotated[
    Words,
    typer.Argument(
        help="Inputs of the task, and its options as --name value; words after a lone -- are inputs",
        metavar="INPUT… [--OPTION VALUE…]",
    ),
]
InputFile = Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="PATH",
        help="Text file with one input on each line; language models: the prompt; tagging: also CoNLL-U, or a row "
        "for each word, whose tags are filled in",
    ),
]
TextFile = Annotated[
    str | None, typer.Option("--file", metavar="PATH", help="Text file to score line by line, instead of TEXT")
]
By = Annotated[
    str | None, typer.Option("--by", help="Settings that make the rows of the table, e.g. encoder.cell,encoder.units")
]
Lines = Annotated[Words, typer.Argument(help="Lines of text, each in quotes", metavar="TEXT…")]
Out = Annotated[
    str | None,
    typer.Option("--out", metavar="PATH", help="File to write the predictions to, for texts one line for each input"),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run the Python code that is stored in the run folder; read it first")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help="Number of runs at the same time; default: 1 here, where they share the cores, and on a cluster as many "
        "as fit",
    ),
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="WHERE",
        help="Machines that train the runs: local; ray, this machine through Ray; ray:auto, the Ray cluster that it "
        "belongs to; ray=ADDRESS, the cluster at HOST:PORT",
    ),
]
Cpus = Annotated[
    float | None, typer.Option("--cpus", min=0.01, help="Processor cores for each run on a cluster; default: 1")
]
Gpus = Annotated[
    float | None, typer.Option("--gpus", min=0, help="GPUs, or a fraction of one, for each run on a cluster")
]
Host = Annotated[
    str,
    typer.Option(
        "--host",
        help="Name or address to serve on; one that other machines reach, such as 0.0.0.0, needs a password or token",
    ),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to serve on; 0: any free one")]
DEFAULT_RUNS = Path("runs")

"""Commands of the command line and their options; their bodies are in `commands`.

Results go to standard output; progress, warnings and errors go to standard error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from seqtasks.cli import scaffold
from seqtasks.cli.app import LITERAL, TaskCommand, app, command, main
from seqtasks.core.errors import ConfigError
from seqtasks.core.files import usable

__all__ = ["app", "main"]

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
_RUNS = Path("runs")


@command()
def run(
    task: TaskName,
    overrides: Overrides = None,
    config: ConfigFile = None,
    runs: Runs = _RUNS,
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


@command()
def resume(run: RunName, runs: Runs = _RUNS, quiet: Quiet = False, json: Json = False, trust: Trust = False) -> None:
    """Continue an interrupted run; the result equals that of an uninterrupted one.

    Example: seqtasks resume runs/mnist_rows-lstm-0123abcd
    """
    from seqtasks.cli import commands

    commands.resume(run, runs, quiet=quiet, json=json, trust=trust)


@command()
def compare(
    task: Annotated[
        str,
        typer.Argument(
            help="Name of a task (see `seqtasks list tasks`), path of its file, or name of a suite of tasks: probes"
        ),
    ],
    overrides: Overrides = None,
    config: ConfigFile = None,
    runs: Runs = _RUNS,
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


@command()
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
    runs: Runs = _RUNS,
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


@command()
def baseline(
    task: TaskName,
    overrides: Overrides = None,
    config: ConfigFile = None,
    runs: Runs = _RUNS,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Fit the baselines of a task: simple methods that a model should beat.

    A baseline depends on the data and not on encoder or training, so that it is fitted once for each data set.

    Example: seqtasks baseline mnist_rows
    """
    from seqtasks.cli import commands

    commands.baseline(task, overrides or [], config, runs, quiet=quiet, json=json)


@command()
def table(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="Task, or several tasks on the same data, then filters of rows, such as train.epochs=12",
            metavar="[TASK…] [KEY=VALUE…]",
        ),
    ] = None,
    by: By = None,
    format: Format = "text",
    runs: Runs = _RUNS,
) -> None:
    """Print finished runs as a table: mean ± standard deviation over seeds, baselines first.

    Runs that are not comparable, such as those on other data, make an error that names the difference.

    Examples:

      seqtasks table mnist_rows --by encoder.cell --format markdown

      seqtasks table mnist_rows encoder.units=128 train.epochs=12

      seqtasks table mnist_vanilla mnist_rows
    """
    from seqtasks.cli import commands

    commands.table(words or [], by, format, runs)


@command()
def report(
    words: Annotated[
        Words,
        typer.Argument(
            help="Runs or tasks, then filters of rows, such as train.epochs=12; none: all finished runs",
            metavar="[RUN|TASK…] [KEY=VALUE…]",
        ),
    ] = None,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="HTML file to write")] = "report.html",
    runs: Runs = _RUNS,
) -> None:
    """Write a report on finished runs: one HTML file that opens without a network.

    It has the table, score against size and time, learning curves, settings that differ, facts about the data,
    pictures, the worst errors, and the commands to train the models again. With the extra `report` (Altair) the charts
    have tooltips and legends to click on.

    Examples:

      seqtasks report mnist_rows

      seqtasks report mnist_rows encoder.units=128 --out cells.html

      seqtasks report runs/tagging-gru-0123abcd runs/tagging-lstm-4567cdef -o tagging.html
    """
    from seqtasks.cli import commands

    commands.report(words or [], out, runs)


@command()
def plot(
    run: RunNames,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="File to write: .png, .pdf or .svg")
    ] = "curves.png",
    runs: Runs = _RUNS,
) -> None:
    """Draw the learning curves of finished runs into one figure.

    Runs that differ by their seed only are one line, the mean, with a band from the lowest to the highest value. A
    circle marks the best epoch, a dashed line the best baseline of the data.

    Examples:

      seqtasks plot runs/mnist_rows-lstm-0123abcd

      seqtasks plot runs/mnist_rows-* --out cells.svg
    """
    from seqtasks.cli import commands

    commands.plot(run, out, runs)


@command()
def evaluate(
    run: RunNames, runs: Runs = _RUNS, format: RowFormat = "text", quiet: Quiet = False, trust: Trust = False
) -> None:
    """Score trained models on their test split again, and the ensemble of several models.

    The ensemble averages the class probabilities of all given runs, which are of one task and data set.

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
    file: InputFile = None,
    out: Out = None,
    runs: Runs = _RUNS,
    format: RowFormat = "text",
    trust: Trust = False,
) -> None:
    """Predict with a trained model.

    Inputs and options differ between tasks: `seqtasks show TASK` lists them.

    Examples:

      seqtasks predict runs/mnist_rows-lstm-0123abcd three.png seven.png

      seqtasks predict runs/mnist_rows-lstm-0123abcd photo.png --invert yes

      seqtasks predict runs/sentiment-gru-0123abcd --file reviews.txt --out answers.txt

      seqtasks predict runs/tagging-lstm-0123abcd --file words.conllu --out tagged.conllu

      seqtasks predict runs/char_lm-lstm-0123abcd --prompt "ROMEO:" --length 500 --temperature 0.8
    """
    from seqtasks.cli import commands

    commands.predict(run, inputs or [], ctx.meta[LITERAL], runs, file=file, out=out, format=format, trust=trust)


@command()
def score(
    run: RunName,
    texts: Lines = None,
    file: TextFile = None,
    runs: Runs = _RUNS,
    format: RowFormat = "text",
    trust: Trust = False,
) -> None:
    """Print log-probability and perplexity of lines of text under a language model.

    In a terminal, the background of a character or word shows how unlikely the model found it.

    Examples:

      seqtasks score runs/char_lm-lstm-0123abcd "To be, or not to be" "Tu bi, ro tno ot eb"

      seqtasks score runs/char_lm-lstm-0123abcd --file sonnets.txt --format csv
    """
    from seqtasks.cli import commands

    commands.score(run, texts or [], file, runs, format, trust=trust)


@command()
def look(
    run: RunNames,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Draw gradient norms over the steps back, of one or several runs")
    ] = False,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", help="Text or path of a file to read instead of the test split; can be repeated"),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="PATH", help="Text file to read instead of the test split")
    ] = None,
    layer: Annotated[int | None, typer.Option("--layer", help="Number of the layer, from 1; default: the last")] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help="Unit to show, such as 12, or c:12 for the state c")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Number of units to list")] = 10,
    example: Annotated[int, typer.Option("--example", min=0, help="Number of the sequence to draw, from 0")] = 0,
    steps: Annotated[
        int, typer.Option("--steps", min=2, help="Maximum number of time steps in a picture, or back in time")
    ] = 100,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FOLDER", help="Folder to write to; default: look in the first run folder"),
    ] = None,
    runs: Runs = _RUNS,
    format: RowFormat = "text",
    quiet: Quiet = False,
    trust: Trust = False,
) -> None:
    """Look inside a trained network: units, gates, states, spectrum, or gradients over time.

    Without --gradients: lists the units that follow a property of the input, such as the position in the line. Each is
    chosen on one half of the test split and measured on the other. Writes heat maps of the states and gates,
    trajectories of the states, eigenvalues, and texts coloured by a unit.

    With --gradients: draws the norm of the gradient of the loss at the last step with respect to the states of earlier
    steps, for the trained and an untrained network, and norms over training if train.log_gradients was set.

    Examples:

      seqtasks look runs/char_lm-lstm-0123abcd

      seqtasks look runs/char_lm-lstm-0123abcd --unit c:12 --input "ROMEO: But soft!"

      seqtasks look runs/mnist_rows-gru-0123abcd --layer 1 --example 3 --out pictures

      seqtasks look runs/adding-* --gradients --steps 100
    """
    from seqtasks.cli import look_command

    look_command.main(
        run, runs, gradients, out, format, inputs=input or [], file=file, layer=layer, unit=unit, top=top,
        example=example, steps=steps, quiet=quiet, trust=trust,
    )  # fmt: skip


@command(name="app")
def app_(
    run: RunNames,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Name or address to serve on; one that other machines reach needs a password: 0.0.0.0"
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to serve on; 0: any free one")] = 7860,
    password: Annotated[
        str | None,
        typer.Option("--password", help="Password of the page, with any user name", envvar="SEQTASKS_PASSWORD"),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser, where there is a display")] = True,
    runs: Runs = _RUNS,
    quiet: Quiet = False,
    trust: Trust = False,
) -> None:
    """Try trained models in the browser: a page on this machine, until Ctrl-C.

    A language model shows its text as it is generated, with the next tokens and a unit; a classifier the words that
    mattered; a tagger tags; a translator its attention. Images are drawn or loaded, sound is recorded, series are
    tables. Several runs of one task answer side by side. Needs the extra `app` (Gradio); nothing is loaded from the
    network.

    Examples:

      seqtasks app runs/char_lm-lstm-0123abcd

      seqtasks app runs/mnist_rows-lstm-0123abcd runs/mnist_rows-gru-4567cdef

      SEQTASKS_PASSWORD=secret seqtasks app runs/tagging-* --host 0.0.0.0 --port 8000 --no-browser
    """
    from seqtasks.cli import app_command

    app_command.main(run, runs, host, port, password, browser=browser, quiet=quiet, trust=trust)


@command()
def serve(
    run: RunNames,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Name or address to serve on; one that other machines reach needs a token: 0.0.0.0"
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to serve on; 0: any free one")] = 8000,
    token: Annotated[
        str | None,
        typer.Option("--token", help="Bearer token that every request has to send", envvar="SEQTASKS_TOKEN"),
    ] = None,
    max_batch: Annotated[
        int, typer.Option("--max-batch", min=1, max=1024, help="Requests computed as one batch; 1: no batching")
    ] = 64,
    batch_wait: Annotated[
        float, typer.Option("--batch-wait", min=0, max=1000, help="Milliseconds that a request waits for others")
    ] = 3.0,
    max_body: Annotated[
        int, typer.Option("--max-body", min=1024, help="Maximum size of the body of a request in bytes")
    ] = 8 << 20,
    max_inputs: Annotated[int, typer.Option("--max-inputs", min=1, help="Maximum number of inputs of a request")] = 64,
    max_length: Annotated[
        int, typer.Option("--max-length", min=1, help="Maximum number of characters of a text")
    ] = 10_000,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, help="Maximum number of tokens that a request generates")
    ] = 2_000,
    max_sessions: Annotated[int, typer.Option("--max-sessions", min=1, help="Maximum number of open sessions")] = 100,
    max_waiting: Annotated[
        int, typer.Option("--max-waiting", min=1, help="Maximum number of requests that wait for the model")
    ] = 256,
    session_time: Annotated[
        float, typer.Option("--session-time", min=1, help="Seconds that a session lives after its last request")
    ] = 600.0,
    time_limit: Annotated[float, typer.Option("--time-limit", min=0.01, help="Seconds that a request may take")] = 30.0,
    log_requests: Annotated[bool, typer.Option("--log-requests", help="Print a line for each request")] = False,
    runs: Runs = _RUNS,
    quiet: Quiet = False,
    trust: Trust = False,
) -> None:
    """Serve trained models over HTTP on this machine, until Ctrl-C or SIGTERM.

    POST /predict answers for every task; POST /generate streams text; /sessions keep the states of a language model;
    /v2 is the Open Inference Protocol, which clients of KServe and Triton use; /metrics is for Prometheus; /docs
    describes all of it. Requests that come together are computed together. Needs the extra `serve` (FastAPI).

    Examples:

      seqtasks serve runs/tagging-lstm-0123abcd

      curl -s http://127.0.0.1:8000/predict --json '{"inputs": ["the cat sat on the mat"]}'

      seqtasks serve runs/char_lm-lstm-0123abcd runs/sentiment-gru-4567cdef --port 0

      SEQTASKS_TOKEN=secret-of-16-signs seqtasks serve runs/tagging-* --host 0.0.0.0 --max-batch 32
    """
    from seqtasks.cli import serve_command

    serve_command.main(
        run, runs, {"host": host, "port": port, "token": token},
        {"batch": max_batch, "collect_seconds": batch_wait / 1000, "body": max_body, "inputs": max_inputs,
         "length": max_length, "tokens": max_tokens, "sessions": max_sessions, "waiting": max_waiting,
         "session_seconds": session_time, "seconds": time_limit},
        log_requests=log_requests, quiet=quiet, trust=trust,
    )  # fmt: skip


@command()
def pack(
    run: RunName,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="Archive to write; default: RUN.seqtasks.zip in this folder"),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="TEXT", help="Licence of the data; default: that of the data set, if known"),
    ] = None,
    examples: Annotated[
        bool, typer.Option(help="Include plots and outputs on the test split, which can hold texts of the data")
    ] = True,
    push: Annotated[
        str | None,
        typer.Option("--push", metavar="hf://OWNER/NAME", help="Upload to the Hugging Face Hub instead of an archive"),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository of the Hub private")] = False,
    runs: Runs = _RUNS,
) -> None:
    """Pack a finished run into one archive, with checksums and a model card.

    The card is made from the result row: data, scores with their spread over the seeds beside the run, limits, licence,
    how to reproduce. The archive holds the name of the data source and the vocabulary of the data; with plots and
    outputs, also texts of the test split. Uploading needs the extra `hub` (huggingface_hub).

    Examples:

      seqtasks pack runs/tagging-lstm-0123abcd

      seqtasks pack runs/tagging-lstm-0123abcd --licence "CC BY-SA 4.0" --no-examples --out tagger.zip

      seqtasks pack runs/tagging-lstm-0123abcd --push hf://someone/tagger --private
    """
    from seqtasks.cli import pack_command

    pack_command.pack(run, runs, out, licence, push, examples=examples, private=private)


@command()
def unpack(
    archive: Annotated[
        str, typer.Argument(help="Archive of `seqtasks pack`, or hf://OWNER/NAME[@REVISION]", metavar="ARCHIVE")
    ],
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", metavar="HEX", help="Checksum that the archive must have, as `pack` printed it"),
    ] = None,
    runs: Runs = _RUNS,
) -> None:
    """Unpack an archive of a run into the folder of all runs; its code is not executed.

    Archives with absolute paths, .., links, more than 10,000 files or 10 GB, or a wrong checksum are refused, and
    nothing of them stays. The checksums inside show damage; --sha256, from the sender, shows that it is their archive.

    Examples:

      seqtasks unpack tagging-lstm-0123abcd.seqtasks.zip

      seqtasks unpack hf://someone/tagger --runs others
    """
    from seqtasks.cli import pack_command

    pack_command.unpack(archive, runs, sha256)


@command(name="list")
def list_(
    what: Annotated[
        Literal["all", "tasks", "cells", "runs", "configs", "trackers"],
        typer.Argument(help="Kind of entries; all: tasks, cells and runs"),
    ] = "all",
    runs: Runs = _RUNS,
) -> None:
    """List tasks, cells, runs, the bundled configurations for --config, or the trackers for train.trackers.

    Examples:

      seqtasks list

      seqtasks list cells
    """
    from seqtasks.cli import show

    show.print_lists(what, runs)


@command()
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


@command()
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


@command()
def export(
    run: RunName,
    format: Annotated[
        Literal["saved_model", "onnx", "litert", "openvino", "safetensors"],
        typer.Option("--format", "-f", help="Format of the model files; safetensors has the weights only"),
    ] = "onnx",
    step: Annotated[
        bool,
        typer.Option(
            "--step", help="One step, with each state as an input and an output; default where it is possible"
        ),
    ] = False,
    length: Annotated[
        int | None,
        typer.Option(min=1, help="A whole sequence of this number of steps, with its mask as an input"),
    ] = None,
    any_length: Annotated[
        bool, typer.Option("--any-length", help="A whole sequence of any length; saved_model and openvino only")
    ] = False,
    quantize: Annotated[
        Literal["float16", "dynamic"] | None,
        typer.Option(help="Smaller weights: float16, or dynamic (int8 weights; onnx and litert only)"),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Folder to write; default: export/FORMAT in the run folder"),
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Number of test examples of the proof")] = 100,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Largest allowed difference, relative to the largest output; default: 0.0001, or with --quantize "
            "float16 0.02, with dynamic 0.2",
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="Licence of the data, for the manifest; default: that of a data set of tensorflow-datasets"),
    ] = None,
    report: Annotated[Literal["text", "csv", "json"], typer.Option(help="Format of the printed proof")] = "text",
    runs: Runs = _RUNS,
    quiet: Quiet = False,
    trust: Trust = False,
) -> None:
    """Write a trained model for another runtime, and prove that it gives the same outputs there.

    Test examples run through the written files in a process without seqtasks. Printed are the largest difference from
    Keras, the share of equal answers, the score beside that of the run, size, time and operations. Beyond the
    tolerance the exit code is 1 and nothing is written. The folder has a manifest.json and a use.py that needs NumPy
    and the runtime only. Needs the extra `export`.

    Examples:

      seqtasks export char_lm-lstm-0123abcd

      seqtasks export char_lm-lstm-0123abcd --format litert --quantize dynamic --out phone

      seqtasks export tagging-lstm-0123abcd --length 60

      seqtasks export sentiment-gru-4567cdef --format openvino --any-length

      seqtasks export mnist_rows-lstm-89ab0123 --format safetensors
    """
    from seqtasks.cli import export_command

    shape = export_command.shape_of(step, length, any_length)
    export_command.main(
        run,
        runs,
        out,
        report,
        quiet=quiet,
        trust=trust,
        format=format,
        shape=shape,
        length=length,
        quantize=quantize,
        examples=examples,
        tolerance=tolerance,
        licence=licence,
    )


@command()
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


@command()
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


@command()
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


@command()
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


@command()
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

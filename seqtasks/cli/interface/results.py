"""Commands that read finished runs: table, report, plot, evaluate, predict, score, look."""

from __future__ import annotations

from typing import Annotated

import typer

from seqtasks.cli.app import LITERAL, TaskCommand, command
from seqtasks.cli.interface.options import (
    DEFAULT_RUNS,
    By,
    Format,
    InputFile,
    Inputs,
    Lines,
    Out,
    Quiet,
    RowFormat,
    RunName,
    RunNames,
    Runs,
    TextFile,
    Trust,
    Words,
)

PANEL = "Results"  # of the commands in `seqtasks --help`


@command(PANEL)
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
    runs: Runs = DEFAULT_RUNS,
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


@command(PANEL)
def report(
    words: Annotated[
        Words,
        typer.Argument(
            help="Runs or tasks, then filters of rows, such as train.epochs=12; none: all finished runs",
            metavar="[RUN|TASK…] [KEY=VALUE…]",
        ),
    ] = None,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="HTML file to write")] = "report.html",
    runs: Runs = DEFAULT_RUNS,
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


@command(PANEL)
def plot(
    run: RunNames,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="File to write: .png, .pdf or .svg")
    ] = "curves.png",
    runs: Runs = DEFAULT_RUNS,
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


@command(PANEL)
def evaluate(
    run: RunNames, runs: Runs = DEFAULT_RUNS, format: RowFormat = "text", quiet: Quiet = False, trust: Trust = False
) -> None:
    """Score trained models on their test split again, and the ensemble of several models.

    The ensemble averages the class probabilities of all given runs, which are of one task and data set.

    Examples:

      seqtasks evaluate runs/mnist_rows-lstm-0123abcd

      seqtasks evaluate runs/sentiment-gru-*
    """
    from seqtasks.cli import commands

    commands.evaluate(run, runs, format, quiet=quiet, trust=trust)


@command(PANEL, cls=TaskCommand)
def predict(
    ctx: typer.Context,
    run: RunName,
    inputs: Inputs = None,
    file: InputFile = None,
    out: Out = None,
    runs: Runs = DEFAULT_RUNS,
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


@command(PANEL)
def score(
    run: RunName,
    texts: Lines = None,
    file: TextFile = None,
    runs: Runs = DEFAULT_RUNS,
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


@command(PANEL)
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
    runs: Runs = DEFAULT_RUNS,
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

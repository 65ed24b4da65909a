"""`seqtasks bench`: times training steps of contenders on a chosen shape of model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from seqtasks.bench.shapes import SHAPES, Shape
from seqtasks.cli.console import plain, print_table
from seqtasks.core import environment
from seqtasks.core.errors import ConfigError, suggest
from seqtasks.core.files import check_output, write_output
from seqtasks.core.settings import build, parse

DEFAULT = ("native", "keras", "loop", "stock", "stock-jax", "torch")


def main(
    words: Sequence[str],
    contenders: str | None,
    seconds: float,
    threads: int | None,
    markdown: Path | None,
    picture: Path | None,
    quiet: bool,
) -> None:
    """Times contenders on one shape and prints the table.

    Args:
        words: Name of a shape of `SHAPES`, which may be left out, and fields of `Shape` as `key=value`.
        contenders: Names from `NAMES`, separated by commas; None: those of `DEFAULT` that are installed.
        seconds: Seconds of training steps after which no further round begins.
        threads: Number of threads of each contender; None: number of cores.
        markdown: File to write a Markdown table to; None: no file.
        picture: PNG, PDF or SVG file for a bar chart; None: no file.
        quiet: Print no progress.

    Raises:
        ConfigError: Unknown shape, setting or contender, or a file that cannot be written.
        BenchError: No contender can run.
    """
    from seqtasks.bench import report
    from seqtasks.bench.contenders import NAMES, is_installed
    from seqtasks.bench.race import race

    for path, option, suffixes in ((markdown, "--markdown", ()), (picture, "--picture", report.SUFFIXES)):
        if path is not None:
            check_output(path, option, suffixes)
    name, shape = shape_of(words)
    names = [part.strip() for part in contenders.split(",")] if contenders else list(filter(is_installed, DEFAULT))
    for one in names:
        if one not in NAMES:
            raise ConfigError(f"unknown contender {one!r}; {suggest(one, NAMES, see='`seqtasks bench --help`')}")
        if not is_installed(one):
            installed = ", ".join(filter(is_installed, NAMES))
            raise ConfigError(
                f"contender {one} is not installed; allowed here: {installed}; install it, or leave it out of "
                "--contenders"
            )
    console = Console(stderr=True, quiet=quiet, highlight=False)
    with console.status("starting") as status:
        outcome = race(shape, names, 100, threads, status.update, seconds)
    first = names[0] if names[0] in outcome.seconds else report.order(outcome)[0]
    count = threads or environment.cores()
    print(
        f"{name}: time of a training step on {count} thread{'s' * (count > 1)}, {len(outcome.seconds[first])} "
        f"interleaved rounds; peak of matrix products on this machine: {outcome.peak / 1e9:.0f} GFLOP/s"
    )
    table = plain(*report.HEAD)
    for row in report.rows(outcome):
        table.add_row(*row)
    print_table(table)
    for line in report.ratios(outcome, first):
        print(line)
    for contender, reason in outcome.failed.items():
        print(f"{NAMES[contender]} did not run: {reason}")
    if markdown:
        text = report.markdown({name: outcome}, first) + "\n"
        write_output(markdown, lambda file: file.write_text(text, encoding="utf-8"))
    if picture:
        report.picture({name: outcome}, picture)


def shape_of(words: Sequence[str]) -> tuple[str, Shape]:
    """The shape that words of the command line describe, and a title for it.

    Raises:
        ConfigError: Unknown name of a shape, or unknown field or value.
    """
    names = [word for word in words if "=" not in word]
    if len(names) > 1 or not set(names) <= SHAPES.keys():
        hint = suggest(names[0], SHAPES) if len(names) == 1 else f"allowed: one of {', '.join(SHAPES)}"
        raise ConfigError(f"unknown shape {' '.join(names)!r}; {hint}; or set sizes: units=256 batch=64")
    settings = [word for word in words if "=" in word]
    pairs = {key: value for key, _, value in (word.partition("=") for word in settings)}
    base = {} if not names else vars(SHAPES[names[0]])
    shape = build(Shape, {**base, **{key: parse(value) for key, value in pairs.items()}}, raw=pairs)
    return " ".join([*(names or ["your shape"]), *settings]), shape

"""`seqtasks predict`: reads inputs, predicts, and prints or writes the predictions."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.cli.console import print_rows, render_rows
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.core.files import check_output, is_utf8, shown, usable, write_output
from seqtasks.data.text.reader import Text, read_lines
from seqtasks.experiments import run_folder

if TYPE_CHECKING:
    from seqtasks.task_types.base import Task

_OPTION = re.compile(r"--[A-Za-z][\w-]*(=.*)?", re.DOTALL)
_FILE_NAME = re.compile(r"\S+\.(txt|csv|tsv|json|conllu?|iob|bio)", re.IGNORECASE)
_BREAKS = re.compile(r"[\r\n]+")


@dataclass(frozen=True)
class Request:
    """Arguments of `seqtasks predict`.

    Attributes:
        words: Inputs, and options of the task as `--name value` or `--name=value`.
        literal: Inputs that came after a lone `--`.
        file: File to read instead of inputs; None: no file.
        out: File that the predictions are written to; None: standard output.
        format: "text", "csv" or "json".
        trust: Run the Python code that is stored in the run folder.
    """

    words: Sequence[str] = ()
    literal: Sequence[str] = ()
    file: str | None = None
    out: str | None = None
    format: str = "text"
    trust: bool = False


def predict(folder: run_folder.Run, request: Request) -> None:
    """Predicts for the inputs of a request and prints or writes the predictions.

    Inputs, options and files are checked before the model is loaded, which takes seconds.

    Args:
        folder: The finished run.
        request: Inputs, options and output.

    Raises:
        SeqtasksError: Unknown option, inputs that the task cannot read, a file that cannot be
            read or written, or a run that cannot be used.
    """
    from seqtasks.training.inference import options_of
    from seqtasks.training.saved_model import open_trained, task_of

    out = None if request.out is None else check_output(request.out, "--out")
    cls, _ = task_of(folder, request.trust)
    inputs, option_texts = split_options(request.words)
    if cls.reads == "texts":
        _refuse_files(inputs)
    inputs += request.literal
    if request.file is not None and request.file.lower().endswith(cls.fills):
        _fill(folder, request, inputs, option_texts, out)
        return
    if request.file is not None:
        inputs = _read(cls, request.file, inputs, option_texts)
    for word in inputs if cls.reads == "paths" else ():
        usable(word, "the name")
    if cls.reads in ("texts", "prompt"):
        inputs, option_texts = (
            [utf8(text) for text in inputs],
            {name: utf8(text) for name, text in option_texts.items()},
        )
    options = options_of(cls, option_texts)
    task, _, model = open_trained(folder, request.trust)
    if cls.reads == "texts":
        _answer_texts(task, model, inputs, options, request, out)
        return
    answers = task.predict(model, inputs, options)
    if not isinstance(answers, list):
        if out is None and request.format == "text":
            for piece in answers:
                print(piece, end="", flush=True)
            print()
            return
        text = "".join(answers)
        if request.format == "text":
            _write(out, text + "\n")
            return
        answers = [{"prompt": getattr(options, "prompt", None), "text": text}]
    if out is None:
        print_rows(answers, request.format)
    else:
        _write(out, render_rows(answers, request.format))


def split_options(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Separates inputs from options.

    Args:
        words: Inputs, and options as `--name value` or `--name=value`.

    Returns:
        The inputs, and the value of each option by its name, with `_` for `-`.

    Raises:
        ConfigError: An option without a value, or a text that looks like an option.

    Example:
        >>> split_options(["a.png", "--num-beams", "5"])
        (['a.png'], {'num_beams': '5'})
    """
    inputs: list[str] = []
    options: dict[str, str] = {}
    remaining = iter(words)
    for word in remaining:
        if not word.startswith("--"):
            inputs.append(word)
            continue
        if not _OPTION.fullmatch(word):
            raise ConfigError(
                f"{shown(word)!r} is not an option; allowed: --name VALUE; write a text that begins with -- after a "
                "lone --: -- TEXT"
            )
        name, sign, value = word[2:].partition("=")
        if not sign:
            following = next(remaining, None)
            if following is None:
                raise ConfigError(f"option --{name} has no value; write --{name} VALUE, or -- --{name} if it is a text")
            value = following
        options[name.replace("-", "_")] = value
    return inputs, options


def _refuse_files(texts: Sequence[str]) -> None:
    """Refuses the name of a file in place of a text, and reports what only looks like one.

    Raises:
        ConfigError: A text is the name of a file.
    """
    for text in texts:
        if _FILE_NAME.fullmatch(text):
            if Path(text).is_file():
                raise ConfigError(
                    f"{shown(text)} is a file, and arguments are texts; allowed: --file {shown(text)} for the texts in "
                    f"it, or -- {shown(text)} for its name as text"
                )
            print(f"{shown(text)} is read as text, because there is no file of that name", file=sys.stderr)


def utf8(text: str) -> str:
    """A text of the command line decoded as UTF-8, whatever the encoding of the locale.

    Raises:
        ConfigError: Its bytes are not UTF-8.
    """
    if is_utf8(text):
        return text
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError as error:
        raise ConfigError(
            f"the text '{shown(text)}' is not UTF-8; set the terminal to UTF-8, or give the text in a file: --file PATH"
        ) from error


def _read(cls: type[Task], file: str, inputs: Sequence[str], option_texts: dict[str, str]) -> list[str]:
    """Reads `--file`: the inputs of a task that reads texts, or a language model's prompt.

    Args:
        cls: The task.
        file: Path of the file.
        inputs: Inputs of the command line, which must be empty.
        option_texts: Options of the task; `prompt` is added for a language model.

    Returns:
        The lines of the file; none for a language model.

    Raises:
        ConfigError: The task reads no texts, or inputs are also given.
        DataError: The file cannot be read.
    """
    if cls.reads in ("paths", "words"):
        raise ConfigError(
            f"--file {shown(file)}: task {cls.name} does not read texts; allowed: its inputs as arguments; write "
            "seqtasks predict RUN INPUT…"
        )
    if inputs:
        raise ConfigError(f"got both --file {shown(file)} and {len(inputs)} inputs; allowed: one of them; remove one")
    path = readable(file)
    if cls.reads == "texts":
        lines = read_lines(path)
        if cls.fills and _one_word_each(lines):
            print(
                f"{shown(path)} has one word on each line, and each line is predicted as a sentence of its own; to "
                f"read sentences of one word a line, rename it to {shown(path.stem)}.conll",
                file=sys.stderr,
            )
        return lines
    if "prompt" in option_texts:
        raise ConfigError(f"got both --file {shown(file)} and --prompt; allowed: one of them; remove one")
    option_texts["prompt"] = "".join(Text([path]).pieces())
    return []


def _one_word_each(lines: Sequence[str]) -> bool:
    """Whether nearly all lines have one word, and blank lines separate groups of them."""
    words = [len(line.split()) for line in lines]
    single = sum(count == 1 for count in words)
    blank = sum(count == 0 for count in words[:-1])
    return single > 3 and blank > 0 and single >= 0.8 * (len(words) - words.count(0))


def _fill(
    folder: run_folder.Run, request: Request, inputs: Sequence[str], option_texts: dict[str, str], out: Path | None
) -> None:
    """Predicts for a tokenised file, and prints or writes the file with the predictions filled in.

    Raises:
        ConfigError: Inputs or a format are given, which such a file does not allow.
        DataError: The file cannot be read, or is malformed.
    """
    from seqtasks.training.inference import options_of
    from seqtasks.training.saved_model import open_trained, task_of

    assert request.file is not None
    beside = list(inputs)
    beside += [f"--format {request.format}"] * (request.format != "text")
    if beside:
        raise ConfigError(
            f"got --file {shown(request.file)} and {' '.join(map(shown, beside))}; allowed: a tokenised file alone, "
            "which is written with its labels filled in; remove the others"
        )
    options = options_of(task_of(folder, request.trust)[0], option_texts)
    path = readable(request.file)
    task, _, model = open_trained(folder, request.trust)
    # A task of version 0.1 takes no options here.
    pieces = task.predict_file(model, path, options) if option_texts else task.predict_file(model, path)
    if out is None:
        for piece in pieces:
            print(piece, end="", flush=True)
        return

    def write(target: Path) -> None:
        with target.open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)

    write_output(out, write)
    print(f"{shown(path)} with predicted labels → {shown(out)}", file=sys.stderr)


def readable(file: str) -> Path:
    """Checks that the file of `--file` is there.

    Raises:
        DataError: It is a folder, or does not exist.
    """
    path = usable(file, "--file")
    if not path.is_file() and (path.is_dir() or not path.exists()):
        fault = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"--file {shown(path)} {fault}; give a text file, or the texts themselves as arguments")
    return path


def _answer_texts(
    task: Task, model: Any, lines: Sequence[str], options: Any, request: Request, out: Path | None
) -> None:
    """Predicts for lines of text, and prints or writes the predictions.

    An empty line gets an empty prediction.

    Args:
        task: The task.
        model: The trained model.
        lines: Input texts; empty ones are not passed to the task.
        options: The task's `PredictOptions`.
        request: Format of the output.
        out: File to write to; None: standard output.
    """
    texts = [line for line in lines if line.strip()]
    rows = list(task.predict(model, texts, options)) if texts or request.file is None else []
    count = len(rows) // max(1, len(texts))  # number of rows for each text
    answers = iter(rows[i : i + count] for i in range(0, len(rows), count or 1))
    groups: list[list[Any]] = [next(answers) if line.strip() else [] for line in lines]
    if out is not None and request.format == "text":
        _write(out, "".join(f"{_line(group[0][task.answer_column]) if group else ''}\n" for group in groups))
        return
    columns = dict.fromkeys(key for row in rows[:1] for key in row)
    empty = dict.fromkeys(columns) | {next(iter(columns), "text"): ""}
    if request.format == "text" and (texts := list(_texts(task, groups))):
        print("".join(texts), end="")
        return
    filled = [row for group in groups for row in group or [empty]]
    if out is None:
        print_rows(filled, request.format)
    else:
        _write(out, render_rows(filled, request.format), len(filled))


def _texts(task: Task, groups: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yields the predictions in the task's own layout; nothing if the layout is a table."""
    for group in groups:
        for row in group:
            shown_row = task.show_answer(row)
            if shown_row is None:
                return
            yield shown_row
        if not group:
            yield "\n"


def _line(answer: Any) -> str:
    text = " ".join(map(str, answer)) if isinstance(answer, list) else str(answer)
    return _BREAKS.sub(" ", text)


def _write(out: Path | None, text: str, rows: int | None = None) -> None:
    assert out is not None
    data = text.encode("utf-8", "backslashreplace")
    write_output(out, lambda path: path.write_bytes(data))
    count, unit = (text.count("\n"), "line") if rows is None else (rows, "row")
    print(f"{count:,} {unit}{'s' * (count != 1)} → {shown(out)}", file=sys.stderr)

"""Shell completion: the script of each shell, and the candidates for the word before the cursor.

At each Tab the script of `seqtasks completion SHELL` calls the hidden command `seqtasks complete SHELL -- WORD…`.
Commands, options, and names of tasks and cells stand in a stored table, as importing Typer and reading all cells take
longer than all else; `python docs/make_tables.py` writes it anew. `completion_values` has the values of arguments and
options.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqtasks.cli.completion_values import VALUES, Candidates, Line, of_type, predict_options, stored
from seqtasks.core import streams

CONTINUED = ("=", ".", ":", "/", ",")  # ends of candidates after which the word goes on, without a space
_SPECIAL = re.compile(r"[^\w@%+=:,./~-]")  # characters that bash interprets


def script(shell: str) -> str:
    """The completion script of a shell.

    Args:
        shell: "bash", "zsh" or "fish".
    """
    return (Path(__file__).parent / "templates" / f"completion.{shell}").read_text(encoding="utf-8")


def table(commands: Mapping[str, Any], tasks: Mapping[str, str], cells: Mapping[str, str]) -> str:
    """The text of the stored table, as JSON.

    Args:
        commands: Commands of Typer by name.
        tasks: Summary of each bundled task, by name.
        cells: Summary of each bundled cell, by name.
    """

    def about(parameter: Any) -> dict[str, Any]:
        choices = [item.value for item in parameter.shell_complete(None, "")]
        many, flag = parameter.nargs == -1, bool(getattr(parameter, "is_flag", False))
        help_text = " ".join((parameter.help or "").split())
        return {"name": parameter.name, "help": help_text, "choices": choices, "many": many, "flag": flag}

    made: dict[str, Any] = {}
    for name, command in commands.items():
        options: dict[str, Any] = {}
        arguments = []
        for parameter in command.params:
            if parameter.param_type_name == "argument":
                arguments.append(about(parameter))
            else:
                options |= dict.fromkeys((*parameter.opts, *parameter.secondary_opts), about(parameter))
        made[name] = {"help": command.help.partition("\n")[0], "arguments": arguments, "options": options}
    whole = {"commands": made, "task": dict(tasks), "cell": dict(cells)}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Prints the candidates for the last of several words, one on each line; nothing if that fails.

    Args:
        arguments: `SHELL -- WORD…`. bash gets candidates as they are inserted, and its words are as they were typed;
            zsh and fish get candidates with a description after a tab. The last word ends at the cursor.
    """
    streams.silence(sys.stderr)
    with contextlib.suppress(Exception, KeyboardInterrupt):
        shell, _, *words = arguments
        if shell == "bash":
            unquoted = [_unquoted(word) for word in words]
            quote = unquoted[-1][1]
            lines = [_inserted(value, quote) for value, _ in candidates([word for word, _ in unquoted])]
        else:
            lines = [f"{value}\t{description}" for value, description in candidates(words)]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()


def candidates(words: Sequence[str]) -> Candidates:
    """Yields the candidates for the last of several words, with their descriptions.

    Args:
        words: Words of the command line after the program.

    Example:
        The words `["run", "adding", "encoder.cell=gr"]` yield `("encoder.cell=gru", "Gated recurrent unit")`.
    """
    commands = stored()["commands"]
    *before, word = words
    name = next((text for text in before if not text.startswith("-")), None)
    if name is not None:
        after = before[before.index(name) + 1 :]
        possible = _of_command(name, commands[name], after, word) if name in commands else iter(())
    elif word.startswith("-"):
        possible = iter([("--help", "Print the commands"), ("--version", "Print the version")])
    else:
        possible = ((key, about["help"]) for key, about in commands.items())
    yielded = set()
    for value, description in possible:
        if value.startswith(word) and value not in yielded and value.isprintable():
            yielded.add(value)
            yield value, " ".join(description.split())


def _of_command(command: str, about: Mapping[str, Any], typed: Sequence[str], word: str) -> Candidates:
    """Yields the candidates for a word of a command.

    Args:
        command: Name of the command.
        about: Its entry of the table.
        typed: The words between the command and `word`.
        word: The word to complete.
    """
    options, arguments = about["options"], about["arguments"]
    line, waiting, literal = Line(command), None, False
    for text in typed:
        name, sign, value = text.partition("=")
        if waiting is not None:
            line.options[waiting["name"]] = text
            waiting = None
        elif literal or not text.startswith("-"):
            line.arguments.append(text)
        elif text == "--":
            literal = True
        elif name in options and not options[name]["flag"]:
            if sign:
                line.options[options[name]["name"]] = value
            else:
                waiting = options[name]
    name, sign, value = word.partition("=")
    of_task = predict_options(line) if command == "predict" and not literal else {}
    if waiting is not None:
        yield from _values(waiting, line, word)
    elif typed and typed[-1] in of_task:
        yield from of_type(of_task[typed[-1]], word)
    elif word.startswith("-") and not literal:
        if sign and name in options:
            yield from ((f"{name}={one}", text) for one, text in _values(options[name], line, value))
        elif sign and name in of_task:
            yield from ((f"{name}={one}", text) for one, text in of_type(of_task[name], value))
        else:
            yield from ((option, one.get("description", "")) for option, one in of_task.items())
            yield from ((option, one["help"]) for option, one in options.items())
            yield from (("--help", "Print the help text"), ("--debug", "Print the traceback of an error"))
    else:
        index = len(line.arguments)
        if index >= len(arguments) and arguments and arguments[-1]["many"]:
            index = len(arguments) - 1
        for argument in arguments[index : index + 1]:
            yield from _values(argument, line, word)


def _values(parameter: Mapping[str, Any], line: Line, word: str) -> Candidates:
    name = parameter["name"]
    values = VALUES.get(f"{line.command}.{name}") or VALUES.get(name)
    yield from values(line, word) if values is not None else ((choice, "") for choice in parameter["choices"])


def _unquoted(word: str) -> tuple[str, str]:
    """A word of bash without its quotes and backslashes, and the quote that is not closed yet."""
    for quote in ("", '"', "'"):
        with contextlib.suppress(ValueError):
            return "".join(shlex.split(word + quote)), quote
    return word, ""


def _inserted(value: str, quote: str) -> str:
    """A candidate as bash inserts it: with backslashes outside quotes, and a space where the word ends."""
    if quote:
        return value
    return _SPECIAL.sub(r"\\\g<0>", value) + ("" if value.endswith(CONTINUED) else " ")

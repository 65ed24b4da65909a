"""Shell completion: the script of each shell, and the candidates for the word before the cursor.

At each Tab the script of `seqtasks completion SHELL` calls the hidden command `seqtasks complete SHELL -- WORD…`.
Commands and options are those of Typer, whose parser takes a quarter of a second to import and is not used here.
`completion_values` has the values of arguments and options.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqtasks.cli.completion_values import VALUES, Candidates, Line, of_type, predict_options
from seqtasks.core import streams

CONTINUED = ("=", ".", ":", "/", ",")  # ends of candidates after which the word goes on, without a space
_SPECIAL = re.compile(r"[^\w@%+=:,./~-]")  # characters that bash interprets


def script(shell: str) -> str:
    """The completion script of a shell.

    Args:
        shell: "bash", "zsh" or "fish".
    """
    return (Path(__file__).parent / "templates" / f"completion.{shell}").read_text(encoding="utf-8")


def main(arguments: Sequence[str], commands: Mapping[str, Any]) -> None:
    """Prints the candidates for the last of several words, one on each line; nothing if that fails.

    Args:
        arguments: `SHELL -- WORD…`. bash gets candidates as they are inserted, and its words are as they were typed;
            zsh and fish get candidates with a description after a tab. The last word ends at the cursor.
        commands: Commands of Typer by name.
    """
    streams.silence(sys.stderr)
    with contextlib.suppress(Exception, KeyboardInterrupt):
        shell, _, *words = arguments
        if shell == "bash":
            unquoted = [_unquoted(word) for word in words]
            quote = unquoted[-1][1]
            lines = [_inserted(value, quote) for value, _ in candidates([word for word, _ in unquoted], commands)]
        else:
            lines = [f"{value}\t{description}" for value, description in candidates(words, commands)]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()


def candidates(words: Sequence[str], commands: Mapping[str, Any]) -> Candidates:
    """Yields the candidates for the last of several words, with their descriptions.

    Args:
        words: Words of the command line after the program.
        commands: Commands of Typer by name.

    Example:
        The words `["run", "adding", "encoder.cell=gr"]` yield `("encoder.cell=gru", "Gated recurrent unit")`.
    """
    *before, word = words
    name = next((text for text in before if not text.startswith("-")), None)
    if name is not None:
        after = before[before.index(name) + 1 :]
        possible = _of_command(commands[name], after, word) if name in commands else iter(())
    elif word.startswith("-"):
        possible = iter([("--help", "Print the commands"), ("--version", "Print the version")])
    else:
        possible = ((key, one.get_short_help_str(80)) for key, one in commands.items())
    yielded = set()
    for value, description in possible:
        if value.startswith(word) and value not in yielded and value.isprintable():
            yielded.add(value)
            yield value, " ".join(description.split())


def _of_command(command: Any, typed: Sequence[str], word: str) -> Candidates:
    """Yields the candidates for a word of a command.

    Args:
        command: The command.
        typed: The words between the command and `word`.
        word: The word to complete.
    """
    parameters = [one for one in command.params if one.param_type_name == "option"]
    options = {name: one for one in parameters for name in (*one.opts, *one.secondary_opts)}
    line, waiting, literal = Line(command.name), None, False
    for text in typed:
        name, sign, value = text.partition("=")
        if waiting is not None:
            line.options[waiting.name] = text
            waiting = None
        elif literal or not text.startswith("-"):
            line.arguments.append(text)
        elif text == "--":
            literal = True
        elif name in options and not options[name].is_flag:
            if sign:
                line.options[options[name].name] = value
            else:
                waiting = options[name]
    name, sign, value = word.partition("=")
    of_task = predict_options(line) if command.name == "predict" and not literal else {}
    if waiting is not None:
        yield from _values(waiting, line, word)
    elif typed and typed[-1] in of_task:
        yield from of_type(of_task[typed[-1]], word)
    elif word.startswith("-") and not literal:
        if sign and name in options:
            yield from ((f"{name}={one}", about) for one, about in _values(options[name], line, value))
        elif sign and name in of_task:
            yield from ((f"{name}={one}", about) for one, about in of_type(of_task[name], value))
        else:
            yield from ((option, about.get("description", "")) for option, about in of_task.items())
            yield from ((option, one.help or "") for option, one in options.items())
            yield from (("--help", "Print the help text"), ("--debug", "Print the traceback of an error"))
    else:
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        index = len(line.arguments)
        if index >= len(arguments) and arguments and arguments[-1].nargs == -1:
            index = len(arguments) - 1
        for argument in arguments[index : index + 1]:
            yield from _values(argument, line, word)


def _values(parameter: Any, line: Line, word: str) -> Candidates:
    values = VALUES.get(f"{line.command}.{parameter.name}") or VALUES.get(parameter.name)
    if values is not None:
        yield from values(line, word)
    else:  # a choice
        yield from ((item.value, item.help or "") for item in parameter.shell_complete(None, word))


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

"""The typer application: one-line errors, exit codes, `--debug` anywhere."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from json import dumps
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from seqtasks.core import streams
from seqtasks.core.errors import SeqtasksError
from seqtasks.core.files import shown, usable

F = TypeVar("F", bound=Callable[..., Any])

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The RNN laboratory for Keras: any recurrent cell on any sequence task, in tables you can trust.\n\n"
    "Start with: seqtasks run mnist_rows",
)
_debug = False
LITERAL = "seqtasks.literal"  # key of Context.meta: how many of the last words came after a lone --


def command(**settings: Any) -> Callable[[F], F]:
    """Adds a command whose errors are one line and an exit code."""

    def add(function: F) -> F:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                if "runs" in kwargs:
                    usable(kwargs["runs"], "--runs")
                function(*args, **kwargs)
            except BrokenPipeError:
                streams.silence(sys.stdout)  # the reader, such as `head`, has had enough
                streams.silence(sys.stderr)
                raise SystemExit(0) from None
            except (SeqtasksError, KeyboardInterrupt, OSError, UnicodeEncodeError) as error:
                if _debug:
                    raise SystemExit(_traceback(error)) from error
                message = _message(error)
                print(f"seqtasks: {message}", file=sys.stderr)
                if kwargs.get("json"):
                    print(dumps({"error": message}))
                code = 2 if isinstance(error, OSError | UnicodeEncodeError) else 130
                raise SystemExit(getattr(error, "exit_code", code)) from error

        app.command(**settings)(guarded)
        return function

    return add


class TaskCommand(TyperCommand):
    """A command that takes options which only a task knows: `--name value` or `--name=value`.

    Its own options may stand anywhere before a lone `--`. All other words, options of the task among
    them, are its arguments in their order; `ctx.meta[LITERAL]` tells how many came after the `--`,
    and are no options whatever they look like.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = {name: p for p in self.get_params(ctx) if p.param_type_name == "option" for name in p.opts}
        end = args.index("--") if "--" in args else len(args)
        options: list[str] = []
        words: list[str] = []
        ahead = iter(args[:end])
        for word in ahead:
            option = known.get(word.partition("=")[0] if word.startswith("--") else word)
            if option is None:
                words.append(word)
                continue
            options.append(word)
            if "=" not in word and not getattr(option, "is_flag", False):
                options += [value for value in [next(ahead, None)] if value is not None]
        ctx.meta[LITERAL] = len(args[end + 1 :])
        return list(super().parse_args(ctx, [*options, "--", *words, *args[end + 1 :]]))


def main() -> None:
    """The entry point `seqtasks`."""
    global _debug
    streams.prepare()
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    if "--debug" in sys.argv[:end]:  # accepted anywhere: people add it to the command that failed
        sys.argv.remove("--debug")
        _debug = True
    code: Any = 0
    problem = None
    try:
        if "--version" in sys.argv[1:2]:
            from seqtasks.core.version import __version__

            print(f"seqtasks {__version__}")
        else:
            app(prog_name="seqtasks")
    except SystemExit as stop:
        code = stop.code
    except OSError as error:  # help that cannot be written
        if error.filename is not None or _debug:
            raise
        problem = f"cannot write to standard output: {error.strerror}"
    if problem := streams.finish() or problem:
        print(f"seqtasks: {problem}; make room, or send the output elsewhere", file=sys.stderr)
        code = code or 2
    if code:
        raise SystemExit(code)


def _message(error: BaseException) -> str:
    """An error on one line."""
    if isinstance(error, OSError) and not isinstance(error, SeqtasksError):
        if error.filename is None:
            return f"reading or writing failed: {error.strerror or error}; make room, or use other files"
        return f"cannot use {shown(str(error.filename))}: {error.strerror or error}; use another file"
    if isinstance(error, UnicodeEncodeError):
        return f"{shown(error.object)} holds characters that {error.encoding} cannot; write it in UTF-8"
    # A lone surrogate is what Python makes of a byte that is not UTF-8.
    return " ".join(str(error).split()).encode("utf-8", "backslashreplace").decode() or "stopped"


def _traceback(error: BaseException) -> int:
    import traceback

    traceback.print_exception(error)
    code = 2 if isinstance(error, OSError | UnicodeEncodeError) else 130
    return int(getattr(error, "exit_code", code))

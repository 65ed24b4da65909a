"""The frame of the command line: errors in one line, exit codes, `--debug` anywhere."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from json import dumps
from typing import Any, TypeVar

import typer

from seqtasks.errors import SeqtasksError

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


def command(**settings: Any) -> Callable[[F], F]:
    """Adds a command whose errors are one line and an exit code."""

    def add(function: F) -> F:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (SeqtasksError, KeyboardInterrupt) as error:
                if _debug:
                    raise SystemExit(_traceback(error)) from error
                message = " ".join(str(error).split()) or "stopped"
                print(f"seqtasks: {message}", file=sys.stderr)
                if kwargs.get("json"):
                    print(dumps({"error": message}))
                raise SystemExit(getattr(error, "exit_code", 130)) from error
            except BrokenPipeError:
                sys.stderr.close()  # the reader, such as `head`, has had enough
                raise SystemExit(0) from None

        app.command(**settings)(guarded)
        return function

    return add


def main() -> None:
    """The entry point `seqtasks`."""
    global _debug
    if "--debug" in sys.argv:  # accepted anywhere: people add it to the command that failed
        sys.argv.remove("--debug")
        _debug = True
    if "--version" in sys.argv[1:2]:
        from seqtasks import __version__

        print(f"seqtasks {__version__}")
        return
    app(prog_name="seqtasks")


def _traceback(error: BaseException) -> int:
    import traceback

    traceback.print_exception(error)
    return int(getattr(error, "exit_code", 130))

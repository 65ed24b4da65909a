"""The Typer application: errors on one line, exit codes, and `--debug` for any command."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from json import dumps
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from seqtasks.core import streams
from seqtasks.core.environment import LAUNCHED
from seqtasks.core.errors import SeqtasksError
from seqtasks.core.files import shown, usable

F = TypeVar("F", bound=Callable[..., Any])

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The RNN laboratory for Keras: any recurrent cell on any sequence task, in tables you can trust.\n\n"
    "Start with: seqtasks run mnist_rows\n\n"
    "`seqtasks --version` prints the version; --debug after any command prints the traceback of its error.",
)
_debug = False
LONGEST = 2000  # maximum number of characters of a message
LITERAL = "seqtasks.literal"  # key of Context.meta: number of arguments that came after a lone --


def command(panel: str, **settings: Any) -> Callable[[F], F]:
    """Decorator that adds a command; its errors become one line and an exit code.

    Args:
        panel: Title of the part of `seqtasks --help` that lists the command.
        **settings: Keyword arguments of `typer.Typer.command`.
    """

    def add(function: F) -> F:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                if "runs" in kwargs:
                    usable(kwargs["runs"], "--runs")
                function(*args, **kwargs)
            except BrokenPipeError:
                streams.silence(sys.stdout)  # the reader, such as `head`, has closed the pipe
                streams.silence(sys.stderr)
                raise SystemExit(0) from None
            except (SeqtasksError, KeyboardInterrupt, OSError, UnicodeEncodeError) as error:
                if _debug:
                    raise SystemExit(_traceback(error)) from error
                message = _message(error)
                if LAUNCHED not in os.environ:  # else the process that started this one prints it
                    print(f"seqtasks: {message}", file=sys.stderr)
                if kwargs.get("json"):
                    print(dumps({"error": message}))
                code = 2 if isinstance(error, OSError | UnicodeEncodeError) else 130
                raise SystemExit(getattr(error, "exit_code", code)) from error
            except Exception as error:
                from seqtasks.cli import user_files

                problem = None if _debug else _out_of_memory(error) or user_files.describe(error)
                if problem is None:
                    raise
                message = _one_line(problem)
                print(f"seqtasks: {message}", file=sys.stderr)
                if kwargs.get("json"):
                    print(dumps({"error": message}))
                raise SystemExit(1) from error

        app.command(rich_help_panel=panel, **settings)(guarded)
        return function

    return add


class TaskCommand(TyperCommand):
    """Command that also takes options defined by a task: `--name value` or `--name=value`.

    Options of the command may stand anywhere before a lone `--`. All other words, including options of
    the task, become arguments in their order. `ctx.meta[LITERAL]` is the number of arguments after the
    `--`, which are never options, even if they begin with `--`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = {name: p for p in self.get_params(ctx) if p.param_type_name == "option" for name in p.opts}
        end = args.index("--") if "--" in args else len(args)
        options: list[str] = []
        words: list[str] = []
        remaining = iter(args[:end])
        for word in remaining:
            option = known.get(word.partition("=")[0] if word.startswith("--") else word)
            if option is None:
                words.append(word)
                continue
            options.append(word)
            if "=" not in word and not getattr(option, "is_flag", False):
                options += [value for value in [next(remaining, None)] if value is not None]
        ctx.meta[LITERAL] = len(args[end + 1 :])
        return list(super().parse_args(ctx, [*options, "--", *words, *args[end + 1 :]]))


def main() -> None:
    """Entry point of the command `seqtasks`."""
    global _debug
    streams.prepare()
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    if "--debug" in sys.argv[:end]:  # accepted anywhere, because users append it to the command that failed
        sys.argv.remove("--debug")
        _debug = True
    code: Any = 0
    problem = None
    try:
        if "--version" in sys.argv[1:2]:
            from seqtasks.core.version import __version__

            print(f"seqtasks {__version__}")
        elif "complete" in sys.argv[1:2]:  # at each Tab of a shell
            from seqtasks.cli import completion

            completion.main(sys.argv[2:])
        else:
            outcome = app(prog_name="seqtasks", standalone_mode=False)
            code = outcome if isinstance(outcome, int) else 0  # --help returns its exit code
    except SystemExit as stop:
        code = stop.code
    except OSError as error:  # the help text cannot be written
        if error.filename is not None or _debug:
            raise
        problem = f"cannot write to standard output: {error.strerror}"
    except Exception as error:
        code = _show_usage_error(error)
    if problem := streams.finish() or problem:
        print(f"seqtasks: {problem}; free disk space, or write the output elsewhere", file=sys.stderr)
        code = code or 2
    if code:
        processes = sys.modules.get("seqtasks.training.processes")
        if processes is not None:
            processes.leave(code)
        raise SystemExit(code)


def _show_usage_error(error: Exception) -> int:
    """Prints an error of Typer, such as an unknown option, on one line; returns its exit code.

    Newer versions of Typer contain a copy of Click, so that there is no common class of its errors to import.

    Raises:
        Exception: The error itself, if it is not one of Typer.
    """
    if not hasattr(error, "format_message"):
        raise error
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]  # the help text
    else:
        context: Any = getattr(error, "ctx", None)
        text = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
        path = "seqtasks" if context is None else context.command_path
        print(f"seqtasks: {text[:1].lower()}{text[1:]}; see `{path} --help`", file=sys.stderr)
    return int(getattr(error, "exit_code", 2))


def _message(error: BaseException) -> str:
    """The message of an error, on one line."""
    if isinstance(error, OSError) and not isinstance(error, SeqtasksError):
        if error.filename is None:
            return f"reading or writing failed: {error.strerror or error}; free disk space, or use other files"
        return f"cannot use {shown(str(error.filename))}: {error.strerror or error}; use another file"
    if isinstance(error, UnicodeEncodeError):
        return f"{shown(error.object)} has characters that {error.encoding} cannot encode; write it in UTF-8"
    return _one_line(str(error)) or "stopped"


def _out_of_memory(error: BaseException) -> str | None:
    """The message for memory that could not be allocated, by Python, NumPy or a backend; None for other errors."""
    # TensorFlow: ResourceExhaustedError; PyTorch: OutOfMemoryError; JAX: XlaRuntimeError that begins with this code.
    named = type(error).__name__ in ("ResourceExhaustedError", "OutOfMemoryError")
    if not (isinstance(error, MemoryError) or named or str(error).startswith("RESOURCE_EXHAUSTED")):
        return None
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return (
        f"out of memory{f' ({reason[:200]})' if reason else ''}; allowed: what fits into the memory of this machine; "
        "set train.batch_size, train.eval_batch_size or encoder.units lower, or read less data with data.limit"
    )


def _one_line(text: str) -> str:
    # Texts of files may have control characters, and bytes that are not UTF-8 are lone surrogates.
    return shown(" ".join(text.split()), LONGEST)


def _traceback(error: BaseException) -> int:
    import traceback

    traceback.print_exception(error)
    code = 2 if isinstance(error, OSError | UnicodeEncodeError) else 130
    return int(getattr(error, "exit_code", code))

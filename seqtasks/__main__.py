"""Entry point of the command `seqtasks` and of `python -m seqtasks`."""

import sys


def main() -> None:
    """Runs the command line; answers the Tab key of a shell without importing it."""
    try:
        if "complete" in sys.argv[1:2]:
            from seqtasks.cli import completion

            completion.main(sys.argv[2:])
        else:
            from seqtasks.cli.main import main as command_line

            command_line()
    except KeyboardInterrupt:  # before or after a command, which handles it itself
        print("seqtasks: stopped", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

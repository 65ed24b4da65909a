"""Entry point of `python -m seqtasks`, the same as the command `seqtasks`."""

from seqtasks.cli.main import main

if __name__ == "__main__":
    main()

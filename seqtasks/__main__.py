"""`python -m seqtasks`."""

from seqtasks.cli.main import main

if __name__ == "__main__":
    main()

"""`python -m seqtasks`."""

from seqtasks.cli import main

if __name__ == "__main__":
    main()
